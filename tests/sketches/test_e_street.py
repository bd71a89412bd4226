"""The streams of e_street: the same again, in shape, and with moments that a plain measure finds."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from tests.sketches.e_street import _plan, make
from tests.sketches.e_street_parts import Floats
from tests.sketches.e_street_stage import Stage
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sketch

SEEDS = (1, 2, 5)
DURATION_S = 180.0
SHORT_S = 50.0


@functools.cache
def _sketch(seed: int) -> Sketch:
    return make(seed, DURATION_S)


def test_a_seed_gives_the_same_stream_again_and_another_seed_another() -> None:
    first, again, other = make(3, SHORT_S), make(3, SHORT_S), make(4, SHORT_S)

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


@pytest.mark.parametrize("duration_s", [20.0, 31.5])
def test_sound_and_pictures_have_the_promised_form(duration_s: float) -> None:
    sketch = make(7, duration_s)

    for sound in (sketch.mic, sketch.desktop):
        assert sound.shape == (round(RATE_HZ * duration_s),) and sound.dtype == np.float32
        assert np.isfinite(sound).all() and np.abs(sound).max() <= 1
    assert np.sqrt(np.mean(sketch.mic**2)) > 0.003
    frames = list(sketch.frames())
    assert len(frames) == round(FRAMES_PER_S * duration_s)
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((HEIGHT, WIDTH), "uint8")}


@pytest.mark.parametrize("seed", SEEDS)
def test_spans_lie_inside_and_apart(seed: int) -> None:
    sketch = _sketch(seed)

    spans = sorted((*sketch.moments, *sketch.decoys), key=lambda span: span.start_s)

    assert 1 <= len(sketch.moments) <= len(sketch.decoys)
    assert spans[0].start_s >= 0 and spans[-1].end_s <= sketch.duration_s
    assert all(6 <= span.end_s - span.start_s <= 40 for span in spans)
    assert all(b.start_s - a.end_s >= 8 for a, b in itertools.pairwise(spans))


def test_ten_minutes_hold_three_to_ten_moments_and_as_many_decoys() -> None:
    for seed in range(40):
        parts, left_s = _plan(np.random.default_rng(seed), "irl", 600.0)
        num_moments = sum(part.is_moment for part in parts)

        assert 3 <= num_moments <= 10 and 2 * num_moments <= len(parts)
        assert all(6 <= round(part.span_s, 9) <= 40 for part in parts)
        assert sum(part.room_s for part in parts) + left_s <= 600


@pytest.mark.parametrize("seed", SEEDS)
def test_words_and_chat_come_in_order(seed: int) -> None:
    sketch = _sketch(seed)

    assert len(sketch.segs) > 10
    assert all(0 <= start_s < end_s <= DURATION_S and text for start_s, end_s, text in sketch.segs)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(sketch.segs))
    times_s = [at_s for at_s, _ in sketch.chat]
    assert times_s == sorted(times_s) and all(0 <= at_s < DURATION_S for at_s in times_s)
    texts = [*(text for _, _, text in sketch.segs), *(text for _, text in sketch.chat)]
    assert not any("{" in text for text in texts)


def test_a_small_share_has_no_chat() -> None:
    rates_hz = [Stage(np.random.default_rng([seed, 5305]), 1.0).chat_hz for seed in range(120)]

    assert 0.04 < np.mean(np.equal(rates_hz, 0)) < 0.18
    assert make(rates_hz.index(0), 20.0).chat == ()
    assert all(len(_sketch(seed).chat) > 1 for seed in SEEDS if rates_hz[seed])


def test_most_moments_can_be_heard_or_seen() -> None:
    found = []
    for sketch in map(_sketch, SEEDS):
        frames = np.stack([frame[::3, ::3].astype(np.int16) for frame in sketch.frames()])
        motion = np.append(np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2)), 0)
        spans = (*sketch.moments, *sketch.decoys)
        starts_s = range(int(DURATION_S) - 6)
        free_s = [s for s in starts_s if all(span.end_s < s - 1 or s + 6 < span.start_s for span in spans)]
        usual = np.quantile([_plain(sketch, s, s + 6, motion) for s in free_s], 0.75, axis=0)
        found += [np.any(_plain(sketch, one.start_s, one.end_s, motion) > usual) for one in sketch.moments]

    assert np.mean(found) >= 0.8, found


def _plain(sketch: Sketch, start_s: float, end_s: float, motion: Floats) -> tuple[float, float]:
    """How loud the loudest tenth and how moved the most moved tenth of a stretch are."""
    mic = sketch.mic[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)]
    loud = np.sqrt(np.mean(mic[: len(mic) // 1600 * 1600].reshape(-1, 1600) ** 2, axis=1))
    seen = motion[int(start_s * FRAMES_PER_S) : int(end_s * FRAMES_PER_S)]
    return float(np.quantile(loud, 0.9)), float(np.quantile(seen, 0.9))
