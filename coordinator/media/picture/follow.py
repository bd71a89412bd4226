"""Automatic framing by motion: one cheap look at a span says where a window should be, all along it.

What moves is found on small grey pictures, ten a second. Nothing is known of faces or of games: the window goes where
brightness changes most, rests where nothing does, and jumps only where the source itself cuts.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from coordinator.media.picture.frames import Scaler, planes_of, upright_size
from coordinator.media.picture.geometry import fill, squeezed
from coordinator.media.picture.steering import Gentleness, Path, best_places, resting, steered

Small = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]
SMALL_WIDTH_PX, SMALL_HEIGHT_PX = 160, 90
SAMPLE_EVERY_S = 0.1
# Changes below are the noise of an encoder and of a camera.
_NOISE = 8
# A cut changes most of the picture, and which shades there are; a fast turn of the view changes only the first.
_CUT_CHANGE, _CUT_SHADES = 16.0, 0.28
# Frames between two samples that are held to find which of them the cut is.
_MAX_HELD = 8
_FLASH_S = 0.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FollowPlan:
    """Where the window's middle is at each time of the source's own clock."""

    x: Path
    y: Path

    def at(self, frame: VideoFrame) -> tuple[float, float]:
        """Return the middle as shares of the picture; a frame without a time has the first's."""
        time_s = frame.time if frame.pts is not None else self.x.starts_s[0]
        return self.x.at(time_s), self.y.at(time_s)


@dataclasses.dataclass(slots=True, kw_only=True)
class _Seen:
    """What a look at the pictures gathered."""

    start_s: float = 0.0
    end_s: float = 0.0
    windows: tuple[float, float] = (1.0, 1.0)
    cuts: list[_Cut] = dataclasses.field(default_factory=list)
    times_s: list[float] = dataclasses.field(default_factory=list)
    columns: list[Floats] = dataclasses.field(default_factory=list)
    rows: list[Floats] = dataclasses.field(default_factory=list)

    def add(self, time_s: float, previous: Small, small: Small) -> None:
        """Note where one small picture differs from the one before."""
        change = np.clip(np.abs(small - previous) - _NOISE, 0, None)
        self.times_s.append(time_s)
        self.columns.append(change.mean(axis=0))
        self.rows.append(change.mean(axis=1))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    time_s: float
    before: Small
    after: Small


def plan_follow(
    pictures: Iterable[tuple[float, VideoFrame]],
    *,
    width: int,
    height: int,
    zoom: float = 1.0,
    sample_aspect: Fraction | None,
    until_s: float | None = None,
    rules: Gentleness | None = None,
) -> FollowPlan:
    """Look at a span's pictures and return where a window should be that fills `width` x `height`.

    Args:
        pictures: (seconds, frame), in order of time; they are not changed.
        until_s: stop looking at this time of theirs.

    Raises:
        MediaUnusable: As `pictures`.
    """
    seen = _look(pictures, (width, height), zoom, sample_aspect, until_s)
    if not seen.times_s:
        return FollowPlan(x=resting(0.5), y=resting(0.5))
    starts_s = (seen.start_s, *(cut.time_s for cut in _without_flashes(seen.cuts)))
    rules = rules or Gentleness()
    return FollowPlan(
        x=_axis(seen, starts_s, np.array(seen.columns), seen.windows[0], rules),
        y=_axis(seen, starts_s, np.array(seen.rows), seen.windows[1], rules),
    )


def _look(
    pictures: Iterable[tuple[float, VideoFrame]],
    box: tuple[int, int],
    zoom: float,
    sample_aspect: Fraction | None,
    until_s: float | None,
) -> _Seen:
    seen = _Seen()
    shrink = _Shrinker(sample_aspect)
    previous: Small | None = None
    held: list[VideoFrame] = []
    due_s = -math.inf
    for time_s, frame in pictures:
        if until_s is not None and time_s > until_s:
            break
        if frame.pts is None:
            continue
        seen.end_s = frame.time
        if time_s < due_s and len(held) < _MAX_HELD:
            held.append(frame)
            continue
        due_s = time_s + SAMPLE_EVERY_S - 0.001
        small = shrink(frame)
        if previous is None:
            seen.windows = _windows(frame, box, zoom, sample_aspect)
            seen.start_s = frame.time
        elif _is_cut(previous, small):
            seen.cuts.append(_cut_among(previous, [*held, frame], shrink))
        else:
            seen.add(frame.time, previous, small)
        previous = small
        held = []
    return seen


class _Shrinker:
    """Makes the small grey picture of a frame, upright."""

    def __init__(self, sample_aspect: Fraction | None) -> None:
        # Its shape may be wrong: only places count, as shares.
        self._scaler = Scaler(
            lambda w, h: squeezed(w, h, (SMALL_WIDTH_PX, SMALL_HEIGHT_PX)), sample_aspect=sample_aspect
        )

    def __call__(self, frame: VideoFrame) -> Small:
        return planes_of(self._scaler.scale(frame))[0].astype(np.int16)


def _windows(
    frame: VideoFrame, box: tuple[int, int], zoom: float, sample_aspect: Fraction | None
) -> tuple[float, float]:
    """Return the window's shares of the upright picture's width and height."""
    width, height = upright_size(frame, sample_aspect)
    at = fill((0, 0, width, height), box, focus=(width / 2, height / 2), zoom=zoom)
    return at.crop_width / width, at.crop_height / height


def _is_cut(before: Small, after: Small) -> bool:
    if _change(before, after) < _CUT_CHANGE:
        return False
    shades = [np.bincount((small >> 3).ravel(), minlength=32) / small.size for small in (before, after)]
    return float(np.abs(shades[0] - shades[1]).sum()) / 2 >= _CUT_SHADES


def _change(before: Small, after: Small) -> float:
    return float(np.abs(after - before).mean())


def _cut_among(previous: Small, frames: list[VideoFrame], shrink: _Shrinker) -> _Cut:
    """Return the cut at the frame that differs most from the one before it."""
    smalls = [previous, *(shrink(frame) for frame in frames)]
    steps = [_change(before, after) for before, after in itertools.pairwise(smalls)]
    k = int(np.argmax(steps))
    return _Cut(time_s=frames[k].time, before=smalls[k], after=smalls[k + 1])


def _without_flashes(cuts: list[_Cut]) -> list[_Cut]:
    """Leave out what comes back within half a second: a flash or an explosion is no new scene."""
    kept: list[_Cut] = []
    for cut in cuts:
        is_back = (
            bool(kept)
            and cut.time_s - kept[-1].time_s <= _FLASH_S
            and _change(kept[-1].before, cut.after) < _CUT_CHANGE
        )
        if is_back:
            kept.pop()
        else:
            kept.append(cut)
    return kept


def _axis(
    seen: _Seen, starts_s: tuple[float, ...], profiles: Floats, window: float, rules: Gentleness
) -> Path:
    if window >= 1:
        return resting(0.5)
    times_s = np.array(seen.times_s)
    bounds = np.searchsorted(times_s, starts_s[1:])
    levels = profiles.mean(axis=1)
    places = []
    for k, (times, rows, loud) in enumerate(
        zip(np.split(times_s, bounds), np.split(profiles, bounds), np.split(levels, bounds), strict=True)
    ):
        if not len(times):
            places.append(np.array([0.5]))
            continue
        end_s = starts_s[k + 1] if k + 1 < len(starts_s) else seen.end_s
        wanted = best_places(
            smoothed(rows, rules), smoothed(loud[:, None], rules)[:, 0], window=window, rules=rules
        )
        targets = smoothed(wanted[:, None], rules)[:, 0]
        at_s = [starts_s[k], *times[1:]]
        places.append(steered(at_s, targets, end_s, window=window, rules=rules))
    return Path(starts_s=starts_s, places=tuple(places))


def smoothed(rows: Floats, rules: Gentleness) -> Floats:
    """Return the mean over `smoothing_s` on both sides, less at the ends; shape (num_samples, any)."""
    reach = max(1, round(rules.smoothing_s / SAMPLE_EVERY_S))
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    index = np.arange(len(rows))
    first, last = np.maximum(index - reach, 0), np.minimum(index + reach + 1, len(rows))
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None], np.float64)
