"""What speech recognition takes and gives."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
EngineName = Literal["faster-whisper", "pocketsphinx", "remote"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One spoken word. Times are seconds from the start of its window or file; channel is 0-based."""

    text: str
    start_s: float
    end_s: float
    channel: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pcm16k:
    """One window of speech.

    Attributes:
        samples: float32, mono, 16,000 Hz, shape (num_samples,), range [-1, 1], at most 30 s.
        language: ISO 639-1, or None to detect.
    """

    samples: npt.NDArray[np.float32]
    language: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was said in one window: words in time order, empty when nobody spoke.

    `language_probability`: how sure the engine is of a language that it detected; None where it did not.
    """

    words: tuple[Word, ...]
    language: str
    engine: EngineName
    model: str
    language_probability: float | None = None
