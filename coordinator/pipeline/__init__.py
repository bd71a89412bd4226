"""The stages between a chunk and a post, one file each. They know ports, and no engine.

`steps.py` says what follows what. A stage reads, works outside any transaction, and returns its effect: what to
write, and which jobs follow, in one commit.
"""
