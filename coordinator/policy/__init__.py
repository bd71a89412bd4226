"""Decisions, pure: time, load and randomness come in as arguments."""
