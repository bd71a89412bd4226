"""What is special to the maker of ranked matches."""

from __future__ import annotations

import itertools

import numpy as np

from tests.sketches.l_ranked.plan import draw_plan
from tests.sketches.l_ranked.script import SIGNS, Writer, scripts
from tests.sketches.l_ranked.stream import make
from tests.sketches.l_ranked.voice import STYLES, Throat
from tests.sketches.l_ranked.who import Who


def test_every_script_occurs_and_spans_lie_apart() -> None:
    seen = set()
    for seed in range(40):
        plan = draw_plan(np.random.default_rng([seed, 1]), Who(np.random.default_rng([seed, 0])), 600.0)
        spans = sorted((*plan.moments, *plan.decoys), key=lambda span: span.start_s)
        assert all(b.start_s - a.end_s >= 8 for a, b in itertools.pairwise(spans))
        assert 3 <= len(plan.moments) <= 10
        assert len(plan.decoys) >= max(len(plan.moments), 6)
        seen |= {span.kind for span in spans}
    assert seen == {s.name if s.kind == "decoy" else s.kind for s in scripts()}


def test_a_shout_is_higher_and_brighter_than_talk() -> None:
    throat = Throat(np.random.default_rng(1), 110, 1.0, 0.05)
    centres = {}
    for style in ("talk", "shout", "scream"):
        spectrum = np.abs(np.fft.rfft(throat.speak("no way, we are only new", style, 5), 1 << 16)) ** 2
        centres[style] = np.average(np.arange(len(spectrum)), weights=spectrum)
    assert centres["talk"] < centres["shout"] < centres["scream"]
    assert STYLES["talk"].gain_db < STYLES["shout"].gain_db < STYLES["scream"].gain_db


def test_the_chat_answers_after_the_event() -> None:
    rng = np.random.default_rng(2)
    for script in scripts():
        writer = Writer(Who(rng), rng, (80.0, 90.0, 100.0), dict.fromkeys(SIGNS, 1.0))
        writer.run(script.name, np.zeros(2000, np.int8))
        if script.kind in ("score", "hype", "fail", "funny"):
            assert all(cue.at >= 90 for cue in writer.cues if cue.lane == "chat")


def test_some_have_no_chat() -> None:
    quiet = [Who(np.random.default_rng([seed, 0])).chat_rate == 0 for seed in range(200)]
    assert 10 < sum(quiet) < 50
    assert make(quiet.index(True), 20.0).chat == ()
