"""What a language model is asked to judge, and what it may say. It ranks and names; it makes nothing."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

MAX_TITLE_CHARACTERS = 80
# Of all that was said in a window, and of one candidate at least: it has to be told from the others still.
MAX_SAID_CHARACTERS = 1_200
_LEAST_SAID_CHARACTERS = 160


def said_room(num_candidates: int) -> int:
    """How many characters of what was said a model is told of each candidate."""
    return max(MAX_SAID_CHARACTERS // max(1, num_candidates), _LEAST_SAID_CHARACTERS)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A span that the detector found, with what was heard in it.

    Attributes:
        index: its place in its own window's list; the only name that an answer may use.
        said: the transcript of the span; untrusted, as everything that people say or write.
        notes: the detector's evidence in words.
    """

    index: int
    start_s: float
    end_s: float
    score: float
    kind: str
    said: str = ""
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindow:
    """A part of a session whose candidates are to be ranked against each other.

    Attributes:
        window_id: the caller's own; it never reaches a model.
        language: ISO 639-1, empty where it is not known.
    """

    window_id: str
    user_id: str
    tier: str
    language: str
    candidates: tuple[Candidate, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a model said of one window; indices are of that window's own candidates.

    Attributes:
        adjustments: -1..1 for each candidate, 0 where the model said nothing; what counts of it already.
        titles: plain text of at most 80 characters, for some candidates.
        hashtags: without `#`, letters and digits, at most five.
        model: provider and model that answered.
    """

    adjustments: Mapping[int, float]
    titles: Mapping[int, str]
    hashtags: tuple[str, ...] = ()
    model: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a model said last of one moment; it stays with the moment until a model says something else.

    Attributes:
        adjustment: -1..1.
        title: plain text of at most 80 characters; empty: the model gave none.
        model: provider and model.
        hashtags: without `#`, at most five; of the look in which the moment was found.
    """

    adjustment: float
    title: str
    model: str
    hashtags: tuple[str, ...] = ()


class Unjudged(enum.StrEnum):
    """Why a window has no judgement."""

    NO_PROVIDER = "no_provider"  # none is configured
    NO_CANDIDATES = "no_candidates"  # there was nothing to rank
    GATE = "gate"  # its best score is under what the limits leave room for
    BUDGET = "budget"  # its tier's money for today is spent
    LIMITS = "limits"  # every provider is at its limit, or rests as it asked us to
    UNAVAILABLE = "unavailable"  # no provider answered
    BAD_ANSWER = "bad_answer"  # what was answered breaks the rules, also when it was asked alone
    CONTRADICTED = "contradicted"  # asked twice in different orders, it said different things
    TOO_LONG = "too_long"  # the window alone is more than the model takes
    JUDGED_BEFORE = "judged_before"  # every moment in it has an opinion already
    SETTINGS = "settings"  # those of a provider cannot be used; the worker's log says why
    BUG = "bug"  # the judge itself failed; the log says how


_UNJUDGED_WORDS: Mapping[str, str] = {
    Unjudged.NO_PROVIDER: "no language model is configured",
    Unjudged.NO_CANDIDATES: "there was nothing to judge",
    Unjudged.GATE: "not judged by a language model: calls are short, and its best score was too low to be asked about",
    Unjudged.BUDGET: "not judged by a language model: its tier's money for today is spent",
    Unjudged.LIMITS: "not judged by a language model: every provider is at its limit or rests",
    Unjudged.UNAVAILABLE: "not judged by a language model: no provider answered",
    Unjudged.BAD_ANSWER: "not judged by a language model: what it answered broke the rules",
    Unjudged.CONTRADICTED: "not judged by a language model: asked twice, it contradicted itself",
    Unjudged.TOO_LONG: "not judged by a language model: too much was said for one question",
    Unjudged.JUDGED_BEFORE: "judged by an earlier look",
    Unjudged.SETTINGS: "not judged by a language model: a provider's settings cannot be used",
    Unjudged.BUG: "not judged by a language model: the judge failed",
}


def unjudged_words(reason: str) -> str:
    """Why there is no judgement, for people; one of another version as it is."""
    return _UNJUDGED_WORDS.get(reason, reason)
