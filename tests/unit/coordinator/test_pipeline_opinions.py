"""What an opinion does to a moment: bounds, evidence, and nothing else."""

from __future__ import annotations

import dataclasses

import hypothesis
import hypothesis.strategies as st
import pytest

from coordinator.model.highlight import Evidence
from coordinator.model.llm import Judgement, Opinion, Unjudged, unjudged_words
from coordinator.model.sessions import MomentRow, SessionOwner, SpokenWord, TranscriptRow
from coordinator.pipeline.opinions import MAX_INFLUENCE, opinion_of, weighed, window_of_moments
from protos.timebase import SECOND_NS


def moment(*, score: float = 0.5, start_s: int = 10) -> MomentRow:
    return MomentRow(
        moment_id="m",
        session_id="s",
        start_ns=start_s * SECOND_NS,
        end_ns=(start_s + 10) * SECOND_NS,
        peak_ns=(start_s + 5) * SECOND_NS,
        score=score,
        kind="loud",
        title="What was said",
        evidence=(Evidence(lane="mic", weight=1.0, note="loud"),),
    )


def transcript(text: str, *, start_s: int, language: str = "en") -> TranscriptRow:
    words = tuple(
        SpokenWord(text=word, start_ns=start_s * SECOND_NS, end_ns=(start_s + 1) * SECOND_NS)
        for word in text.split()
    )
    return TranscriptRow(
        session_id="s", lane=1, seq=0, start_ns=0, end_ns=0, language=language, engine="e", model="m", words=words
    )  # fmt: skip


@hypothesis.given(score=st.floats(min_value=0, max_value=1), adjustment=st.floats(min_value=-1, max_value=1))
def test_an_opinion_moves_a_score_within_bounds_and_its_evidence_gives_the_score_without_it(
    score: float, adjustment: float
):
    before = moment(score=score)
    after = weighed(before, Opinion(adjustment=adjustment, title="", model="p/m"))

    said = after.evidence[-1]
    assert 0 <= after.score <= 1
    assert abs(after.score - score) <= MAX_INFLUENCE + 1e-9
    assert said.lane == "llm"
    assert after.score - said.weight == pytest.approx(score, abs=1e-5)
    same = {"score": before.score, "evidence": before.evidence, "opinion": None}
    assert dataclasses.replace(after, **same) == before


def test_a_title_of_the_model_is_taken_and_without_one_that_of_the_words_stays():
    named = weighed(moment(), Opinion(adjustment=0.0, title="A save", model="p/m"))
    unnamed = weighed(moment(), Opinion(adjustment=0.0, title="", model="p/m"))

    assert (named.title, unnamed.title) == ("A save", "What was said")
    assert named.evidence[-1].note == "p/m rated it +0.00: the score stayed at 0.50; the title is its own"


def test_without_an_opinion_a_moment_is_as_it_was_found():
    assert weighed(moment(), None) == moment()


def test_a_judgement_speaks_of_its_own_candidates_and_no_further_than_it_may():
    judgement = Judgement(adjustments={0: 7.0}, titles={0: "A save"}, model="p/m")

    assert opinion_of(judgement, 0) == Opinion(adjustment=1.0, title="A save", model="p/m")
    assert opinion_of(judgement, 1) is None
    assert opinion_of(None, 0) is None


def test_a_window_tells_of_each_moment_the_words_in_it_and_of_nothing_else():
    moments = [moment(start_s=30), moment(start_s=10)]
    heard = [
        transcript("before it", start_s=9),
        transcript("in the second", start_s=12),
        transcript("im ersten", start_s=39, language="de"),
        transcript("after it", start_s=40),
    ]

    window = window_of_moments("ai:s:6", SessionOwner(user_id="u", tier="pro"), moments, heard)

    assert [one.said for one in window.candidates] == ["im ersten", "in the second"]
    assert [(one.index, one.start_s, one.end_s) for one in window.candidates] == [(0, 30, 40), (1, 10, 20)]
    assert (window.language, window.tier, window.user_id) == ("en", "pro", "u")


@pytest.mark.parametrize("reason", list(Unjudged))
def test_each_reason_has_words(reason: Unjudged):
    assert unjudged_words(reason.value) != reason.value


def test_a_reason_of_another_version_is_shown_as_it_is():
    assert unjudged_words("moon_phase") == "moon_phase"
