"""What a small generator of streams gives: sound, picture, words, chat, and the truth about them.

What the truth means is the same for all of them, as for people who label real streams by one guide:

- A moment is one event and the reaction that it draws in the stream itself.
- It begins where its own first sign is heard or seen: sound of the game or the room, the picture, or a voice that turns
  from the ordinary. What looks and sounds like the rest of the stream, an announcement in a calm voice or usual play,
  is not part of it, however well it would open a clip. A build-up that stands out by itself, such as a fight louder
  than usual play, a rising voice or a hush, is part of it, unless more than 3 s of the ordinary follow it.
- It ends where the last of the reaction in sound or picture has died down. Calm talk afterwards is not part of it.
- Chat answers late, and moves neither end.
- It has 6 to 40 s: to what is shorter, time is added at its end.
- What a clip needs before it to be understood is left to whoever cuts.
"""

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
    """A moment or a decoy; seconds from the start. What its ends mean is told above."""

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
