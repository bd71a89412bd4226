"""How long to wait before the next try: full jitter, so that a herd of agents spreads out by itself.

Pure: the dice are handed in.
"""

from __future__ import annotations

# All agents are back within half a minute of a coordinator that was away for long: this wait, and a handshake among
# ten thousand.
MAX_DELAY_S = 20.0
_FIRST_DELAY_S = 1.0
_MAX_TOLD_DELAY_S = 600.0


def next_delay_s(attempt: int, dice: float) -> float:
    """Return a delay within 0..20 s; its bound is 1 s for the first retry and doubles with each.

    Args:
        attempt: failed tries so far without a working stream between them, from 0.
        dice: uniform in [0, 1).
    """
    bound_s = min(MAX_DELAY_S, _FIRST_DELAY_S * (1 << min(max(attempt, 0), 16)))
    return bound_s * dice


def told_delay_s(delay_ms: int, dice: float) -> float:
    """Return the delay that the coordinator asked for, plus up to as much again (at most 20 s) of jitter.

    What it asks for is taken within 0..600 s: a wrong clock or a hostile peer must not silence the link.
    """
    delay_s = min(max(delay_ms / 1000.0, 0.0), _MAX_TOLD_DELAY_S)
    return delay_s + min(delay_s, MAX_DELAY_S) * dice
