"""What a moment is about: hype, funny, clutch, fail, score, rage or wholesome. A press alone makes a `marker`.

Words, laughter, chat and games name a kind; sound and picture only say that something happened, which is hype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coordinator.highlight import moods
from coordinator.highlight.fuse import Weights, shares
from coordinator.highlight.game import AFTER_S, BEFORE_S, events_between
from coordinator.highlight.lanes import Lane, Lanes
from coordinator.highlight.text import Cue
from coordinator.model.highlight import SIGNAL_RATE_HZ

HYPE: Final = "hype"
FUNNY_SHARE: Final = 0.6
_LEAST_SHARE: Final = 0.15  # of the score; who said less than that does not name it
KIND_OF_FAMILY: Final = {
    "call": HYPE,
    "score": "score",
    "goal": "score",
    "feat": "clutch",
    "play": HYPE,
    "awe": HYPE,
    "drama": "fail",
    "cheer": HYPE,
    "replay": HYPE,
    "laugh": "funny",
    "fail": "fail",
    "rage": "rage",
    "wholesome": "wholesome",
}
# How games and their bridges name what happens, in parts of words.
KIND_OF_EVENT: Final = (
    ("clutch", ("clutch", "ace", "multikill", "multi_kill", "penta", "streak", "record")),
    ("score", ("goal", "score", "win", "victory", "point", "lap", "objective")),
    ("fail", ("death", "died", "fail", "lose", "lost", "defeat", "crash", "wipe", "own_goal")),
)


def kind_of(lanes: Lanes, voters: Sequence[Lane], weights: Weights, first: int, last: int) -> str:
    """What the span of steps [first, last) is mostly about."""
    said = shares(voters, weights, first, last)
    votes: dict[str, float] = {}
    if said.get("events", 0.0) >= _LEAST_SHARE:
        _add(votes, _kind_of_events(lanes, first, last), 2.0 * said["events"])
    if said.get("words", 0.0) >= _LEAST_SHARE:
        for kind, share in _kinds_of_words(lanes.cues, first, last).items():
            _add(votes, kind, share * said["words"])
    if said.get("laughter", 0.0) >= _LEAST_SHARE:
        _add(votes, "funny", said["laughter"])
    if said.get("chat", 0.0) >= _LEAST_SHARE:
        _add(votes, _kind_of_chat(lanes, first, last), said["chat"])
    named = {kind: vote for kind, vote in votes.items() if kind != HYPE}
    # Hype is what everything else is, too: a name that has half its votes says more.
    if named and max(named.values()) >= 0.5 * votes.get(HYPE, 0.0):
        return max(sorted(named), key=lambda kind: named[kind])
    return HYPE


def cues_in(cues: Sequence[Cue], first: int, last: int) -> list[Cue]:
    """Cues that say something and lie in the steps, or within 2 s of them."""
    start_s, end_s = first / SIGNAL_RATE_HZ - 2.0, last / SIGNAL_RATE_HZ + 2.0
    return [cue for cue in cues if cue.strength > 0 and cue.end_s >= start_s and cue.start_s <= end_s]


def _add(votes: dict[str, float], kind: str, vote: float) -> None:
    votes[kind] = votes.get(kind, 0.0) + vote


def _kinds_of_words(cues: Sequence[Cue], first: int, last: int) -> dict[str, float]:
    """Each kind's share of what was said."""
    votes: dict[str, float] = {}
    for cue in cues_in(cues, first, last):
        if cue.families:
            _add(votes, KIND_OF_FAMILY[cue.families[0]], cue.strength)
    total = sum(votes.values())
    return {kind: vote / total for kind, vote in votes.items()} if total > 0 else {}


def _kind_of_chat(lanes: Lanes, first: int, last: int) -> str:
    if lanes.reaction is None:
        return HYPE
    reacting = lanes.reaction.activation[first:last]
    at = first + int(reacting.argmax()) if reacting.size else first
    if at < lanes.reaction.laugh_share.size and lanes.reaction.laugh_share[at] >= FUNNY_SHARE:
        return "funny"
    at_s = at / SIGNAL_RATE_HZ
    return moods.of_chat([text for time_s, text in lanes.reaction.words if at_s <= time_s <= at_s + 10.0])


def _kind_of_events(lanes: Lanes, first: int, last: int) -> str:
    told = events_between(lanes.events, first / SIGNAL_RATE_HZ - AFTER_S, last / SIGNAL_RATE_HZ + BEFORE_S)
    for event in told:
        for kind, parts in KIND_OF_EVENT:
            if any(part in event.kind.lower() for part in parts):
                return kind
    return HYPE
