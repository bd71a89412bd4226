"""Which spans of a session are worth keeping, and why: pure functions over signals, words and chat.

Same input, same output: no clock, no randomness, no model, no network.
"""
