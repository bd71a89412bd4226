"""Turn frames of any rhythm into frames of a constant rate.

The first frame is shown from tick 0; a frame lands on the nearest tick; a tick without a frame repeats the
one before; of two frames on one tick the later wins. The picture is thus never more than half a tick off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TypeVar

# Rates that players and platforms expect; anything within 1 % of one is meant to be it.
STANDARD_RATES = tuple(
    Fraction(n, d)
    for n, d in (
        (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1),
        (10, 1), (12, 1), (15, 1), (20, 1), (120, 1),
    )
)  # fmt: skip
MIN_RATE = 5

Item = TypeVar("Item")


def constant_rate(average: Fraction | None, base: Fraction | None, *, max_rate: int = 60) -> Fraction:
    """Return the rate to show a track at, from what its header says.

    `base` is the finest rhythm seen (right for a recording that dropped frames), `average` the number of
    frames over time (right where `base` counts fields or is only a time base). Never above `max_rate`:
    a faster track is halved until it fits.
    """
    rate = average or base or Fraction(30)
    if average and base and average < base <= 120:
        is_field_rate = Fraction(19, 10) <= base / average <= Fraction(21, 10)
        rate = average if is_field_rate else base
    rate = _snapped(max(Fraction(MIN_RATE), rate))
    while rate > max_rate:
        rate /= 2
    return rate


def _snapped(rate: Fraction) -> Fraction:
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest - rate) <= rate / 100:
        return nearest
    return rate.limit_denominator(1001)


def paced(
    frames: Iterable[tuple[float, Item]], rate: Fraction, *, max_ticks: int | None, hold_until_s: float = 0.0
) -> Iterator[Item]:
    """Yield one frame for each tick.

    Args:
        frames: (time in seconds from tick 0, frame), in order of time.
        rate: ticks a second.
        max_ticks: stop after this many; None: end with the input.
        hold_until_s: hold the last frame this long where the input ends earlier.
    """
    limit = math.inf if max_ticks is None else max_ticks
    held: Item | None = None
    tick = 0
    for time_s, frame in frames:
        due = max(0, round(time_s * rate))
        while held is not None and tick < min(due, limit):
            yield held
            tick += 1
        if tick >= limit:
            return
        held = frame
    if held is None:
        return
    for _ in range(tick, int(min(limit, max(tick + 1, round(hold_until_s * rate))))):
        yield held
