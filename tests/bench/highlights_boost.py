"""Boosted trees in numpy: logistic loss, histograms, complete trees, a side of its own for what is missing."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]

_NUM_BINS = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """How trees are grown."""

    num_trees: int = 150
    depth: int = 4
    rate: float = 0.08
    row_share: float = 0.3
    column_share: float = 0.35
    ridge: float = 20.0
    least_weight: float = 30.0
    seed: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grown:
    """Trees: of each its nodes' columns, thresholds and sides for what is missing, level by level, and its leaves."""

    bias: float
    column: npt.NDArray[np.int64]
    threshold: Vector
    missing_right: npt.NDArray[np.bool_]
    leaf: Vector


def grow(rows: Matrix, truth: Vector, weight: Vector, shape: Shape) -> Grown:
    """Fit trees to rows; a value above its node's threshold goes right."""
    rng = np.random.default_rng(shape.seed)
    edges = [_edges(rows[:, at]) for at in range(rows.shape[1])]
    # Bin 0 is what is missing.
    binned = np.stack(
        [
            np.where(np.isnan(rows[:, at]), 0, 1 + np.searchsorted(edges[at], rows[:, at], side="left"))
            for at in range(rows.shape[1])
        ]
    ).astype(np.uint8)
    bias = float(np.log(np.average(truth, weights=weight) / (1.0 - np.average(truth, weights=weight))))
    scores = np.full(rows.shape[0], bias)
    num_nodes, num_leaves = 2**shape.depth - 1, 2**shape.depth
    column = np.zeros((shape.num_trees, num_nodes), dtype=np.int64)
    cut = np.full((shape.num_trees, num_nodes), _NUM_BINS + 1, dtype=np.int64)
    missing_right = np.zeros((shape.num_trees, num_nodes), dtype=bool)
    leaf = np.zeros((shape.num_trees, num_leaves))
    for tree in range(shape.num_trees):
        likely = 1.0 / (1.0 + np.exp(-scores))
        chosen = rng.random(rows.shape[0]) < shape.row_share
        slope = (weight * (truth - likely))[chosen]
        bend = (weight * likely * (1.0 - likely))[chosen]
        some = rng.choice(rows.shape[1], max(1, int(shape.column_share * rows.shape[1])), replace=False)
        part = binned[:, chosen]
        node = np.zeros(slope.size, dtype=np.int64)
        for level in range(shape.depth):
            first = 2**level - 1
            found = _best(part, some, node, slope, bend, 2**level, shape)
            at = slice(first, first + 2**level)
            column[tree, at], cut[tree, at], missing_right[tree, at] = found
            node = 2 * node + _goes_right(part, node, first, column[tree], cut[tree], missing_right[tree])
        total = np.bincount(node, slope, num_leaves)
        leaf[tree] = shape.rate * total / (np.bincount(node, bend, num_leaves) + shape.ridge)
        whole = np.zeros(rows.shape[0], dtype=np.int64)
        for level in range(shape.depth):
            first = 2**level - 1
            whole = 2 * whole + _goes_right(
                binned, whole, first, column[tree], cut[tree], missing_right[tree]
            )
        scores += leaf[tree][whole]
    threshold = np.full(cut.shape, np.inf)
    for tree, node_at in zip(*np.nonzero(cut <= _NUM_BINS), strict=True):
        own = edges[column[tree, node_at]]
        place = cut[tree, node_at] - 1
        threshold[tree, node_at] = own[place] if place < own.size else np.inf
    return Grown(bias=bias, column=column, threshold=threshold, missing_right=missing_right, leaf=leaf)


def _edges(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    known = values[np.isfinite(values)]
    if not known.size:
        return np.zeros(0, dtype=np.float32)
    return np.unique(np.quantile(known, np.linspace(0, 1, _NUM_BINS + 1)[1:-1]).astype(np.float32))


def _goes_right(
    binned: npt.NDArray[np.uint8],
    node: npt.NDArray[np.int64],
    first: int,
    column: npt.NDArray[np.int64],
    cut: npt.NDArray[np.int64],
    missing_right: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    own = binned[column[first + node], np.arange(node.size)]
    right = np.where(own == 0, missing_right[first + node], own > cut[first + node])
    return right.astype(np.int64)


def _best(
    binned: npt.NDArray[np.uint8],
    columns: npt.NDArray[np.int64],
    node: npt.NDArray[np.int64],
    slope: Vector,
    bend: Vector,
    num_nodes: int,
    shape: Shape,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Of each node the column, the last bin that goes left, and the side of what is missing."""
    size = _NUM_BINS + 1
    best = np.full(num_nodes, 1e-6)
    column = np.zeros(num_nodes, dtype=np.int64)
    cut = np.full(num_nodes, _NUM_BINS + 1, dtype=np.int64)
    side = np.zeros(num_nodes, dtype=bool)
    for at in columns:
        index = node * size + binned[at]
        slopes = np.bincount(index, slope, num_nodes * size).reshape(num_nodes, size)
        bends = np.bincount(index, bend, num_nodes * size).reshape(num_nodes, size)
        all_slope, all_bend = slopes.sum(axis=1, keepdims=True), bends.sum(axis=1, keepdims=True)
        left_slope = np.cumsum(slopes[:, 1:], axis=1)[:, :-1]
        left_bend = np.cumsum(bends[:, 1:], axis=1)[:, :-1]
        for is_right in (False, True):
            own_slope = left_slope + (0.0 if is_right else slopes[:, :1])
            own_bend = left_bend + (0.0 if is_right else bends[:, :1])
            gain = (
                own_slope**2 / (own_bend + shape.ridge)
                + (all_slope - own_slope) ** 2 / (all_bend - own_bend + shape.ridge)
                - all_slope**2 / (all_bend + shape.ridge)
            )
            gain[(own_bend < shape.least_weight) | (all_bend - own_bend < shape.least_weight)] = -1.0
            place = gain.argmax(axis=1)
            top = gain[np.arange(num_nodes), place]
            better = top > best
            best[better], column[better], cut[better] = top[better], at, place[better] + 1
            side[better] = is_right
    return column, cut, side


def predict(grown: Grown, rows: Matrix) -> Vector:
    """Log odds of each row."""
    total = np.full(rows.shape[0], grown.bias)
    at = np.arange(rows.shape[0])
    depth = int(np.log2(grown.leaf.shape[1]))
    for tree in range(grown.leaf.shape[0]):
        node = np.zeros(rows.shape[0], dtype=np.int64)
        for level in range(depth):
            here = 2**level - 1 + node
            own = rows[at, grown.column[tree, here]]
            right = np.where(
                np.isnan(own), grown.missing_right[tree, here], own > grown.threshold[tree, here]
            )
            node = 2 * node + right
        total += grown.leaf[tree][node]
    return total
