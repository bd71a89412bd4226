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

METERED = "on a metered line"
UNWANTED = "the coordinator does not want it"
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


class ByteBudget:
    """At most so many bytes a second on average over a minute: a bucket that holds a minute's worth.

    What is sent may leave it in debt, so that a chunk bigger than the bucket still leaves.
    """

    def __init__(self, now_s: float) -> None:
        self._rate = 0
        self._left = 0.0
        self._at_s = now_s

    def limit(self, bytes_per_s: int, now_s: float) -> None:
        """From now on at most so many; 0: no limit. The same limit again changes nothing."""
        if bytes_per_s != self._rate:
            self._rate = bytes_per_s
            self._left = bytes_per_s * _BUDGET_S
            self._at_s = now_s

    def has_room(self, now_s: float) -> bool:
        """May something leave now?"""
        if not self._rate:
            return True
        self._left = min(self._rate * _BUDGET_S, self._left + self._rate * max(0.0, now_s - self._at_s))
        self._at_s = now_s
        return self._left > 0

    def spend(self, num_bytes: int) -> None:
        """So many left."""
        self._left -= num_bytes
