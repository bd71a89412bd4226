"""The rolling buffer: a packet log on disk, a tail in memory, pins, and the thread that feeds it."""
