"""The server side: hears streams, finds their moments, cuts and exports clips."""

__version__ = "0.1.0"
