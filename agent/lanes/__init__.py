"""One lane for the picture and one for the sound: each joins capture, encoding and signals for the session."""
