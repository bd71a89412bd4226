"""Fits the nets of `coordinator/highlight/nets.py` in numpy: the gradient by hand, Adam, whole streams in batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from coordinator.highlight.nets import TAPS, Floats, Nets, around, inputs
from tests.bench.measure import say

Weights = dict[str, Floats]
_NO_SPREAD = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Course:
    """How nets are fitted."""

    num_channels: int = 48
    num_epochs: float = 6.0
    batch: int = 16
    rate: float = 2e-3
    decay: float = 1e-2
    dropped: float = 0.2  # of what layers hand on
    figures_dropped: float = 0.1  # whole figures of a stream, as if they had not been measured
    stretched: float = 0.35  # how much more or less (log) a column of a stream may say
    num_nets: int = 2
    seed: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lesson:
    """Streams of one maker, all of one length.

    Attributes:
        rows: columns, shape (num_streams, num_steps, num_columns), NaN where nothing was measured.
        truth: whether each step lies in a moment, shape (num_streams, num_steps).
    """

    rows: npt.NDArray[np.float32]
    truth: Floats


def fit_nets(lessons: Sequence[Lesson], columns: tuple[str, ...], windows: int, course: Course) -> Nets:
    """Nets for these makers' streams, each maker as heavy as the next."""
    every_few = [lesson.rows[:, ::7].reshape(-1, len(columns)) for lesson in lessons]
    middle, spread = _scale(np.concatenate(every_few))
    none = Nets(columns=columns, windows=windows, middle=middle, spread=spread, weights=())
    weights = [_fitted(lessons, none, course, course.seed + number) for number in range(course.num_nets)]
    return dataclasses.replace(none, weights=weights)


def _fitted(lessons: Sequence[Lesson], scaled: Nets, course: Course, seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    num_columns, windows = len(scaled.columns), scaled.windows
    weights = started(rng, num_columns + num_columns // windows, course.num_channels)
    first, second = ({name: np.zeros_like(one) for name, one in weights.items()} for _ in range(2))
    num_rounds = int(course.num_epochs * sum(len(lesson.rows) for lesson in lessons) / course.batch)
    losses = []
    for at in range(num_rounds):
        rows, truth = _drawn(rng, lessons, course.batch)
        given = inputs(rows, scaled.middle, scaled.spread, windows)
        worn = _worn(rng, given, num_columns, windows, course)
        loss, slopes = slopes_of(weights, worn, truth, rng, course.dropped)
        rate = course.rate * min(1.0, (at + 1) / 50) * 0.5 * (1.0 + np.cos(np.pi * at / num_rounds))
        _step(weights, slopes, first, second, at + 1, rate, course.decay)
        losses.append(loss)
        if (at + 1) % 200 == 0:
            say(f"net: {at + 1} of {num_rounds} rounds, loss {np.mean(losses[-200:]):.4f}")
    return weights


def slopes_of(
    weights: Weights, given: Floats, truth: Floats, rng: np.random.Generator, dropped: float
) -> tuple[float, Weights]:
    """The mean logistic loss of a batch, and its slope by each weight.

    Args:
        given: shape (num_streams, num_steps, num_inputs).
        truth: shape (num_streams, num_steps).
    """
    slopes: Weights = {}
    level = given @ weights["in"] + weights["in.bias"]
    kept: list[tuple[Floats, Floats, Floats]] = []
    for number, taps in enumerate(TAPS):
        near = around(level, taps)
        seen = near @ weights[f"look.{number}"] + weights[f"look.{number}.bias"]
        is_kept = (seen > 0) & (rng.random(seen.shape, np.float32) >= dropped)
        mask: Floats = is_kept.astype(np.float32) / np.float32(1.0 - dropped)
        seen *= mask
        level = level + seen @ weights[f"add.{number}"] + weights[f"add.{number}.bias"]
        kept.append((near, seen, mask))
    odds = (level @ weights["out"] + weights["out.bias"])[..., 0]
    loss = float(np.mean(np.logaddexp(0.0, odds) - odds * truth))
    back = ((1.0 / (1.0 + np.exp(-odds)) - truth) / truth.size).astype(given.dtype)[..., None]
    slopes.update(_of("out", level, back))
    down = back @ weights["out"].T
    for number in reversed(range(len(TAPS))):
        near, seen, mask = kept[number]
        slopes.update(_of(f"add.{number}", seen, down))
        inner = (down @ weights[f"add.{number}"].T) * mask
        slopes.update(_of(f"look.{number}", near, inner))
        down = down + _gathered(inner @ weights[f"look.{number}"].T, TAPS[number])
    slopes.update(_of("in", given, down))
    return loss, slopes


def _of(name: str, given: Floats, down: Floats) -> Weights:
    rows, slope = given.reshape(-1, given.shape[-1]), down.reshape(-1, down.shape[-1])
    return {name: rows.T @ slope, f"{name}.bias": slope.sum(axis=0)}


def _gathered(wide: Floats, taps: Sequence[int]) -> Floats:
    """The other way round than `around`: what each step gets back from the steps that looked at it."""
    num_steps, num_channels = wide.shape[-2], wide.shape[-1] // len(taps)
    found = np.zeros((*wide.shape[:-1], num_channels), dtype=wide.dtype)
    for at, tap in enumerate(taps):
        first, last = max(0, -tap), min(num_steps, num_steps - tap)
        if first < last:
            found[..., first + tap : last + tap, :] += wide[
                ..., first:last, at * num_channels : (at + 1) * num_channels
            ]
    return found


def _scale(rows: Floats) -> tuple[Floats, Floats]:
    """Of each column its median, and a third of what lies between its twentieths."""
    none = np.isnan(rows).all(axis=0)
    low, middle, high = np.nanquantile(np.where(none, 0.0, rows), [0.05, 0.5, 0.95], axis=0)
    return middle.astype(np.float32), (np.maximum(high - low, _NO_SPREAD) / 3).astype(np.float32)


def started(rng: np.random.Generator, num_inputs: int, num_channels: int) -> Weights:
    """Weights before anything was learned."""

    def drawn(rows: int, columns: int, width: float) -> Floats:
        return (rng.standard_normal((rows, columns)) * width / np.sqrt(rows)).astype(np.float32)

    weights = {"in": drawn(num_inputs, num_channels, 1.0), "out": drawn(num_channels, 1, 0.7)}
    for number, taps in enumerate(TAPS):
        weights[f"look.{number}"] = drawn(len(taps) * num_channels, num_channels, np.sqrt(2.0))
        weights[f"add.{number}"] = drawn(num_channels, num_channels, 0.5)
    biases = {f"{name}.bias": np.zeros(one.shape[1], dtype=np.float32) for name, one in weights.items()}
    return {**weights, **biases, "out.bias": np.array([-1.5], dtype=np.float32)}


def _drawn(rng: np.random.Generator, lessons: Sequence[Lesson], batch: int) -> tuple[Floats, Floats]:
    chosen = [lessons[at] for at in rng.integers(len(lessons), size=batch)]
    places = [rng.integers(len(lesson.rows)) for lesson in chosen]
    rows = np.stack([lesson.rows[place] for lesson, place in zip(chosen, places, strict=True)])
    truth = np.stack([lesson.truth[place] for lesson, place in zip(chosen, places, strict=True)])
    return rows, truth


def _worn(rng: np.random.Generator, given: Floats, num_columns: int, windows: int, course: Course) -> Floats:
    """Streams as another maker might have made them: some figures missing, others saying more or less."""
    num_streams = given.shape[0]
    is_known = rng.random((num_streams, num_columns // windows)) >= course.figures_dropped
    said = np.exp(rng.uniform(-course.stretched, course.stretched, (num_streams, num_columns)))
    factors = np.concatenate([np.repeat(is_known, windows, axis=1) * said, is_known], axis=1)
    worn: Floats = given * factors[:, None].astype(np.float32)
    return worn


def _step(
    weights: Weights, slopes: Weights, first: Weights, second: Weights, number: int, rate: float, decay: float
) -> None:
    """Adam, with weights that fade (biases do not); slopes longer than 1 in all are shortened to it."""
    length = float(np.sqrt(sum(float((one**2).sum()) for one in slopes.values())))
    shorter = np.float32(min(1.0, 1.0 / max(length, 1e-9)))
    for name, whole in slopes.items():
        slope = shorter * whole
        first[name] = 0.9 * first[name] + 0.1 * slope
        second[name] = 0.99 * second[name] + 0.01 * slope**2
        way = first[name] / (1 - 0.9**number) / (np.sqrt(second[name] / (1 - 0.99**number)) + 1e-8)
        fading = 0.0 if name.endswith(".bias") else decay
        weights[name] = (weights[name] - rate * (way + fading * weights[name])).astype(np.float32)
