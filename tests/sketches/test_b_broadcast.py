"""The broadcasts are the same for a seed, and what they say of themselves holds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.sketches.b_broadcast import make
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH

SEEDS = range(3)


def test_a_seed_gives_the_same_stream_again_and_another_seed_another():
    first, again, other = make(5, 90), make(5, 90), make(6, 90)

    assert np.array_equal(first.mic, again.mic) and np.array_equal(first.desktop, again.desktop)
    assert (first.segs, first.chat, first.moments, first.decoys) == (
        again.segs,
        again.chat,
        again.moments,
        again.decoys,
    )
    assert all(np.array_equal(*pair) for pair in zip(first.frames(), again.frames(), strict=True))
    assert not np.array_equal(first.mic, other.mic)


@pytest.mark.parametrize("seed", SEEDS)
def test_spans_lie_inside_and_apart(seed: int):
    sketch = make(seed)
    spans = sorted((*sketch.moments, *sketch.decoys), key=lambda span: span.start_s)

    assert 3 <= len(sketch.moments) <= 10 and sketch.decoys
    assert all(6 <= span.end_s - span.start_s <= 40 for span in sketch.moments)
    assert spans[0].start_s >= 0 and spans[-1].end_s <= sketch.duration_s
    assert all(after.start_s - before.end_s >= 8 for before, after in itertools.pairwise(spans))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_sample_is_over_one_and_none_is_missing(seed: int):
    sketch = make(seed, 60.5)

    for lane in (sketch.mic, sketch.desktop):
        assert lane.dtype == np.float32 and lane.shape == (round(60.5 * RATE_HZ),)
        assert np.isfinite(lane).all() and 0.05 < np.abs(lane).max() <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_chat_and_transcript_are_in_order(seed: int):
    sketch = make(seed)

    assert all(end_s <= start_s for (_, end_s, _), (start_s, _, _) in itertools.pairwise(sketch.segs))
    assert all(0.99 <= end_s - start_s <= 6.01 and text for start_s, end_s, text in sketch.segs)
    assert sketch.segs[-1][1] <= sketch.duration_s
    times_s = [at_s for at_s, _ in sketch.chat]
    assert times_s == sorted(times_s) and all(0 <= at_s <= sketch.duration_s for at_s in times_s)


def test_pictures_have_their_shape_and_number_and_move():
    pictures = np.stack(list(make(3, 30).frames()))

    assert pictures.dtype == np.uint8 and pictures.shape == (30 * FRAMES_PER_S, HEIGHT, WIDTH)
    assert np.abs(np.diff(pictures.astype(int), axis=0)).mean() > 1
