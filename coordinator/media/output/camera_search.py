"""Propose where the camera is in a clip, for a layout that stacks it above the game."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from av.video.frame import VideoFrame

from coordinator.media.intake.decoding import outline, pictures
from coordinator.media.output.choosing import key_pictures
from coordinator.media.picture.camera import Proposal, find_cameras, small_pictures

MAX_FRAMES = 40
# Key frames are cheap; where a file has too few of them, every picture of its beginning is decoded.
_MIN_KEY_FRAMES = 12
_KEY_LOOK_S, _LOOK_S = 300.0, 30.0
_APART_S = 0.7


def propose_cameras(src: Path) -> list[Proposal]:
    """Return rectangles of a clip that may be its camera, the likeliest first; see `picture.camera`.

    Raises:
        MediaUnusable: There is no picture that can be decoded.
    """
    found = outline(src)
    aspect = found.sample_aspect
    keys = small_pictures(_spread(key_pictures(src, 0.0, _KEY_LOOK_S)), sample_aspect=aspect)
    if len(keys) >= _MIN_KEY_FRAMES:
        return find_cameras(keys)
    every = small_pictures(_spread(_first(pictures(src))), sample_aspect=aspect)
    return find_cameras(every if len(every) > len(keys) else keys)


def _first(shown: Iterable[tuple[float, VideoFrame]]) -> Iterator[tuple[float, VideoFrame]]:
    for at_s, frame in shown:
        if at_s > _LOOK_S:
            return
        yield at_s, frame


def _spread(shown: Iterable[tuple[float, VideoFrame]]) -> Iterator[VideoFrame]:
    last_s, num_frames = -_APART_S, 0
    for at_s, frame in shown:
        if num_frames == MAX_FRAMES:
            return
        if at_s >= last_s + _APART_S - 0.01:
            last_s, num_frames = at_s, num_frames + 1
            yield frame
