"""What was said, found by its words: an index in PostgreSQL that keeps accounts apart.

Adapter: imports only the ground (model, errors, ports, policy), no sibling.
"""
