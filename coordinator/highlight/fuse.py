"""The vote: many lanes, one curve, weighed by hand.

It decides where there are words or chat alone. Where sound or picture say when, fitted trees and nets find the
moments (`likely.py`), and the vote has a part in their score (`agreed`): they may be sure of what nothing seconds.

Lanes that come from one source (the sound, the speech, the picture, the chat, the game) are one group: a shout is
loud, high and restless at once, and that is one witness. Groups that were measured vote by a weighted mean, with a
part for the two that speak loudest: one loud group among quiet ones stays below two that agree. What a game says of
itself is as much of a moment as the game says, whoever else is silent.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from coordinator.highlight import decoys
from coordinator.highlight.lanes import Lane, Lanes
from coordinator.highlight.normalise import Curve, Mask, spread
from coordinator.highlight.shipped import read_shipped

AGREE_WITHIN_STEPS: Final = 3  # 1.5 s: a goal, its shout and its cheer do not start together
EVENT_SHARE: Final = 0.9
LEAST_EVENT: Final = 0.2
FULL_VOTE: Final = 0.6  # hardly any vote is higher
# Of a score; of makers whom the trees did not know, half of it took more decoys and found no more.
VOTE_SHARE: Final = 0.25
GROUP_OF_LANE: Final = {
    "crowd": "sound",
    "voice": "sound",
    "loudness": "sound",
    "flux": "sound",
    "laughter": "sound",
    "words": "speech",
    "rate": "speech",
    "motion": "picture",
    "chat": "chat",
    "turnout": "chat",
    "events": "events",
}


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The detector's numbers, as shipped in `weights.json`."""

    version: int
    origin: str
    lanes: dict[str, float]
    groups: dict[str, float]
    top_share: float
    agreement_share: float
    keep_above: float


@functools.cache
def shipped_weights() -> Weights:
    """The weights that came with this version."""
    return read_shipped("weights.json", Weights)


def fuse(lanes: Lanes, weights: Weights) -> Curve:
    """The fused score of every step by itself, 0-1."""
    if not lanes.lanes:
        return np.zeros(lanes.num_steps)
    voted: Curve = _vote(_grouped(lanes.lanes, weights), weights)
    return with_events(voted * decoys.innocence(lanes.lanes, lanes.cues, lanes.num_steps), lanes)


def agreed(sure: Curve, lanes: Lanes, weights: Weights) -> Curve:
    """The score of every step, 0-1: how sure trees and nets are, to a quarter as lanes vote (by geometric mean).

    Lanes that speak within 1.5 s of one another agree.
    """
    voters = widened(lanes.lanes)
    voted = np.clip(fuse(dataclasses.replace(lanes, lanes=tuple(voters)), weights) / FULL_VOTE, 0.0, 1.0)
    return with_events(sure ** (1.0 - VOTE_SHARE) * voted**VOTE_SHARE, lanes)


def with_events(curve: Curve, lanes: Lanes) -> Curve:
    """What a game says of itself is as much of a moment as the game says, whoever else is silent; little is nothing."""
    for lane in lanes.lanes:
        if lane.name == "events":
            told = np.where(lane.activation > LEAST_EVENT, lane.activation, 0.0)
            curve = np.maximum(curve, EVENT_SHARE * told)
    return curve


def shares(lanes: Sequence[Lane], weights: Weights, first: int, last: int) -> dict[str, float]:
    """Each lane's part of what was said in steps [first, last): adds up to 1, lanes that said nothing left out."""
    said = {
        lane.name: _trust(lane, weights) * float(lane.activation[first:last].max(initial=0.0))
        for lane in lanes
    }
    total = sum(said.values())
    if total <= 0:
        return {}
    kept = {name: value for name, value in said.items() if value >= 0.05 * total}
    return {
        name: value / sum(kept.values())
        for name, value in sorted(kept.items(), key=lambda one: (-one[1], one[0]))
    }


def widened(lanes: Sequence[Lane], reach_steps: int = AGREE_WITHIN_STEPS) -> list[Lane]:
    """Lanes whose activation reaches some steps to each side, so that they can agree."""
    return [
        dataclasses.replace(
            lane, activation=np.where(lane.present, spread(lane.activation, reach_steps), 0.0)
        )
        for lane in lanes
    ]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    activation: Curve
    present: Mask
    trust: float


def _trust(lane: Lane, weights: Weights) -> float:
    return weights.groups[GROUP_OF_LANE[lane.name]] * weights.lanes[lane.name] * lane.trust


def _grouped(lanes: Sequence[Lane], weights: Weights) -> list[_Group]:
    """One witness a source: partly its loudest lane, partly the mean of its lanes."""
    members: dict[str, list[Lane]] = {}
    for lane in lanes:
        members.setdefault(GROUP_OF_LANE[lane.name], []).append(lane)
    groups: list[_Group] = []
    for name, own in members.items():
        trust = np.array([weights.lanes[lane.name] for lane in own])[:, None]
        present = np.stack([lane.present for lane in own])
        said = trust * np.stack([lane.activation for lane in own]) * present
        mean = said.sum(axis=0) / np.maximum((trust * present).sum(axis=0), 1e-9)
        top = said.max(axis=0)
        groups.append(
            _Group(
                activation=weights.top_share * top + (1.0 - weights.top_share) * mean,
                present=np.logical_or.reduce(present, axis=0),
                trust=weights.groups[name] * max(lane.trust for lane in own),
            )
        )
    return groups


def _vote(groups: Sequence[_Group], weights: Weights) -> Curve:
    trust = np.array([group.trust for group in groups])[:, None]
    activations = np.stack([group.activation for group in groups])
    present = np.stack([group.present for group in groups])
    mean: Curve = (trust * activations * present).sum(axis=0) / np.maximum(
        (trust * present).sum(axis=0), 1e-9
    )
    if len(groups) == 1:
        return mean
    loudest = np.sort(activations * present * np.sqrt(trust / trust.max()), axis=0)[-2:]
    share = np.where(present.sum(axis=0) > 1, weights.agreement_share, 0.0)
    voted: Curve = (1.0 - share) * mean + share * np.sqrt(loudest[0] * loudest[1])
    return voted
