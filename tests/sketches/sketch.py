"""What a small generator of streams gives: sound, picture, words, chat, and the truth about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

RATE_HZ = 16_000
FRAMES_PER_S = 10
HEIGHT, WIDTH = 90, 160

Sound = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A moment or a decoy; seconds from the start."""

    start_s: float
    end_s: float
    kind: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """One stream.

    Attributes:
        mic, desktop: mono, 16,000 Hz, shape (round(16,000 * duration_s),), within [-1, 1].
        frames: luma pictures, uint8, shape (90, 160), 10 a second, round(10 * duration_s) of them; made on each call.
        segs: (start_s, end_s, text) as a recogniser heard the microphone, in order.
        chat: (at_s, text) in order; empty where there is no chat.
    """

    duration_s: float
    mic: Sound
    desktop: Sound
    frames: Callable[[], Iterator[npt.NDArray[np.uint8]]]
    segs: tuple[tuple[float, float, str], ...]
    chat: tuple[tuple[float, str], ...]
    num_viewers: int
    moments: tuple[Span, ...]
    decoys: tuple[Span, ...]
