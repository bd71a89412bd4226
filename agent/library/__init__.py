"""What the user has: clips, moments, exports and the audit of presses, in SQLite."""
