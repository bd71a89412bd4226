"""Values that the agent's stages hand one another: frozen, with slots, by keyword.

Times are int nanoseconds. `monotonic_ns` is CLOCK_MONOTONIC; every other `_ns` is on the session's own
line, which is 0 when the session starts.
"""
