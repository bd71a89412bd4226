"""Is this machine fit to record? What `clippy doctor` looks at."""
