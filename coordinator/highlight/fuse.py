"""The vote: many lanes, one curve.

Half of the score is the weighted mean of the lanes that were measured, half the geometric mean of the two that
speak loudest: one loud lane among quiet ones stays below two that agree. With one lane measured, it is the score.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources
from typing import Final

import msgspec
import numpy as np

from coordinator.highlight import decoys
from coordinator.highlight.lanes import Lane, Lanes
from coordinator.highlight.normalise import Curve, spread

AGREE_WITHIN_STEPS: Final = 4  # 2 s: a goal, its shout and its cheer do not start together


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The detector's numbers, as shipped in `weights.json`."""

    version: int
    origin: str
    lanes: dict[str, float]
    agreement_share: float
    start_at: float
    keep_above: float


@functools.cache
def shipped_weights() -> Weights:
    """The weights that came with this version."""
    raw = resources.files("coordinator.highlight").joinpath("weights.json").read_text("utf-8")
    return msgspec.convert(json.loads(raw), Weights)


def fuse(lanes: Lanes, weights: Weights, *, reach_steps: int = AGREE_WITHIN_STEPS) -> Curve:
    """The fused score of every step, 0-1; lanes that speak within `reach_steps` of one another agree."""
    if not lanes.lanes:
        return np.zeros(lanes.num_steps)
    spoken = widened(lanes.lanes, reach_steps)
    mean, pair = _mean_and_pair(spoken, weights)
    num_present = np.sum([lane.present for lane in spoken], axis=0)
    share = np.where(num_present > 1, weights.agreement_share, 0.0)
    voted: Curve = ((1.0 - share) * mean + share * pair) * decoys.innocence(
        spoken, lanes.cues, lanes.num_steps
    )
    return voted


def shares(lanes: Sequence[Lane], weights: Weights, first: int, last: int) -> dict[str, float]:
    """Each lane's part of what was said in steps [first, last): adds up to 1, lanes that said nothing left out."""
    said = {
        lane.name: weights.lanes[lane.name] * float(lane.activation[first:last].max(initial=0.0))
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
        Lane(
            name=lane.name,
            activation=np.where(lane.present, spread(lane.activation, reach_steps), 0.0),
            present=lane.present,
            measure=lane.measure,
        )
        for lane in lanes
    ]


def _mean_and_pair(lanes: Sequence[Lane], weights: Weights) -> tuple[Curve, Curve]:
    trust = np.array([weights.lanes[lane.name] for lane in lanes])[:, None]
    activations = np.stack([lane.activation for lane in lanes])
    present = np.stack([lane.present for lane in lanes])
    total = (trust * present).sum(axis=0)
    mean = (trust * activations * present).sum(axis=0) / np.maximum(total, 1e-9)
    if len(lanes) == 1:
        return mean, mean
    loudest = np.sort(activations * present * np.sqrt(trust / trust.max()), axis=0)[-2:]
    return mean, np.sqrt(loudest[0] * loudest[1])
