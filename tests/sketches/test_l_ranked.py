"""What is special to the maker of ranked matches."""

from __future__ import annotations

import itertools

import numpy as np

from tests.sketches.l_ranked.plan import draw_plan
from tests.sketches.l_ranked.script import SIGNS, Cue, Writer, scripts
from tests.sketches.l_ranked.stream import make
from tests.sketches.l_ranked.truth import Event, Laid, find_spans
from tests.sketches.l_ranked.voice import STYLES, Throat
from tests.sketches.l_ranked.who import Who
from tests.sketches.sketch import Span


def test_every_script_occurs_and_spans_lie_apart() -> None:
    seen = set()
    for seed in range(40):
        plan = draw_plan(np.random.default_rng([seed, 1]), Who(np.random.default_rng([seed, 0])), 600.0)
        spans = sorted((event.room for event in plan.events), key=lambda span: span.start_s)
        assert all(b.start_s - a.end_s >= 8 for a, b in itertools.pairwise(spans))
        num_moments = sum(event.is_moment for event in plan.events)
        assert 3 <= num_moments <= 10
        assert len(plan.events) - num_moments >= max(num_moments, 6)
        seen |= {span.kind for span in spans}
    assert seen == {s.name if s.kind == "decoy" else s.kind for s in scripts()}


def test_a_moment_begins_with_its_first_sign_and_ends_with_its_last() -> None:
    who = Who(np.random.default_rng(1))
    room = Span(start_s=80, end_s=110, kind="rage")
    calm, shot = Cue(82.0, "say", "talk", "comms"), Cue(88.0, "game", "own", length=0.5)
    fall, shout, after = Cue(90.0, "game", "fall"), Cue(91.0, "say", "shout"), Cue(104.0, "say", "talk")
    laid = [
        *(Laid(calm, 82.0, 84.0, "talk"), Laid(shot, 88.0, 88.5), Laid(fall, 90.0, 90.5)),
        *(Laid(shout, 91.0, 98.0, "shout"), Laid(after, 104.0, 106.0, "talk")),
    ]
    event = Event(room, True, 90.0, [x.cue for x in laid])
    assert find_spans((event,), who, laid, 600.0)[0][0] == Span(start_s=90.0, end_s=98.0, kind="rage")
    # A rising voice belongs to it, unless a lull comes between.
    for at, start_s in ((87.5, 87.5), (84.0, 90.0)):
        rise = Laid(Cue(at, "say", "excited"), at, at + 1.0, "excited")
        event = Event(room, True, 90.0, [*(x.cue for x in laid), rise.cue])
        assert find_spans((event,), who, [*laid, rise], 600.0)[0][0].start_s == start_s


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
