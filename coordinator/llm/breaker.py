"""When a provider that fails is left alone, and when it is tried again. Pure; its state is a row that the fleet shares.

Closed: calls are counted for a minute at a time; from 10 on, half of them failed opens it for 30 s. Then it is
half-open: one call in the whole fleet tries, and closes or opens it again.
"""

from __future__ import annotations

import enum

MIN_CALLS = 10
FAILED_SHARE = 0.5
OPEN_S = 30.0
COUNT_FOR_S = 60.0


class Health(enum.Enum):
    """What a call says of its provider."""

    WELL = enum.auto()
    ILL = enum.auto()
    NOTHING = enum.auto()  # it was busy, or refused us: no sign of a failure


class Passage(enum.Enum):
    """May a call be made?"""

    FREE = enum.auto()
    PROBE = enum.auto()  # the one that tries
    SHUT = enum.auto()


class Move(enum.Enum):
    """What becomes of the state after a call."""

    COUNT = enum.auto()
    OPEN = enum.auto()
    CLOSE = enum.auto()
    FREE_PROBE = enum.auto()
    NONE = enum.auto()


def passage(*, open_s: float | None, probe_s: float) -> Passage:
    """Args: open_s: until it may be tried, None when closed; probe_s: until a probe under way counts as lost."""
    if open_s is None:
        return Passage.FREE
    return Passage.PROBE if open_s <= 0 and probe_s <= 0 else Passage.SHUT


def move(health: Health, *, is_probe: bool, is_closed: bool, num_calls: int, num_failures: int) -> Move:
    """What follows from a call that ended.

    Args:
        is_probe: it was the one that tried.
        num_calls, num_failures: of the minute, this call among them.
    """
    if is_probe:
        return {Health.WELL: Move.CLOSE, Health.ILL: Move.OPEN, Health.NOTHING: Move.FREE_PROBE}[health]
    # A call that began before it opened says nothing new.
    if not is_closed or health is Health.NOTHING:
        return Move.NONE
    is_opening = num_calls >= MIN_CALLS and num_failures >= FAILED_SHARE * num_calls
    return Move.OPEN if is_opening and health is Health.ILL else Move.COUNT
