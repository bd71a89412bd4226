"""Windows of speech that differ: two phrases of a synthetic voice each, at a level and in noise of their own."""

from __future__ import annotations

import numpy as np

from coordinator.model.speech import Pcm16k
from tests.fakes.toy_whisper import LANGUAGES, say

_PHRASES = (
    "clip that right now",
    "what a goal that was",
    "he scores from the corner",
    "we won the game",
    "triple kill",
    "let's go boys",
    "no way he survived",
    "push the left side",
)
_VOICES = ("en-us", "en-gb")


def spoken_windows(num: int, *, seed: int = 0) -> list[Pcm16k]:
    """As many windows, each of 1 to 4 s; every fifth of a language to be detected."""
    random = np.random.default_rng(seed)
    languages = (*LANGUAGES, None)
    windows = []
    for at in range(num):
        voice = _VOICES[int(random.integers(len(_VOICES)))]
        first, second = (say(_PHRASES[int(random.integers(len(_PHRASES)))], voice) for _ in range(2))
        samples = np.concatenate([first, second]) * random.uniform(0.3, 1.0)
        samples += random.standard_normal(samples.size) * random.uniform(0.0005, 0.01)
        windows.append(Pcm16k(samples=samples.astype(np.float32), language=languages[at % len(languages)]))
    return windows
