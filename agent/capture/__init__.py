"""Screen and sound sources, and the thread that asks the screen for frames."""
