"""The streams of f_arena have moments that can be noticed."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pytest

from tests.sketches.f_arena.stage import Stream
from tests.sketches.f_arena.stream import make
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sketch

SEEDS = (0, 3)
DURATION_S = 600.0
_sketch = functools.cache(make)


def test_a_stream_too_short_says_so() -> None:
    with pytest.raises(ValueError, match="too short"):
        make(0, 12.0)


def test_few_streams_have_no_chat() -> None:
    streams = [Stream(np.random.default_rng([seed, 0xF]), 1.0) for seed in range(20)]

    silent = [seed for seed, stream in enumerate(streams) if not stream.chatty]

    assert 1 <= len(silent) <= 5
    assert make(silent[0], 60.0).chat == ()


def test_most_moments_are_seen_or_heard_and_ordinary_time_is_not() -> None:
    noticed, ordinary = [], []
    for sketch in map(_sketch, SEEDS):
        signals, free = _signals(sketch), np.ones(600, bool)
        for span in (*sketch.moments, *sketch.decoys):
            free[max(0, int(span.start_s) - 3) : int(span.end_s) + 12] = False
        assert free.sum() > 30
        limits = [1.1 * (np.quantile(signal[free], 0.97) + 1e-9) for signal in signals]
        for start in [int(span.start_s) for span in sketch.moments]:
            noticed.append(_num_over(signals, limits, slice(start, start + 18)))
        for start in np.flatnonzero(np.convolve(free, np.ones(10))[9:] == 10)[::5]:
            ordinary.append(_num_over(signals, limits, slice(start, start + 10)))

    assert len(noticed) >= 6 and np.mean(np.array(noticed) >= 2) > 0.7
    assert np.mean(np.array(ordinary) >= 2) < 0.3


def _signals(sketch: Sketch) -> list[npt.NDArray[np.floating]]:
    """Loudness of both tracks, change of the picture and messages, a value for each of 600 seconds."""
    loud = [np.square(sound).reshape(600, RATE_HZ).mean(axis=1) for sound in (sketch.mic, sketch.desktop)]
    thin = np.array([picture[::3, ::3] for picture in sketch.frames()], dtype=np.int16)
    change = np.abs(np.diff(thin, axis=0, prepend=thin[:1])).mean(axis=(1, 2))
    chat = np.histogram([at_s for at_s, _ in sketch.chat], bins=600, range=(0, 600))[0]
    soon = np.convolve(chat, np.ones(5))[4:]  # the messages of the next five seconds
    return [*loud, change.reshape(600, FRAMES_PER_S).mean(axis=1), soon]


def _num_over(signals: list[npt.NDArray[np.floating]], limits: list[float], part: slice) -> int:
    """How many signals go over their limits in a stretch."""
    return sum(bool(signal[part].max() > limit) for signal, limit in zip(signals, limits, strict=True))
