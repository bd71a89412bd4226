"""What leaves this PC, counted."""
