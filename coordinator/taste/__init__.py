"""What streamers keep and throw away, kept in PostgreSQL and learnt from by account.

Adapter: imports only the ground (model, errors, ports, policy), no sibling.
"""
