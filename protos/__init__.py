"""The contract of both sides."""
