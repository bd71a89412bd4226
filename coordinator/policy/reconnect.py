"""When agents are asked to connect anew, and how they are spread when many are. Pure."""

from __future__ import annotations

import math

# Two processes greeted 1,100 a second over TLS when 5,000 came at once; a draining one's agents find fewer.
_CONNECTS_PER_S = 500
_MAX_DRAIN_DELAY_MS = 14_000


def drain_delay_ms(num_streams: int, share: float) -> int:
    """The delay to tell one of the streams of a process that stops.

    An agent waits this long and up to as much again. With a delay of its own for each the first come at once, 350 a
    second at most, and all within 28 s: one delay for all left the others idle until it was over.

    Args:
        share: which of them, evenly spread over [0, 1).
    """
    longest_ms = min(_MAX_DRAIN_DELAY_MS, 1000 * num_streams // _CONNECTS_PER_S)
    return round(longest_ms * share)


def leave_at_s(now_s: float, max_age_s: float | None, dice: float) -> float:
    """When a stream that begins now is asked to connect anew: at its age, give or take a tenth; None is never.

    Args:
        dice: uniform in [0, 1).
    """
    return math.inf if max_age_s is None else now_s + max_age_s * (0.9 + 0.2 * dice)
