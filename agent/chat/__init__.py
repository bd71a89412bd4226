"""Reads what viewers write and what games say: platforms, and a local endpoint for bots and bridges."""
