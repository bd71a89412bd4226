"""The streams of f_arena are what the sketches' contract says, and their moments can be noticed."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import numpy.typing as npt
import pytest

from tests.sketches.f_arena import make
from tests.sketches.f_arena_stream import Stream
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sketch

SEEDS = (0, 3)
DURATION_S = 600.0
_sketch = functools.cache(make)


def test_a_seed_gives_the_same_stream_again_and_another_seed_another() -> None:
    first, again, other = make(3, 60.0), make(3, 60.0), make(4, 60.0)

    assert np.array_equal(first.mic, again.mic) and np.array_equal(first.desktop, again.desktop)
    assert (first.segs, first.chat, first.moments, first.decoys) == (
        again.segs,
        again.chat,
        again.moments,
        again.decoys,
    )
    # The second call of `frames` starts afresh, too.
    for frames in (again.frames(), first.frames()):
        assert all(np.array_equal(a, b) for a, b in zip(first.frames(), frames, strict=True))
    assert not np.array_equal(first.mic, other.mic)


@pytest.mark.parametrize("seed", SEEDS)
def test_spans_lie_inside_and_apart(seed: int) -> None:
    sketch = _sketch(seed)

    spans = sorted((*sketch.moments, *sketch.decoys), key=lambda span: span.start_s)

    assert 3 <= len(sketch.moments) <= 10 and len(sketch.decoys) >= len(sketch.moments)
    assert all(6 <= span.end_s - span.start_s <= 40 for span in sketch.moments)
    assert spans[0].start_s >= 0 and spans[-1].end_s <= DURATION_S
    assert all(later.start_s - sooner.end_s >= 8 for sooner, later in itertools.pairwise(spans))


@pytest.mark.parametrize("seed", SEEDS)
def test_sound_has_the_promised_form(seed: int) -> None:
    sketch = _sketch(seed)

    for sound in (sketch.mic, sketch.desktop):
        assert sound.shape == (round(RATE_HZ * DURATION_S),) and sound.dtype == np.float32
        assert np.isfinite(sound).all() and 0.02 < np.abs(sound).max() <= 1


def test_pictures_have_the_promised_form() -> None:
    frames = list(make(3, 60.5).frames())

    assert len(frames) == 605
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((HEIGHT, WIDTH), "uint8")}


@pytest.mark.parametrize("seed", SEEDS)
def test_words_and_chat_come_in_order(seed: int) -> None:
    sketch = _sketch(seed)

    assert sketch.segs
    for times_s in ([start_s for start_s, _, _ in sketch.segs], [at_s for at_s, _ in sketch.chat]):
        assert times_s == sorted(times_s)
    assert all(0 <= start_s < end_s <= DURATION_S and text for start_s, end_s, text in sketch.segs)
    assert all(0 <= at_s < DURATION_S and text and "{" not in text for at_s, text in sketch.chat)


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
