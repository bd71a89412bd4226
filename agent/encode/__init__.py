"""From frames and sound blocks to packets and chunks."""
