"""Boosted trees, shipped as `trees.json`: how surely each step is part of a moment, from all its columns at once.

They were fitted to made-up streams by `tests/bench/highlights_fit.py`; the file says to which, and when.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from coordinator.highlight.normalise import Curve
from coordinator.highlight.shipped import read_shipped


class TreesFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file. Trees are complete, of one depth; their nodes are told level by level, the root first.

    Attributes:
        made_on: the day they were fitted.
        origin: from what.
        columns: the names of what they look at.
        bias: log odds before any tree.
        column, threshold, missing_right: of each tree, of each node: where it looks, from which value on (beyond it) it
            sends a step right, and whether what was not measured goes right.
        leaf: of each tree: what each leaf adds to the log odds.
    """

    version: int
    made_on: str
    origin: str
    columns: tuple[str, ...]
    bias: float
    column: list[list[int]]
    threshold: list[list[float]]
    missing_right: list[list[int]]
    leaf: list[list[float]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """As in the file, as arrays of shape (num_trees, num_nodes) and (num_trees, num_leaves)."""

    columns: tuple[str, ...]
    bias: float
    column: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float32]
    missing_right: npt.NDArray[np.bool_]
    leaf: npt.NDArray[np.float64]


@functools.cache
def shipped_trees() -> Trees:
    """The trees that came with this version."""
    return trees_of(read_shipped("trees.json", TreesFile))


def trees_of(file: TreesFile) -> Trees:
    """The file's lists as arrays."""
    return Trees(
        columns=file.columns,
        bias=file.bias,
        column=np.array(file.column, dtype=np.int64),
        threshold=np.array(file.threshold, dtype=np.float32),
        missing_right=np.array(file.missing_right, dtype=bool),
        leaf=np.array(file.leaf, dtype=np.float64),
    )


def odds(trees: Trees, columns: Mapping[str, Curve]) -> Curve:
    """How surely each step is part of a moment, as log odds, shape (num_steps,).

    Args:
        columns: by name, shape (num_steps,) each, NaN where nothing was measured; all that the trees look at.
    """
    rows = np.stack([columns[name] for name in trees.columns]).astype(np.float32)
    num_steps = rows.shape[1]
    missing = np.isnan(rows)
    at = np.arange(num_steps)
    total = np.full(num_steps, trees.bias)
    depth = trees.leaf.shape[1].bit_length() - 1
    for column, threshold, missing_right, leaf in zip(
        trees.column, trees.threshold, trees.missing_right, trees.leaf, strict=True
    ):
        node = np.zeros(num_steps, dtype=np.int64)
        for level in range(depth):
            here = node + (2**level - 1)
            looked_at = column[here]
            is_right = (rows[looked_at, at] > threshold[here]) | (
                missing[looked_at, at] & missing_right[here]
            )
            node = 2 * node + is_right
        total += leaf[node]
    return total
