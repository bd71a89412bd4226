"""What is special to the streams of friends in a voice call."""

from __future__ import annotations

import itertools

import numpy as np

from tests.sketches.k_voices.plan import draw_plan
from tests.sketches.k_voices.script import draw_cast, script
from tests.sketches.k_voices.stream import make
from tests.sketches.k_voices.voice import Line, draw_voice, utter

_SEEDS = range(24)


def test_a_shout_is_louder_and_brighter_than_talk() -> None:
    voice = draw_voice(np.random.default_rng([5, 0]))
    talk, shout = (
        utter(voice, Line(0, 0.0, 1.5, "say", "no no no way", effort), np.random.default_rng([5, 1]))
        for effort in (0.4, 1.0)
    )
    assert shout.std() > 1.5 * talk.std()
    power = [np.abs(np.fft.rfft(x)) ** 2 for x in (talk, shout)]
    assert (power[1][1500:].sum() / power[1].sum()) > (power[0][1500:].sum() / power[0].sum())


def test_friends_talk_over_one_another_but_nobody_over_himself() -> None:
    lines = draw_plan(draw_cast(3), 3, 300.0).lines
    assert any(b.at_s < a.at_s + a.length_s - 0.2 for a, b in itertools.pairwise(lines))
    for who in range(7):
        own = [line for line in lines if line.who == who]
        assert all(b.at_s >= a.at_s + a.length_s - 0.1 for a, b in itertools.pairwise(own))


def test_each_kind_occurs_over_some_seeds() -> None:
    plans = [draw_plan(draw_cast(seed), seed, 600.0) for seed in _SEEDS]
    assert {m.kind for p in plans for m in p.moments} == {scene.kind for scene in script().moments}
    assert {d.kind for p in plans for d in p.decoys} == {scene.kind for scene in script().decoys}


def test_some_streamers_have_no_chat_and_some_a_crowd() -> None:
    rates = [draw_cast(seed).chat_per_s for seed in _SEEDS]
    assert min(rates) == 0
    assert max(rates) > 2


def test_chat_answers_some_seconds_after_it_is_called_for() -> None:
    seed = max(_SEEDS, key=lambda s: draw_cast(s).chat_per_s)
    waves = [cue for cue in draw_plan(draw_cast(seed), seed, 240.0).cues["chat"] if cue.strength > 0.6]
    times = np.array([at for at, _ in make(seed, 240.0).chat])
    before, after = (
        np.mean([((times > w.at_s + lag) & (times < w.at_s + lag + 4)).sum() for w in waves])
        for lag in (-4, 5)
    )
    assert after > 1.3 * before
