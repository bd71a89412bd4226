"""How long to wait before the next try: full jitter, so that a herd of agents spreads out by itself.

Pure: the dice are handed in.
"""

from __future__ import annotations

# All agents are back within half a minute of a coordinator that was away for long: this wait, and a handshake among
# ten thousand.
MAX_DELAY_S = 20.0
# A broken line is back at once; where nobody answers, ten thousand wait for the same restart and had better come one
# after the other.
_BOUNDS_S = (1.0, 10.0, MAX_DELAY_S)
_MAX_TOLD_DELAY_S = 600.0


def next_delay_s(attempt: int, dice: float) -> float:
    """Return a delay within 0..20 s; its bound is 1 s for the first retry, 10 s for the next and then 20 s.

    Args:
        attempt: failed tries so far without a working stream between them, from 0.
        dice: uniform in [0, 1).
    """
    return _BOUNDS_S[min(max(attempt, 0), len(_BOUNDS_S) - 1)] * dice


def told_delay_s(delay_ms: int, dice: float) -> float:
    """Return the delay that the coordinator asked for, plus up to as much again (at most 20 s) of jitter.

    What it asks for is taken within 0..600 s: a wrong clock or a hostile peer must not silence the link.
    """
    delay_s = min(max(delay_ms / 1000.0, 0.0), _MAX_TOLD_DELAY_S)
    return delay_s + min(delay_s, MAX_DELAY_S) * dice
