"""What `clippy devices` lists."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptureDevice:
    """One thing that could be recorded, as `clippy devices` lists it.

    Attributes:
        name: what to write into `capture.screen`, `capture.microphone` or `capture.desktop_sound`.
        is_default: what `auto` chooses.
        problem: why it cannot be used; empty when it can.
        cost_ms: CPU milliseconds a frame, of a screen; 0 where it was not measured.
    """

    kind: Literal["screen", "microphone", "desktop_sound"]
    name: str
    detail: str
    is_default: bool
    problem: str = ""
    cost_ms: float = 0.0

    @property
    def is_usable(self) -> bool:
        """Can it be recorded?"""
        return not self.problem
