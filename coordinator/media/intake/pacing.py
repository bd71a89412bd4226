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


class Pacer:
    """Counts the ticks of one run of frames, and says for how many each frame is shown. One thread.

    `tick`: the next one, from 0; whoever shows a frame for one tick counts it up.
    """

    def __init__(self, rate: Fraction, *, max_ticks: float = math.inf) -> None:
        """`rate`: ticks a second; no frame is shown from tick `max_ticks` on."""
        self.tick = 0
        self._rate = rate
        self._max_ticks = max_ticks

    @property
    def is_full(self) -> bool:
        """Whether nothing more is shown."""
        return self.tick >= self._max_ticks

    def num_due(self, until_s: float) -> int:
        """For how many ticks the frame at hand is shown, when the next one is that of `until_s`."""
        return self._num_to(round(until_s * self._rate))

    def num_left(self, hold_until_s: float) -> int:
        """For how many ticks the last frame is shown: one at least."""
        return self._num_to(max(self.tick + 1, round(hold_until_s * self._rate)))

    def _num_to(self, tick: int) -> int:
        return max(0, int(min(tick, self._max_ticks)) - self.tick)


def paced(
    frames: Iterable[tuple[float, Item]], rate: Fraction, *, hold_until_s: float = 0.0
) -> Iterator[Item]:
    """Yield one frame for each tick.

    Args:
        frames: (time in seconds from tick 0, frame), in order of time.
        rate: ticks a second.
        hold_until_s: hold the last frame this long where the input ends earlier.
    """
    pacer = Pacer(rate)
    held: Item | None = None
    for time_s, frame in frames:
        if held is not None:
            for _ in range(pacer.num_due(time_s)):
                yield held
                pacer.tick += 1
        held = frame
    if held is not None:
        for _ in range(pacer.num_left(hold_until_s)):
            yield held
