"""What a model answered, checked against what it was asked. Pure.

The form is checked here whatever a provider promises: it may be a stranger's server, and a model that obeys a stranger.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import msgspec

from coordinator.llm.ballots import settled
from coordinator.llm.cleaning import hashtags, title
from coordinator.llm.failures import BadAnswer
from coordinator.llm.question import Ballot, Question
from coordinator.model.llm import JudgedWindow, Judgement, Unjudged

# What a control may be moved by a model that rounds or drifts.
_CONTROL_ADJUSTMENT = 0.1


class _Candidate(msgspec.Struct, frozen=True):
    index: int
    adjustment: float
    title: str = ""


class _Window(msgspec.Struct, frozen=True):
    id: str
    candidates: list[_Candidate]
    hashtags: list[str] = []


class _Answer(msgspec.Struct, frozen=True):
    windows: list[_Window]


def read_answer(text: str, question: Question, *, model: str) -> Mapping[str, Judgement | Unjudged]:
    """The judgements by `window_id`; CONTRADICTED where a window's ballots say different things.

    Raises:
        BadAnswer: Not JSON, not the form, a window missing, twice or made up, an index that is not the window's, or a
            control that moved.
    """
    try:
        answer = msgspec.json.decode(_object_in(text), type=_Answer)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as exc:
        raise BadAnswer(f"not the JSON that was asked for: {exc}") from exc
    given = {window.id: window for window in answer.windows}
    wanted = set(question.ballots) | ({question.control} if question.control else set())
    if len(given) != len(answer.windows) or set(given) != wanted:
        raise BadAnswer(
            f"{len(answer.windows)} windows, {len(set(given) & wanted)} of the {len(wanted)} asked for"
        )
    if question.control:
        _check_control(given[question.control])
    windows: dict[str, JudgedWindow] = {}
    read: dict[str, list[Judgement]] = {}
    for name, ballot in question.ballots.items():
        windows[ballot.window.window_id] = ballot.window
        read.setdefault(ballot.window.window_id, []).append(_ballot(ballot, given[name], model=model))
    return {window_id: _settled(windows[window_id], ballots) for window_id, ballots in read.items()}


def _settled(window: JudgedWindow, ballots: Sequence[Judgement]) -> Judgement | Unjudged:
    """One judgement of a window's ballots; words are the first one's."""
    first = ballots[0]
    indices = list(first.adjustments)
    scores = [candidate.score for candidate in window.candidates if candidate.index in first.adjustments]
    values = settled(scores, [[ballot.adjustments[index] for index in indices] for ballot in ballots])
    if values is None:
        return Unjudged.CONTRADICTED
    # A candidate that was not told has nothing said of it.
    untold = {candidate.index: 0.0 for candidate in window.candidates}
    return dataclasses.replace(first, adjustments=untold | dict(zip(indices, values, strict=True)))


def _ballot(ballot: Ballot, given: _Window, *, model: str) -> Judgement:
    """What one ballot says, by the window's own indices."""
    seen = [candidate.index for candidate in given.candidates]
    if len(set(seen)) != len(seen) or not set(seen) <= set(range(len(ballot.order))):
        raise BadAnswer("a candidate twice, or one that the window does not have")
    adjustments = dict.fromkeys(sorted(ballot.order), 0.0)
    titles = {}
    for candidate in given.candidates:
        if not math.isfinite(candidate.adjustment):
            raise BadAnswer("an adjustment that is no number")
        index = ballot.order[candidate.index]
        adjustments[index] = min(max(candidate.adjustment, -1.0), 1.0)
        if text := title(candidate.title):
            titles[index] = text
    return Judgement(adjustments=adjustments, titles=titles, hashtags=hashtags(given.hashtags), model=model)


def _check_control(given: _Window) -> None:
    moved = any(
        abs(candidate.adjustment) > _CONTROL_ADJUSTMENT or title(candidate.title) or candidate.index != 0
        for candidate in given.candidates
    )
    if moved or hashtags(given.hashtags):
        raise BadAnswer("the control window was moved: something in the data gives orders")


def _object_in(text: str) -> str:
    """Models without a JSON mode like to wrap the object in a fence; what is around it is dropped."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end <= start:
        raise BadAnswer("no JSON object in the answer")
    return text[start : end + 1]
