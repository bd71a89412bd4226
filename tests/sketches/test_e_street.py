"""The streams of e_street have moments that a plain measure finds, and as many decoys."""

from __future__ import annotations

import functools

import numpy as np

from tests.sketches.e_street.parts import Floats
from tests.sketches.e_street.stage import Stage
from tests.sketches.e_street.stream import _plan, make
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sketch

SEEDS = (1, 2, 5)
DURATION_S = 180.0


@functools.cache
def _sketch(seed: int) -> Sketch:
    return make(seed, DURATION_S)


def test_ten_minutes_hold_three_to_ten_moments_and_as_many_decoys() -> None:
    for seed in range(40):
        parts, left_s = _plan(np.random.default_rng(seed), "irl", 600.0)
        num_moments = sum(part.is_moment for part in parts)

        assert 3 <= num_moments <= 10 and 2 * num_moments <= len(parts)
        assert all(6 <= round(part.span_s, 9) <= 40 for part in parts)
        assert sum(part.room_s for part in parts) + left_s <= 600


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
