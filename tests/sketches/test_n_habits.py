"""What is special to the maker n_habits: a population of streamers, each moving in its own way."""

from __future__ import annotations

import itertools

import numpy as np

from tests.sketches.guide import LEAST_S, MOST_S
from tests.sketches.n_habits.habits import draw, draw_streamer, make_plan, table
from tests.sketches.n_habits.truth import SPARE_S, Laid, find_ends, find_signs
from tests.sketches.n_habits.voice import Throat
from tests.sketches.n_habits.words import Line, Talker


def test_every_kind_and_game_occurs() -> None:
    kinds, games, silent = set(), set(), 0
    for seed in range(40):
        who = draw_streamer(np.random.default_rng([seed, 1]))
        plan = make_plan(seed, who, 600.0)
        num = sum(deed.is_moment for deed in plan.deeds)
        assert 3 <= num <= 10 and len(plan.deeds) >= 2 * num
        kinds |= {deed.span.kind for deed in plan.deeds}
        games.add(who.game)
        silent += not who.chat_hz
    assert kinds == set(table("moment")) | set(table("decoy"))
    assert len(games) >= 12 and 1 <= silent <= 14


def test_a_scream_is_higher_and_a_shout_brighter_than_talk() -> None:
    rng = np.random.default_rng([1, 99])
    throat = Throat(draw(rng, "draw.voice"))

    def centre(mode: str, effort: float) -> float:
        parts = [
            np.abs(np.fft.rfft(throat.render(rng, mode, 1.0, effort, 5)[:15_000])) ** 2 for _ in range(12)
        ]
        power = np.mean(parts, axis=0)
        return float((power * np.arange(len(power))).sum() / power.sum())

    assert centre("scream", 1.0) > centre("talk", 0.0)
    assert centre("shout", 1.0) > centre("talk", 0.0) > centre("groan", 0.0)


def test_lines_never_overlap_and_moments_are_louder_with_the_lively() -> None:
    for seed in range(6):
        who = draw_streamer(np.random.default_rng([seed, 1]))
        plan = make_plan(seed, who, 600.0)
        lines = Talker(seed, who, plan).talk()
        assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(lines))
        for deed in (d for d in plan.deeds if d.is_moment and d.signs["voice"] > 0.8 and d.effort > 0.6):
            assert max(x.effort for x in lines if deed.begin_s < x.start_s < deed.over_s + 3) > 0.15


def test_a_moment_begins_with_its_first_sign_and_ends_before_it_is_calm() -> None:
    signs = [(98.0, 99.0), (99.8, 101.0), (105.0, 108.0), (116.0, 117.0)]
    assert find_ends(signs, 100.0, 120.0, 600.0) == (98.0, 108.0)
    # A build-up ends with a lull; what is short gains at its end; without any sign the event is what counts.
    assert find_ends([(92.0, 96.0), (99.8, 101.0)], 100.0, 110.0, 600.0) == (99.8, 99.8 + LEAST_S + SPARE_S)
    assert find_ends([], 100.0, 110.0, 600.0) == (100.0, 100.0 + LEAST_S + SPARE_S)
    # What the picture happens to repeat after all is over belongs to it only if it follows at once.
    assert find_ends([(100.0, 108.0), (112.0, 115.0)], 100.0, 109.0, 600.0) == (100.0, 108.0)
    # A long one keeps its last.
    assert np.allclose(find_ends([(60.0, 110.0)], 100.0, 110.0, 600.0), (110.0 - MOST_S + SPARE_S, 110.0))


def test_plain_talk_and_quiet_effects_are_no_signs() -> None:
    who = draw_streamer(np.random.default_rng([1, 1]))
    plan = make_plan(1, who, 600.0)
    deed = next(
        d for d in plan.deeds if d.is_moment and "song" not in d.way.sfx and d.way.traits["hush"] == 0
    )
    lines = [Line(1.0, 2.0, "talk", 0.1, "so", 1), Line(3.0, 4.0, "sigh", 0.1, "", 1)]
    loud = [Line(5.0, 6.0, "talk", 0.7, "so", 1), Line(7.0, 8.0, "laugh", 0.1, "", 1)]
    sounds = [Laid(who.sfx[0], 9.0, 9.5, 0.4), Laid(who.sfx[0], 10.0, 11.0, 1.2)]
    looks = [Laid("banner", 12.0, 14.0, 0.05), Laid("banner", 15.0, 17.0, 0.5)]
    found = find_signs(who, plan, deed, lines + loud, sounds, looks)
    assert found == [(5.0, 6.0), (7.0, 8.0), (10.0, 10.8), (15.0, 17.0)]
