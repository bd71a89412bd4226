"""What is special to the streams of friends in a voice call."""

from __future__ import annotations

import itertools

import numpy as np

from tests.sketches.k_voices.plan import draw_plan
from tests.sketches.k_voices.script import draw_cast, script
from tests.sketches.k_voices.stream import make
from tests.sketches.k_voices.truth import Sign, look_seen, sound_seen, span_of
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


def test_moments_of_all_seeds_have_their_length_and_lie_apart() -> None:
    for seed in _SEEDS:
        plan = draw_plan(draw_cast(seed), seed, 600.0)
        spans = sorted([*plan.moments, *plan.decoys], key=lambda span: span.start_s)
        assert all(5.999 <= m.end_s - m.start_s <= 40.001 and m.end_s <= 600 for m in plan.moments)
        assert all(b.start_s - a.end_s >= 7.999 for a, b in itertools.pairwise(spans))
        assert spans[0].start_s >= 0 and all(s.end_s - s.start_s >= 1.999 for s in spans)


def test_a_moment_begins_with_what_stands_out_and_ends_with_the_last_of_it() -> None:
    signs = [Sign(80.0, 82.0, 2), Sign(95.0, 98.0, 2), Sign(99.8, 101.0, 2), Sign(104.0, 109.0, 2)]
    whole = span_of("hype", 100.0, [*signs, Sign(97.0, 99.9, 0)], 600.0)
    assert (whole.start_s, whole.end_s) == (95.0, 109.0)
    calm = span_of("funny", 100.0, [Sign(99.9, 101.0, 0), Sign(103.0, 104.0, 1)], 600.0)
    assert (calm.start_s, calm.end_s) == (99.9, 105.9)
    late = span_of("fail", 597.0, [Sign(597.0, 598.0, 2)], 600.0)
    assert (late.start_s, late.end_s) == (594.0, 600.0)


def test_only_what_is_no_routine_of_the_game_stands_out() -> None:
    assert sound_seen(10.0, "boom", 0.6, "play") is None
    assert sound_seen(10.0, "boom", 0.9, "play") == (10.0, 10.7, 2)
    assert sound_seen(10.0, "stab", 0.35, "play") is not None
    assert look_seen(10.0, "dark", 0.4) == (10.0, 15.0, 2)
    assert look_seen(10.0, "kill", 0.3) is None


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
