"""Who may speak: accounts, pairing, tokens, and the Identity service beside the link.

Adapter: imports only the ground (model, errors, ports, policy), no sibling.
"""
