"""The streams of g_living keep what a sketch promises, and its moments can be heard or seen."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from tests.sketches.g_living import plan, stream
from tests.sketches.sketch import RATE_HZ, Sketch, Sound

SHORT_S = 200.0
SEEDS = range(40, 45)


@pytest.fixture(scope="module")
def streams() -> list[Sketch]:
    return [stream.make(seed, SHORT_S) for seed in SEEDS]


def _levels(sound: Sound) -> npt.NDArray[np.float64]:
    """Level in dB of each tenth of a second."""
    tenth = RATE_HZ // 10
    power = np.mean(sound.reshape(-1, tenth).astype(np.float64) ** 2, axis=1)
    return np.asarray(10 * np.log10(power + 1e-10))


def test_spans_lie_inside_and_apart() -> None:
    """By the plan alone, for many streams of full length."""
    for seed in range(300):
        who = plan.draw_persona(np.random.default_rng([seed, 0]))
        beats = plan.plan(np.random.default_rng([seed, 1]), who, 600.0)
        moments = sum(b.moment for b in beats)
        assert 3 <= moments <= 10 and len(beats) >= 2 * moments
        assert all(0.0 <= b.start_s < b.peak_s < b.react_s < b.end_s < 600.0 for b in beats)
        assert all(b.start_s - a.end_s >= 8.0 for a, b in itertools.pairwise(beats))
        assert all(b.signs for b in beats if b.moment)


def test_moments_are_as_long_as_clips(streams: list[Sketch]) -> None:
    for made in streams:
        assert 1 <= len(made.moments) <= len(made.decoys)
        assert all(6.0 <= m.end_s - m.start_s <= 40.0 for m in made.moments)
        spans = sorted([*made.moments, *made.decoys], key=lambda s: s.start_s)
        assert spans[0].start_s >= 0.0 and spans[-1].end_s <= SHORT_S
        assert all(b.start_s - a.end_s >= 8.0 for a, b in itertools.pairwise(spans))


def test_few_streams_have_no_chat() -> None:
    mute = [stream.persona(seed).chat_rate == 0.0 for seed in range(400)]
    assert 0.04 < np.mean(mute) < 0.18


def test_moments_can_be_heard(streams: list[Sketch]) -> None:
    """The loud parts of voice or game rise over those of ordinary time in most moments."""
    clear, count = 0, 0
    for made in streams:
        mic, desk = _levels(made.mic), _levels(made.desktop)
        at = np.arange(len(mic)) / 10
        busy = [(at > s.start_s - 2) & (at < s.end_s + 3) for s in (*made.moments, *made.decoys)]
        rest = ~np.any(busy, axis=0)
        for span in made.moments:
            here = (at >= span.start_s) & (at < span.end_s)
            lifts = [np.percentile(x[here], 92) - np.percentile(x[rest], 92) for x in (mic, desk)]
            clear += max(lifts) > 1.5
            count += 1
    assert clear / count >= 0.6
