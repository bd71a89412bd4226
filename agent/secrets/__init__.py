"""Where the one secret of a pairing lives: the system's keyring, by consent a file, else memory alone."""
