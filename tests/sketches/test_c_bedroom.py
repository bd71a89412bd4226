"""The bedroom generator keeps what it promises."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.sketches.c_bedroom import DECOYS, KINDS, make
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sketch

SEEDS = (1, 2, 3, 4)


@pytest.fixture(scope="module", params=SEEDS)
def sketch(request: pytest.FixtureRequest) -> Sketch:
    return make(request.param)


def test_one_seed_gives_one_stream() -> None:
    one, again, other = make(7, 90.0), make(7, 90.0), make(8, 90.0)
    assert np.array_equal(one.mic, again.mic) and np.array_equal(one.desktop, again.desktop)
    assert (one.segs, one.chat, one.moments, one.decoys) == (
        again.segs,
        again.chat,
        again.moments,
        again.decoys,
    )
    # The second call of `frames` starts afresh, too.
    for _ in range(2):
        assert all(np.array_equal(a, b) for a, b in zip(one.frames(), again.frames(), strict=True))
    assert not np.array_equal(one.mic, other.mic)


def test_moments_are_inside_and_apart(sketch: Sketch) -> None:
    assert 3 <= len(sketch.moments) <= 10
    assert sketch.moments[0].start_s >= 0 and sketch.moments[-1].end_s <= sketch.duration_s
    assert all(6 <= span.end_s - span.start_s <= 40 and span.kind in KINDS for span in sketch.moments)
    assert all(b.start_s - a.end_s >= 8 for a, b in itertools.pairwise(sketch.moments))


def test_decoys_are_clear_of_moments(sketch: Sketch) -> None:
    assert sketch.decoys and all(span.kind in DECOYS for span in sketch.decoys)
    for decoy, moment in itertools.product(sketch.decoys, sketch.moments):
        assert decoy.end_s < moment.start_s or moment.end_s < decoy.start_s


def test_sound_is_within_full_scale(sketch: Sketch) -> None:
    for track in (sketch.mic, sketch.desktop):
        assert track.dtype == np.float32 and track.shape == (round(RATE_HZ * sketch.duration_s),)
        assert np.isfinite(track).all() and np.abs(track).max() <= 1
        assert track.std() > 1e-4


def test_words_and_chat_are_in_order(sketch: Sketch) -> None:
    assert sketch.segs
    assert all(0 <= begin < end <= sketch.duration_s and text for begin, end, text in sketch.segs)
    assert all(1 <= end - begin <= 6.5 for begin, end, _ in sketch.segs)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(sketch.segs))
    assert list(sketch.chat) == sorted(sketch.chat)
    assert all(0 <= at <= sketch.duration_s and "{" not in text for at, text in sketch.chat)


def test_pictures_move() -> None:
    frames = list(make(3, 60.0).frames())
    assert len(frames) == 60 * FRAMES_PER_S
    assert all(frame.shape == (HEIGHT, WIDTH) and frame.dtype == np.uint8 for frame in frames)
    assert any(np.abs(a.astype(int) - b).mean() > 1 for a, b in itertools.pairwise(frames))


def test_a_fifth_has_no_chat() -> None:
    quiet = [seed for seed in range(30) if not make(seed, 30.0).chat]
    assert 1 <= len(quiet) <= 14
