"""Where in a picture a camera probably is: a rectangle whose four borders stay while what is inside and outside moves.

Nothing is known of faces. Whatever else has straight borders that stay, and moves inside (a map, a chat), is proposed
as well; a camera without a border, or cut out of its background, is not found.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from coordinator.media.picture.frames import Scaler, planes_of
from coordinator.media.picture.geometry import squeezed
from coordinator.model.framing import Rectangle

Floats = npt.NDArray[np.float64]
Smalls = npt.NDArray[np.float32]
WIDTH_PX, HEIGHT_PX = 320, 180
MIN_FRAMES = 8
# A step of brightness that counts as an edge, and how far beside a border there must be fewer of them.
_EDGE = 10
_BESIDE_PX = 4
_MAX_LINES = 36
# Of the picture's width and height; a camera is neither a bar nor most of the game.
_WIDTHS, _HEIGHTS, _ASPECTS = (0.09, 0.45), (0.14, 0.6), (0.7, 2.3)
# Who sits still moves little; a picture that stays is no camera.
_MIN_SIDE, _MIN_MOTION = 0.3, 0.2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A rectangle that may be the camera. `score`: 0 to 1, how well its weakest border stays."""

    camera: Rectangle
    score: float


def small_pictures(frames: Iterable[VideoFrame], *, sample_aspect: Fraction | None) -> Smalls:
    """Return frames of one source as small grey pictures, upright; shape (num_frames, 180, 320)."""
    scaler = Scaler(lambda w, h: squeezed(w, h, (WIDTH_PX, HEIGHT_PX)), sample_aspect=sample_aspect)
    smalls = [planes_of(scaler.scale(frame))[0].astype(np.float32) for frame in frames]
    return np.array(smalls, np.float32).reshape(-1, HEIGHT_PX, WIDTH_PX)


def find_cameras(smalls: Smalls, *, max_count: int = 3) -> list[Proposal]:
    """Return rectangles that may be a camera, the likeliest first, apart from each other; none from too few pictures.

    Args:
        smalls: what `small_pictures` returned of some dozens of frames, best half a second or more apart.
    """
    if len(smalls) < MIN_FRAMES:
        return []
    upright = _borders(np.abs(np.diff(smalls, axis=2)))
    level = _borders(np.abs(np.diff(smalls, axis=1)).transpose(0, 2, 1)).T
    motion = np.abs(np.diff(smalls, axis=0)).mean(axis=0)
    found = _rectangles(upright, level, motion)
    return _apart(found, max_count)


def _borders(steps: Smalls) -> Floats:
    """Return how much more often there is an edge between two columns than beside it; shape (rows, columns - 1).

    Args:
        steps: differences of neighbouring columns; shape (num_frames, rows, columns - 1).
    """
    often = np.asarray((steps > _EDGE).mean(axis=0), np.float64)
    # A border may lie a pixel aside in some rows, and scaling spreads it over two.
    padded = np.pad(often, ((0, 0), (1, 1)))
    peak = np.maximum(np.maximum(padded[:, :-2], padded[:, 2:]) * 0.8, often)
    wide = np.pad(often, ((0, 0), (_BESIDE_PX, _BESIDE_PX)), mode="edge")
    count = often.shape[1]
    beside = (wide[:, :count] + wide[:, 2 * _BESIDE_PX : 2 * _BESIDE_PX + count]) / 2
    return np.asarray(np.clip(peak - beside, 0, None), np.float64)


def _lines(borders: Floats, min_rows: int) -> list[int]:
    """Return the columns along which a border stays for at least `min_rows` rows, the clearest ones."""
    sums = _sums_down(borders)
    strength = (sums[min_rows:] - sums[:-min_rows]).max(axis=0) / min_rows
    chosen: list[int] = []
    for column in np.argsort(-strength, kind="stable"):
        if len(chosen) == _MAX_LINES or strength[column] < _MIN_SIDE:
            break
        if all(abs(int(column) - other) >= 2 for other in chosen):
            chosen.append(int(column))
    return sorted(chosen)


def _rectangles(upright: Floats, level: Floats, motion: Smalls) -> list[Proposal]:
    # A line k lies between the columns k and k + 1; -1 and the last are the picture's own edges.
    columns = [-1, *_lines(upright, round(_HEIGHTS[0] * HEIGHT_PX)), WIDTH_PX - 1]
    rows = [-1, *_lines(level.T, round(_WIDTHS[0] * WIDTH_PX)), HEIGHT_PX - 1]
    down, across = _sums_down(upright), _sums_down(level.T)
    moved = np.pad(np.cumsum(np.cumsum(motion.astype(np.float64), axis=0), axis=1), ((1, 0), (1, 0)))
    found = []
    for (left, right), (top, bottom) in itertools.product(
        _pairs(columns, WIDTH_PX, _WIDTHS), _pairs(rows, HEIGHT_PX, _HEIGHTS)
    ):
        x, y, x_end, y_end = left + 1, top + 1, right + 1, bottom + 1
        width, height = x_end - x, y_end - y
        if not _ASPECTS[0] <= width / height <= _ASPECTS[1]:
            continue
        sides = [(down[y_end, k] - down[y, k]) / height for k in (left, right) if 0 <= k < WIDTH_PX - 1]
        levels = [(across[x_end, k] - across[x, k]) / width for k in (top, bottom) if 0 <= k < HEIGHT_PX - 1]
        if not sides or not levels:
            continue
        score = float(min(*sides, *levels))
        inside = moved[y_end, x_end] - moved[y, x_end] - moved[y_end, x] + moved[y, x]
        if score >= _MIN_SIDE and inside / (width * height) >= _MIN_MOTION:
            found.append(_proposal((x, y, x_end, y_end), score))
    return found


def _sums_down(borders: Floats) -> Floats:
    return np.concatenate([np.zeros((1, borders.shape[1])), np.cumsum(borders, axis=0)])


def _pairs(lines: Sequence[int], length: int, shares: tuple[float, float]) -> list[tuple[int, int]]:
    low, high = (share * length for share in shares)
    return [(a, b) for a, b in itertools.combinations(lines, 2) if low <= b - a <= high]


def _proposal(box: tuple[int, int, int, int], score: float) -> Proposal:
    left, top, right, bottom = box
    camera = Rectangle(
        x=round(left / WIDTH_PX, 4),
        y=round(top / HEIGHT_PX, 4),
        width=round((right - left) / WIDTH_PX, 4),
        height=round((bottom - top) / HEIGHT_PX, 4),
    )
    return Proposal(camera=camera, score=round(min(1.0, score), 3))


def _apart(found: list[Proposal], max_count: int) -> list[Proposal]:
    """Keep the best of those that overlap: of nearly equal borders the larger, which has the smaller inside."""
    ranked = sorted(
        found, key=lambda one: (-one.score * _area(one.camera) ** 0.15, one.camera.x, one.camera.y)
    )
    kept: list[Proposal] = []
    for one in ranked:
        if len(kept) == max_count:
            break
        if all(overlap(one.camera, other.camera) == 0 for other in kept):
            kept.append(one)
    return kept


def _area(camera: Rectangle) -> float:
    return camera.width * camera.height


def overlap(one: Rectangle, other: Rectangle) -> float:
    """Return the share of both together that both cover: 1 for the same rectangle, 0 for two apart."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(0.0, across) * max(0.0, down)
    return both / (_area(one) + _area(other) - both)
