"""How surely each step is part of a moment: trees and nets look at the same columns; each sort says half of it.

They err otherwise: the trees look at a step, nets at the shape of what went before it. `likely.json` says what makes
their log odds those of a stream whose like neither has seen, and to what both were fitted.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import msgspec
import numpy as np

from coordinator.highlight import nets, trees
from coordinator.highlight.normalise import Curve
from coordinator.highlight.shipped import read_shipped


class LikelyFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        made_on, origin: the day of it, and what trees and nets were fitted to.
        report: how they did on makers whom they did not know.
        slope, shift: what makes log odds say how often such a moment is one (`Likely.right`).
    """

    version: int
    made_on: str
    origin: str
    report: dict[str, float]
    slope: float
    shift: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    """What trees and nets say of each step, shape (num_steps,) each.

    Attributes:
        sure: how surely it is part of a moment, 0-1: stays high all through one, so it says where one begins and ends.
        right: how often that is so, 0-1. What knows a stream's like is surer than it should be of a stranger's; this is
            set right by makers who were judged by trees and nets of the others.
    """

    sure: Curve
    right: Curve


def likely(columns: Mapping[str, Curve]) -> Likely:
    """What the shipped trees and nets say.

    Args:
        columns: by name, shape (num_steps,) each, NaN where nothing was measured; all of `columns.columns`.
    """
    file = shipped_file()
    odds = together(trees.odds(trees.shipped_trees(), columns), nets.odds(nets.shipped_nets(), columns))
    return Likely(sure=chance_of(odds), right=chance_of(file.slope * odds + file.shift))


def together(of_trees: Curve, of_nets: Curve) -> Curve:
    """The log odds of both."""
    return 0.5 * (of_trees + of_nets)


def chance_of(odds: Curve) -> Curve:
    """Log odds as 0-1."""
    chance: Curve = 1.0 / (1.0 + np.exp(-odds))
    return chance


@functools.cache
def shipped_file() -> LikelyFile:
    """The file that came with this version."""
    return read_shipped("likely.json", LikelyFile)
