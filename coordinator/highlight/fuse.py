"""The vote: many lanes, one curve.

Where sound or picture say when, odds that were fitted count beside the vote (`chance`). The vote itself (`fuse`), which
is all that counts where there are words or chat alone, is weighed by hand:

Lanes that come from one source (the sound, the speech, the picture, the chat, the game) are one group: a shout is
loud, high and restless at once, and that is one witness. Groups that were measured vote by a weighted mean, with a
part for the two that speak loudest: one loud group among quiet ones stays below two that agree. What a game says of
itself is as much of a moment as the game says, whoever else is silent.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final

import msgspec
import numpy as np

from coordinator.highlight import decoys
from coordinator.highlight.lanes import Lane, Lanes
from coordinator.highlight.normalise import Curve, Mask, smooth, spread

AGREE_WITHIN_STEPS: Final = 3  # 1.5 s: a goal, its shout and its cheer do not start together
LAST_STEPS: Final = 4  # what is judged is 4.5 s long: a bang is no moment
EVENT_SHARE: Final = 0.9
FULL_VOTE: Final = 0.7  # hardly any vote is higher
_SOUND: Final = ("crowd", "voice", "loudness", "flux")
GROUP_OF_LANE: Final = {
    "crowd": "sound",
    "voice": "sound",
    "loudness": "sound",
    "flux": "sound",
    "words": "speech",
    "rate": "speech",
    "motion": "picture",
    "chat": "chat",
    "turnout": "chat",
    "events": "events",
}


class Odds(msgspec.Struct, frozen=True, kw_only=True):
    """How much lanes say for a moment, in log odds.

    Attributes:
        bias: where all lanes say what they usually say.
        lanes: from nothing to all a lane can say.
        usual: what a lane says in the mean; one that was not measured counts as that.
        with_sound: on top, where the sound speaks as well.
    """

    bias: float
    lanes: dict[str, float]
    usual: dict[str, float]
    with_sound: dict[str, float]
    start_at: float
    keep_above: float


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The detector's numbers, as shipped in `weights.json`."""

    version: int
    origin: str
    lanes: dict[str, float]
    groups: dict[str, float]
    top_share: float
    agreement_share: float
    start_at: float
    keep_above: float
    odds: Odds


@functools.cache
def shipped_weights() -> Weights:
    """The weights that came with this version."""
    raw = resources.files("coordinator.highlight").joinpath("weights.json").read_text("utf-8")
    return msgspec.convert(json.loads(raw), Weights)


def fuse(lanes: Lanes, weights: Weights, *, reach_steps: int = AGREE_WITHIN_STEPS) -> Curve:
    """The fused score of every step, 0-1.

    Args:
        reach_steps: groups that speak within so many steps of one another agree; 0: each step by itself, unsmoothed.
    """
    if not lanes.lanes:
        return np.zeros(lanes.num_steps)
    groups = [_reaching(group, reach_steps) for group in _grouped(lanes.lanes, weights)]
    voted: Curve = _vote(groups, weights) * decoys.innocence(
        widened(lanes.lanes, reach_steps), lanes.cues, lanes.num_steps
    )
    for lane in lanes.lanes:
        if lane.name == "events":
            voted = np.maximum(voted, EVENT_SHARE * lane.activation)
    return voted


def chance(lanes: Lanes, weights: Weights, *, reach_steps: int = AGREE_WITHIN_STEPS) -> Curve:
    """How surely each step is part of a moment, 0-1: the geometric mean of fitted odds and the vote by hand.

    Arguments as of `fuse`.
    """
    voters = [reaching(lane, reach_steps) for lane in lanes.lanes]
    odds = weights.odds
    total = np.full(lanes.num_steps, odds.bias)
    for name, said in evidence_columns(voters, odds.usual, lanes.num_steps).items():
        total += (odds.with_sound if name.startswith("sound*") else odds.lanes)[
            name.removeprefix("sound*")
        ] * said
    likely: Curve = 1.0 / (1.0 + np.exp(-total))
    likely *= decoys.innocence(widened(lanes.lanes, reach_steps), lanes.cues, lanes.num_steps)
    # The odds know which lane says most, but add up what one sound says in four ways; the vote does not.
    counted = dataclasses.replace(lanes, lanes=tuple(lane for lane in lanes.lanes if lane.name != "turnout"))
    voted = np.clip(fuse(counted, weights, reach_steps=reach_steps) / FULL_VOTE, 0.0, 1.0)
    both: Curve = np.sqrt(likely * voted)
    for lane in lanes.lanes:
        if lane.name == "events":
            both = np.maximum(both, EVENT_SHARE * lane.activation)
    return both


def evidence_columns(voters: Sequence[Lane], usual: Mapping[str, float], num_steps: int) -> dict[str, Curve]:
    """What `chance` weighs, by name: each lane against its usual, and `sound*` how it agrees with the sound."""
    said = {lane.name: lane.activation * lane.trust for lane in voters}
    none = np.zeros(num_steps)
    sound = np.maximum.reduce([said.get(name, none) for name in _SOUND])
    columns = {
        lane.name: np.where(lane.present, said[lane.name] - usual[lane.name], 0.0)
        for lane in voters
        if lane.name in usual
    }
    chat = np.maximum(said.get("chat", none), said.get("turnout", none))
    return columns | {"sound*words": sound * said.get("words", none), "sound*chat": sound * chat}


def reaching(lane: Lane, reach_steps: int) -> Lane:
    """A lane of what lasts, reaching some steps to each side; 0: as it is."""
    said = np.where(lane.present, lane.activation, 0.0)
    if reach_steps:
        said = np.where(lane.present, spread(smooth(said, lane.present, LAST_STEPS), reach_steps), 0.0)
    return dataclasses.replace(lane, activation=said)


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


def _reaching(group: _Group, reach_steps: int) -> _Group:
    if reach_steps == 0:
        return group
    lasting = smooth(group.activation, group.present, LAST_STEPS)
    return dataclasses.replace(group, activation=np.where(group.present, spread(lasting, reach_steps), 0.0))


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
