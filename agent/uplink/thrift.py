"""What may leave on this line now: the rules for metered lines, for batteries, and what the coordinator wishes. Pure.

A press, the voice and the signals are small and always leave. Held back is not dropped: it waits in the outbox.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Literal

from protos import segment
from protos.clippy.v1 import media_pb2

MeteredChoice = Literal["auto", "yes", "no"]
MeteredSources = Literal["press", "all", "none"]

_BIG_LANES = frozenset({media_pb2.LANE_DESKTOP, media_pb2.LANE_PROXY})
_LOW_CHARGE_PCT = 30
_BUDGET_S = 60.0
# Of what is taken in all, sound and signals come first: two lanes of 24 kbit/s, and as much again for all the rest.
_SOUND_BPS = 100_000

METERED = "on a metered line"
UNWANTED = "the coordinator does not want it"
NO_ROOM_FOR_PICTURE = "the coordinator takes less than the sound needs"
LOW_BATTERY = f"on battery under {_LOW_CHARGE_PCT} %"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LineState:
    """What this PC hangs on. `charge_pct` None: nobody knows."""

    is_metered: bool = False
    is_on_battery: bool = False
    charge_pct: int | None = None


def held_lanes(line: LineState, wished: Collection[int] = ()) -> dict[int, str]:
    """The lanes that wait, and why.

    Args:
        wished: by the coordinator; empty: all.
    """
    held: dict[int, str] = {}
    for lane in segment.LANE_NAMES:
        if wished and lane not in wished:
            held[lane] = UNWANTED
        elif line.is_metered and lane in _BIG_LANES:
            held[lane] = METERED
    return held


def source_wait(line: LineState, rule: MeteredSources, *, is_pressed: bool) -> str:
    """Why an upload of full quality waits; empty: it need not.

    Args:
        is_pressed: the user saved a clip of that span himself.
    """
    if line.is_metered and (rule == "none" or (rule == "press" and not is_pressed)):
        return METERED
    is_low = line.is_on_battery and line.charge_pct is not None and line.charge_pct < _LOW_CHARGE_PCT
    return LOW_BATTERY if is_low and not is_pressed else ""


def held_words(held: Mapping[int, str], num_waiting: Mapping[int, int]) -> list[str]:
    """For people: `on a metered line: 12 chunks of desktop wait`."""
    words = []
    for lane, why in sorted(held.items()):
        if count := num_waiting.get(lane, 0):
            name = segment.LANE_NAMES[media_pb2.Lane.ValueType(lane)]
            words.append(
                f"{why}: {count} chunks of {name} wait" if count > 1 else f"{why}: 1 chunk of {name} waits"
            )
    return words


def picture_bound_bps(max_proxy_bps: int, max_bytes_per_s: int) -> int | None:
    """What the small picture may take of the line, of a `StreamConfig`; None: as much as it needs, 0: nothing."""
    bounds = [max_proxy_bps] if max_proxy_bps else []
    if max_bytes_per_s:
        bounds.append(max(0, 8 * max_bytes_per_s - _SOUND_BPS))
    return min(bounds, default=None)


class ByteBudget:
    """At most so many bytes a second on average: a bucket that holds what may leave at once.

    What is sent may leave it in debt, so that a chunk bigger than the bucket still leaves. `has_room` changes nothing:
    any thread may ask.
    """

    def __init__(self, now_s: float, *, burst_s: float = _BUDGET_S) -> None:
        """Args: burst_s: so many seconds' worth may leave at once."""
        self._burst_s = burst_s
        self._rate = 0.0
        self._left = 0.0
        self._at_s = now_s

    def limit(self, bytes_per_s: float, now_s: float) -> None:
        """From now on at most so many; 0: no limit. The same limit again changes nothing."""
        if bytes_per_s != self._rate:
            self._rate = bytes_per_s
            self._left = bytes_per_s * self._burst_s
            self._at_s = now_s

    def has_room(self, now_s: float) -> bool:
        """May something leave now?"""
        return not self._rate or self._left_at(now_s) > 0

    def spend(self, num_bytes: int, now_s: float) -> None:
        """So many left."""
        self._left = self._left_at(now_s) - num_bytes
        self._at_s = max(self._at_s, now_s)

    def _left_at(self, now_s: float) -> float:
        return min(self._rate * self._burst_s, self._left + self._rate * max(0.0, now_s - self._at_s))
