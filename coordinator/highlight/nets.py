"""Small nets over time, shipped as `nets.json`: how surely each step is part of a moment, from what went before it.

Trees look at each step by itself; a net looks at the shape of half a minute, and both together know strangers' streams
better than either. Each is five layers of convolutions with gaps (48 channels), in numpy alone; nets that began with
other numbers err otherwise, so there are some. They were fitted to the same made-up streams as the trees by
`tests/bench/highlights_fit.py`.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from coordinator.highlight.normalise import Curve
from coordinator.highlight.shipped import read_shipped

Floats = npt.NDArray[np.float32]

# Of each layer, which steps it looks at: 3.5 s ahead in all, and 27 s back.
TAPS: Final[Sequence[Sequence[int]]] = (
    (-1, 0, 1), (-2, 0, 2), (-4, 0, 4), (-16, -8, 0), (-32, -16, 0),
)  # fmt: skip
WIDEST: Final = 4.0  # spreads from the middle: what lies further out is not told apart


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a layer as base64 of little-endian float16, row by row, and their shape."""

    shape: tuple[int, ...]
    numbers: str


class NetsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        made_on, origin: the day they were fitted, and to what.
        columns: the names of what they look at; those of one figure stand together.
        windows: how many columns a figure has.
        middle, spread: of each column, on what they were fitted to.
        weights: of each net, by name; see `Nets`.
    """

    version: int
    made_on: str
    origin: str
    columns: tuple[str, ...]
    windows: int
    middle: list[float]
    spread: list[float]
    weights: list[dict[str, Layer]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nets:
    """As in the file, as arrays.

    Attributes:
        weights: of each net: `in` (num_inputs, num_channels); of layer N `look.N` (taps * num_channels, num_channels)
            and `add.N` (num_channels, num_channels); `out` (num_channels, 1); and `NAME.bias` of each.
    """

    columns: tuple[str, ...]
    windows: int
    middle: Floats
    spread: Floats
    weights: Sequence[Mapping[str, Floats]]


@functools.cache
def shipped_nets() -> Nets:
    """The nets that came with this version."""
    return nets_of(read_shipped("nets.json", NetsFile))


def nets_of(file: NetsFile) -> Nets:
    """The file's numbers as arrays."""
    return Nets(
        columns=file.columns,
        windows=file.windows,
        middle=np.array(file.middle, dtype=np.float32),
        spread=np.array(file.spread, dtype=np.float32),
        weights=[{name: _numbers(layer) for name, layer in one.items()} for one in file.weights],
    )


def layer_of(numbers: Floats) -> Layer:
    """An array as it stands in the file."""
    return Layer(shape=numbers.shape, numbers=base64.b64encode(numbers.astype("<f2").tobytes()).decode())


def odds(nets: Nets, columns: Mapping[str, Curve]) -> Curve:
    """How surely each step is part of a moment, as log odds, shape (num_steps,): the mean of all nets.

    Args:
        columns: by name, shape (num_steps,) each, NaN where nothing was measured; all that the nets look at.
    """
    rows = np.stack([columns[name] for name in nets.columns], axis=1).astype(np.float32)
    given = inputs(rows, nets.middle, nets.spread, nets.windows)
    told: Curve = np.mean([_odds(weights, given) for weights in nets.weights], axis=0, dtype=np.float64)
    return told


def inputs(rows: Floats, middle: Floats, spread: Floats, windows: int) -> Floats:
    """What the first layer gets of columns: shape (..., num_steps, num_columns + num_figures).

    Each column in spreads from its middle, nothing where it was not measured; then, for each figure, whether it was.
    """
    known = np.isfinite(rows)
    with np.errstate(invalid="ignore"):
        scaled = np.where(known, np.clip((rows - middle) / spread, -WIDEST, WIDEST), 0.0)
    found: Floats = np.concatenate([scaled, known[..., ::windows]], axis=-1, dtype=np.float32)
    return found


def around(level: Floats, taps: Sequence[int]) -> Floats:
    """For each step what `level` is at these steps from it, side by side; nothing beyond either end.

    Args:
        level: shape (..., num_steps, num_channels).

    Returns:
        Shape (..., num_steps, len(taps) * num_channels).
    """
    num_steps, num_channels = level.shape[-2:]
    found = np.zeros((*level.shape[:-1], len(taps) * num_channels), dtype=level.dtype)
    for at, tap in enumerate(taps):
        first, last = max(0, -tap), min(num_steps, num_steps - tap)
        if first < last:
            found[..., first:last, at * num_channels : (at + 1) * num_channels] = level[
                ..., first + tap : last + tap, :
            ]
    return found


def _odds(weights: Mapping[str, Floats], given: Floats) -> Floats:
    level: npt.NDArray[Any] = given @ weights["in"] + weights["in.bias"]
    for number, taps in enumerate(TAPS):
        seen = around(level, taps) @ weights[f"look.{number}"] + weights[f"look.{number}.bias"]
        level += seen.clip(0.0) @ weights[f"add.{number}"] + weights[f"add.{number}.bias"]
    told: Floats = (level @ weights["out"] + weights["out.bias"])[:, 0]
    return told


def _numbers(layer: Layer) -> Floats:
    whole = np.frombuffer(base64.b64decode(layer.numbers), "<f2")
    return whole.astype(np.float32).reshape(layer.shape)
