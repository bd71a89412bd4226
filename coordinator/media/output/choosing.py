"""Which picture of a clip shows it best: sharp, well lit, in no transition, and near the moment. Deterministic.

Key frames are looked at all along the clip, and every few pictures around the moment; what looks best is then looked
at once more between its neighbours. The same file always gives the same choice.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from coordinator.media.intake.decoding import Outline, outline, pictures
from coordinator.media.intake.opening import check_size, open_media, origin_s, translating, video_of
from coordinator.media.picture.frames import Scaler, planes_of, upright_size
from coordinator.media.picture.geometry import place, within

Luma = npt.NDArray[np.int16]
SMALL_PX = 320
# Of a longer clip only this much around the moment is looked at.
MAX_LOOK_S = 120.0
_NEAR_S, _NEAR_STEP_S = 1.5, 0.15
# How far a better neighbour may be, and how far to both sides a transition is looked for.
_REFINE_S, _ASIDE_S = 0.2, 0.12
_TRIES_FOR_EACH = 4
_DARK, _BRIGHT, _FLAT = 30.0, 225.0, 8.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A picture that may stand for its clip. `score`: 0 to 1, above 0."""

    at_s: float
    score: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    at_s: float
    small: Luma
    sharpness: float
    light: float


def best_pictures(src: Path, *, count: int, peak_s: float | None = None) -> list[Candidate]:
    """Return the best pictures of a clip, best first, apart from each other; fewer where there are no more.

    Where nothing but black, white or a flat colour is found, there is one: the picture at the moment, of score 0.

    Args:
        peak_s: when it happens, in seconds of the clip; None: not known, all of it counts the same.

    Raises:
        MediaUnusable: There is no picture that can be decoded.
    """
    found = outline(src)
    length_s = found.duration_s if found.duration_s is not None else MAX_LOOK_S
    if peak_s is not None:
        peak_s = min(max(peak_s, 0.0), length_s)
    middle_s = peak_s if peak_s is not None else length_s / 2
    start_s = min(max(0.0, middle_s - MAX_LOOK_S / 2), max(0.0, length_s - MAX_LOOK_S))
    looker = _Looker(found)
    looks = [looker.look(at_s, frame) for at_s, frame in key_pictures(src, start_s, start_s + MAX_LOOK_S)]
    if peak_s is not None or sum(look.light > 0 for look in looks) < count:
        looks += _near(src, middle_s, looker)
    ranked = _ranked(looks, peak_s)
    chosen = _apart(src, ranked, count, looker, min(1.0, length_s / (count + 1)))
    return chosen or [Candidate(at_s=middle_s, score=0.0)]


class _Looker:
    """Measures frames of one source."""

    def __init__(self, found: Outline) -> None:
        self._sample_aspect = found.sample_aspect
        self._scaler: Scaler | None = None

    def look(self, at_s: float, frame: VideoFrame) -> _Look:
        """Return what a frame looks like."""
        if self._scaler is None:
            size = within(
                *upright_size(frame, self._sample_aspect), max_long_px=SMALL_PX, max_short_px=SMALL_PX
            )
            self._scaler = Scaler(
                lambda w, h: place(w, h, size, zoom=math.inf), sample_aspect=self._sample_aspect
            )
        small = planes_of(self._scaler.scale(frame))[0].astype(np.int16)
        return _Look(at_s=at_s, small=small, sharpness=sharpness(small), light=light(small))


def sharpness(luma: Luma) -> float:
    """Return the mean strength of fine detail: what a blur takes away first."""
    if min(luma.shape) < 3:
        return 0.0
    inner = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float(np.abs(4 * inner - around).mean())


def light(luma: Luma) -> float:
    """Return how well lit a picture is: 0 for black, white or one flat colour, up to 1."""
    mean, spread = float(luma.mean()), float(luma.std())
    if mean < _DARK or mean > _BRIGHT or spread < _FLAT:
        return 0.0
    visible = float(((luma > 28) & (luma < 230)).mean())
    return (0.3 + 0.7 * visible) * min(1.0, spread / 40)


def is_transition(before: Luma, luma: Luma, after: Luma) -> bool:
    """Is a picture the mixture of two that differ, as in a dissolve or a fade?"""
    change = float(np.abs(after - before).mean())
    return change > 12 and float(np.abs(luma - (before + after) / 2).mean()) < 0.35 * change


def key_pictures(src: Path, start_s: float, end_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """Yield key frames alone: a decoder skips the rest almost for nothing."""
    with open_media(src) as container, translating(src, "decode"):
        stream = video_of(container)
        if stream is None:
            return
        stream.codec_context.skip_frame = "NONKEY"
        zero_s = origin_s(container)
        if start_s > 0 and stream.time_base is not None:
            container.seek(int((start_s + zero_s) / stream.time_base), stream=stream)
        for packet in container.demux(stream):
            try:
                frames = stream.decode(packet)
            except av.FFmpegError:
                continue
            for frame in frames:
                check_size(src, frame)
                at_s = frame.time - zero_s if frame.pts is not None else -1.0
                if at_s > end_s:
                    return
                # What lies before 0 is hidden by the file's edit list: it is nobody's to show.
                if at_s >= max(0.0, start_s):
                    yield at_s, frame


def _near(src: Path, peak_s: float, looker: _Looker) -> list[_Look]:
    looks: list[_Look] = []
    for at_s, frame in pictures(src, start_s=max(0.0, peak_s - _NEAR_S)):
        if at_s > peak_s + _NEAR_S:
            break
        if at_s >= 0 and (not looks or at_s >= looks[-1].at_s + _NEAR_STEP_S):
            looks.append(looker.look(at_s, frame))
    return looks


def _ranked(looks: list[_Look], peak_s: float | None) -> list[tuple[float, _Look]]:
    lit = [look for look in looks if look.light > 0]
    if not lit:
        return []
    sharp = max(1e-6, float(np.quantile([look.sharpness for look in lit], 0.9)))
    scored = [(_score(look, sharp, peak_s), look) for look in lit]
    return sorted(scored, key=lambda one: (-one[0], one[1].at_s))


def _score(look: _Look, sharp: float, peak_s: float | None) -> float:
    # The root: grass is sharper than a face, and no better for it.
    near = 1.0 if peak_s is None else 0.45 + 0.55 * math.exp(-(((look.at_s - peak_s) / 2.5) ** 2))
    return math.sqrt(min(1.0, look.sharpness / sharp)) * look.light * near


def _apart(
    src: Path, ranked: list[tuple[float, _Look]], count: int, looker: _Looker, apart_s: float
) -> list[Candidate]:
    """Return the best that are neither transitions nor too like, or too near, one that was taken."""
    taken: list[tuple[Candidate, Luma]] = []
    num_tries = 0
    for score, look in ranked:
        if len(taken) == count or num_tries == count * _TRIES_FOR_EACH:
            break
        if any(
            abs(look.at_s - one.at_s) < apart_s or float(np.abs(look.small - small).mean()) < 3
            for one, small in taken
        ):
            continue
        num_tries += 1
        refined = _refined(src, look.at_s, looker)
        if refined is not None:
            taken.append((Candidate(at_s=round(refined.at_s, 3), score=round(score, 3)), refined.small))
    return [one for one, _ in taken]


def _refined(src: Path, at_s: float, looker: _Looker) -> _Look | None:
    """Return the sharpest picture around `at_s` that is no transition, or None."""
    looks: list[_Look] = []
    for time_s, frame in pictures(src, start_s=max(0.0, at_s - _REFINE_S - _ASIDE_S)):
        if time_s > at_s + _REFINE_S + _ASIDE_S:
            break
        if time_s >= 0:
            looks.append(looker.look(time_s, frame))
    good = [
        look
        for look in looks
        if abs(look.at_s - at_s) <= _REFINE_S and look.light > 0 and not _is_between(look, looks)
    ]
    return max(good, key=lambda look: (look.sharpness * look.light, -look.at_s), default=None)


def _is_between(look: _Look, looks: list[_Look]) -> bool:
    before = [other for other in looks if other.at_s <= look.at_s - _ASIDE_S]
    after = [other for other in looks if other.at_s >= look.at_s + _ASIDE_S]
    return bool(before and after) and is_transition(before[-1].small, look.small, after[0].small)
