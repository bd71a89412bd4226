"""The streamer's side: captures, keeps, clips, and sends light chunks."""

__version__ = "0.1.0"
