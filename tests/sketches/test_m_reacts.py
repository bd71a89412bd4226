"""What is special to the streams of talk and reaction."""

import functools

import numpy as np
import pytest

from tests.sketches.m_reacts.people import Cue, Line, Rng, Script
from tests.sketches.m_reacts.recipes import recipes
from tests.sketches.m_reacts.stream import make
from tests.sketches.m_reacts.truth import find_span
from tests.sketches.m_reacts.voice import Voice, count
from tests.sketches.sketch import Sketch, Span

SEEDS = range(10)


@functools.cache
def short(seed: int) -> Sketch:
    """Some minutes of one streamer."""
    return make(seed, 100.0)


def test_a_shout_is_brighter_than_talk() -> None:
    rng: Rng = np.random.default_rng([5, 0])
    voice = Voice(rng, 120.0, 1.0)
    text = "no way they are actually doing it"
    bright = [np.abs(np.fft.rfft(voice.speak(text, 1.8, e)))[3600:7200].sum() for e in (0.0, 1.0)]
    assert bright[1] > 1.3 * bright[0]
    assert count(text) == 9


def test_many_kinds_of_decoys_occur() -> None:
    kinds = {d.kind for seed in SEEDS for d in short(seed).decoys}
    assert len(kinds) >= 9
    assert len(recipes("decoys")) == len({r.kind for r in recipes("decoys")})


def test_chats_are_of_all_sizes() -> None:
    sizes = [len(short(seed).chat) for seed in SEEDS]
    assert min(sizes) < 20 < 100 < max(sizes)
    assert any(not make(seed, 20.0).chat for seed in range(10))


def test_chat_runs_after_moments() -> None:
    shares = []
    for sketch in (short(seed) for seed in SEEDS):
        for m in sketch.moments:
            got = sum(m.start_s + 5 < at < m.end_s + 8 for at, _ in sketch.chat)
            if len(sketch.chat) > 50:
                shares.append(got / len(sketch.chat) * 100 / (m.end_s - m.start_s + 3))
    assert np.mean(shares) > 1.2


def test_a_moment_begins_with_its_first_sign_and_ends_with_its_last() -> None:
    script, since = Script(), (0, 0, 0, 0)
    script.lines = [
        *(Line(75.0, 83.0, "so", 0.05), Line(88.0, 90.0, "and", 0.1), Line(90.5, 97.0, "what", 0.9)),
        Line(98.0, 104.0, "anyway", 0.1),
    ]
    script.mic = [Cue(90.0, 1.2, "slam", 1.0)]
    assert find_span(script, since, "rage", 90.0, 600.0) == Span(start_s=90.0, end_s=97.0, kind="rage")
    # A rising voice belongs to it, unless a lull comes between.
    for at, start_s in ((85.0, 90.0), (87.5, 87.5)):
        script.lines[1] = Line(at, at + 1.5, "and", 0.5)
        assert find_span(script, since, "rage", 90.0, 600.0).start_s == start_s


@pytest.mark.parametrize("seed", [0, 2])
def test_moments_are_louder_than_the_rest_on_the_whole(seed: int) -> None:
    sketch = make(seed, 120.0)
    peak = [np.abs(sketch.mic[int(m.start_s * 16000) : int(m.end_s * 16000)]).max() for m in sketch.moments]
    assert max(peak) > 3 * float(np.sqrt(np.mean(sketch.mic**2)))
