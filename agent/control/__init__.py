"""The local control API: what the app, the command line and a Stream Deck speak to the engine."""
