"""What games say of themselves, as a lane: each event is as much of a moment as it says it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from coordinator.highlight.normalise import Curve
from coordinator.model.highlight import SIGNAL_RATE_HZ, GameEvent

BEFORE_S: Final = 3.0  # the deed is seen before the game counts it
AFTER_S: Final = 3.0
FADE_S: Final = 2.0


def event_curve(events: Sequence[GameEvent], num_steps: int) -> Curve:
    """The weight of the heaviest event at each step: whole from 3 s before to 3 s after it, then fading.

    What no game says (a weight that is no number, a time outside the session) is left out; weights end at 1.
    """
    level = np.zeros(num_steps)
    for event in events:
        if not (math.isfinite(event.at_s) and math.isfinite(event.weight)) or event.weight <= 0:
            continue
        if not 0 <= event.at_s * SIGNAL_RATE_HZ < num_steps:
            continue
        first = max(0, int((event.at_s - BEFORE_S) * SIGNAL_RATE_HZ))
        last = min(num_steps, math.ceil((event.at_s + AFTER_S + FADE_S) * SIGNAL_RATE_HZ))
        past_s = np.arange(first, last) / SIGNAL_RATE_HZ - event.at_s - AFTER_S
        held = min(event.weight, 1.0) * np.clip(1.0 - past_s / FADE_S, 0.0, 1.0)
        level[first:last] = np.maximum(level[first:last], held)
    return level


def events_between(events: Sequence[GameEvent], start_s: float, end_s: float) -> list[GameEvent]:
    """Those that count from `start_s` to `end_s`, heaviest first."""
    inside = [one for one in events if start_s <= one.at_s <= end_s and one.weight > 0]
    return sorted(inside, key=lambda one: (-one.weight, one.at_s))
