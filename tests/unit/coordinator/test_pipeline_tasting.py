"""What a taste does to a moment: its score within bounds, its ends by some seconds, and it says so."""

from __future__ import annotations

import dataclasses

import hypothesis
import hypothesis.strategies as st
import pytest

from coordinator.model.highlight import MAX_MOMENT_S, MIN_MOMENT_S, Evidence
from coordinator.model.llm import Opinion
from coordinator.model.sessions import MomentRow
from coordinator.pipeline.opinions import weighed
from coordinator.pipeline.tasting import rolled, subject_of, to_taste
from protos.taste_model import MAX_INFLUENCE, NO_TASTE, Taste, Weight
from protos.timebase import SECOND_NS

FUNNY = Taste(
    counts={"keep": 8, "skip": 8},
    num_learnt=16,
    num_kept=8,
    trust=1.0,
    weights=(Weight(name="kind:funny", weight=3.0, usual=0.0, num=8, num_kept=8),),
    before_s=3.0,
    after_s=-1.0,
)


def moment(
    *, score: float = 0.5, start_s: float = 20, end_s: float = 40, peak_s: float = 30, kind: str = "funny"
) -> MomentRow:
    return MomentRow(
        moment_id="m",
        session_id="s",
        start_ns=round(start_s * SECOND_NS),
        end_ns=round(end_s * SECOND_NS),
        peak_ns=round(peak_s * SECOND_NS),
        score=score,
        kind=kind,
        title="What was said",
        evidence=(Evidence(lane="chat", weight=1.0, note="laughter"),),
    )


@hypothesis.given(score=st.floats(min_value=0, max_value=1))
def test_a_score_moves_within_bounds_and_its_evidence_gives_the_score_without_it(score: float):
    before = moment(score=score)
    after = to_taste(before, FUNNY)

    moved = sum(item.weight for item in after.evidence if item.lane == "taste")
    assert 0 <= after.score <= 1
    assert abs(after.score - score) <= MAX_INFLUENCE
    assert after.score - moved == pytest.approx(score, abs=2e-6)


def test_it_comes_after_a_models_opinion_and_is_about_what_was_found():
    opinion = Opinion(adjustment=1.0, title="", model="p/m")
    judged = weighed(moment(), opinion)
    both = to_taste(judged, FUNNY)

    assert [item.lane for item in both.evidence] == ["chat", "llm", "taste"]
    assert both.evidence[-1].note == "you kept 8 of 8 funny moments: the score rose by 0.14, from 0.65"
    assert subject_of(both).score == pytest.approx(judged.score, abs=2e-6)
    assert subject_of(both).lanes == (("chat", 1.0),)


def test_without_a_taste_a_moment_stays_the_same():
    assert to_taste(moment(), NO_TASTE) == moment() == rolled(moment(), NO_TASTE)
    assert to_taste(moment(kind="score"), FUNNY) == moment(kind="score")


def test_a_new_moments_ends_move_as_others_were_and_what_it_was_stays_known():
    after = rolled(moment(), FUNNY)

    assert (after.start_ns, after.end_ns) == (17 * SECOND_NS, 39 * SECOND_NS)
    assert (subject_of(after).start_ns, subject_of(after).end_ns) == (20 * SECOND_NS, 40 * SECOND_NS)


@hypothesis.given(
    start_s=st.integers(0, 50),
    length_s=st.integers(8, 60),
    peak=st.floats(0, 1),
    before_s=st.floats(-2, 5),
    after_s=st.floats(-2, 5),
)
def test_a_rolled_moment_holds_its_peak_and_stays_as_long_as_moments_may_be(
    start_s: int, length_s: int, peak: float, before_s: float, after_s: float
):
    before = moment(
        start_s=start_s, end_s=start_s + length_s, peak_s=start_s + min(peak * length_s, length_s - 0.01)
    )

    after = rolled(before, dataclasses.replace(FUNNY, before_s=before_s, after_s=after_s))

    assert 0 <= after.start_ns <= after.peak_ns < after.end_ns
    assert MIN_MOMENT_S <= (after.end_ns - after.start_ns) / SECOND_NS <= MAX_MOMENT_S
    assert subject_of(after).start_ns == before.start_ns
    assert subject_of(after).end_ns == before.end_ns
