"""The desktop app's pages. They talk to the engine through `bridge.py` alone; Qt lives here and in `app.py`."""
