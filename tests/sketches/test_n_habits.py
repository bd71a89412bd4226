"""What is special to the maker n_habits: a population of streamers, each moving in its own way."""

from __future__ import annotations

import itertools

import numpy as np

from tests.sketches.n_habits.habits import draw, draw_streamer, make_plan, table
from tests.sketches.n_habits.voice import Throat
from tests.sketches.n_habits.words import Talker


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
