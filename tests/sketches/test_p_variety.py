"""What is special to the evenings of a variety streamer."""

from __future__ import annotations

import itertools

import numpy as np

from tests.sketches.guide import LEAST_S, MOST_S, ORDINARY_S
from tests.sketches.p_variety.plan import make_plan
from tests.sketches.p_variety.script import draw_streamer
from tests.sketches.p_variety.stream import make
from tests.sketches.p_variety.words import GAMES


def test_five_seeds_have_five_games_and_each_evening_several_kinds() -> None:
    """Five seeds on end play all the games; each has four to nine moments, of three kinds at least."""
    assert {draw_streamer(seed).game for seed in range(5)} == set(GAMES)
    for seed in range(25):
        plan = make_plan(draw_streamer(seed), 600.0, seed)
        moments, decoys = plan.spans(True), plan.spans(False)
        assert 4 <= len(moments) <= 9 and len(decoys) >= len(moments)
        assert len({m.kind for m in moments}) >= 3 and len({d.kind for d in decoys}) >= 3
        ends = sorted((s.start_s, s.end_s) for s in (*moments, *decoys))
        assert all(b[0] - a[1] >= 8.0 for a, b in itertools.pairwise(ends))
        assert ends[0][0] >= 0 and ends[-1][1] <= 600


def test_a_span_covers_what_tells_and_leaves_out_calm_talk() -> None:
    """A moment starts and ends with telling signs of two sorts, and no calm line lies in its last seconds."""
    for seed in range(25):
        for scene in make_plan(draw_streamer(seed), 600.0, seed).scenes:
            start_s, end_s = scene.span()
            assert LEAST_S - 1e-6 <= end_s - start_s <= MOST_S
            if not scene.moment:
                continue
            assert len(scene.ways()) >= 2
            told = sorted((s.at_s, s.end_s) for s in scene.signs if s.tells)
            inside = [(a, b) for a, b in told if a >= start_s - 1e-6]
            assert inside[0][0] == start_s
            assert end_s == max(start_s + LEAST_S, *(b for _, b in inside))
            cut_off = [b for a, b in told if a < start_s - 1e-6]
            assert all(start_s - b > ORDINARY_S for b in cut_off)


def test_a_short_stream_is_the_same_again_and_has_sound_picture_and_words() -> None:
    """A minute twice from one seed: the same bits, and within the limits of a sketch."""
    for seed in (2, 7):
        one, two = make(seed, 60.0), make(seed, 60.0)
        assert np.array_equal(one.mic, two.mic) and np.array_equal(one.desktop, two.desktop)
        assert (one.segs, one.chat, one.moments, one.decoys) == (two.segs, two.chat, two.moments, two.decoys)
        frames = np.stack(list(one.frames()))
        assert frames.shape == (600, 90, 160) and np.array_equal(frames, np.stack(list(two.frames())))
        assert one.mic.shape == (960_000,) and one.mic.dtype == np.float32 and np.abs(one.mic).max() <= 1.0
        assert one.mic.std() > 0.003 and one.desktop.max() >= 0.02 and one.moments
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(one.segs))
