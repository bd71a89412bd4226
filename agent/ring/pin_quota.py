"""Which pins give way when there are too many. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from agent.model.clips import Pin

What = Literal["all", "margin"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PinSize:
    """A pin and what it takes. `margin_bytes`: what lies beyond the clip itself."""

    pin: Pin
    size_bytes: int
    margin_bytes: int = 0


def pins_to_drop(
    pins: Sequence[PinSize], *, quota_bytes: int, new: Pin, new_bytes: int
) -> list[tuple[str, What]] | None:
    """Which pins must go, or lose their margin, so that `new` fits; None when `new` itself must not be made.

    Candidates go first, then the margins that keep saved clips' ends movable, then the rest of what only serves
    that: those clips' files are written. The oldest first in each. Requests and the new pin's own owner's never go;
    a press and a request are never refused.
    """
    excess = sum(item.size_bytes for item in pins) + new_bytes - quota_bytes
    others = sorted(
        (item for item in pins if item.pin.owner_id != new.owner_id),
        key=lambda item: item.pin.created_unix_ms,
    )
    candidates = [item for item in others if item.pin.kind == "candidate"]
    kept = [item for item in others if item.pin.kind == "keep"]
    steps: list[tuple[PinSize, What, int]] = [(item, "all", item.size_bytes) for item in candidates]
    if new.kind != "candidate":
        steps += [(item, "margin", item.margin_bytes) for item in kept if item.margin_bytes]
        steps += [(item, "all", item.size_bytes - item.margin_bytes) for item in kept]
    dropped: dict[str, What] = {}
    for item, what, gain_bytes in steps:
        if excess <= 0:
            break
        dropped[item.pin.pin_id] = what
        excess -= gain_bytes
    if excess > 0 and new.kind == "candidate":
        return None
    return list(dropped.items())
