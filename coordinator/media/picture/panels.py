"""Canvases of several parts: bars around a whole picture, a camera above its game. One thread."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction

from av.video.frame import VideoFrame

from coordinator.media.picture.frames import Canvas, Layout, Scaler, blank, planes_of, upright_size
from coordinator.media.picture.geometry import Region, even, fill, place
from coordinator.model.framing import Framing, Rectangle

# Of the height of a stack, where a layout does not say: a camera of 16:9 is whole at 0.32, one of 4:3 at 0.42.
MIN_CAMERA_SHARE, MAX_CAMERA_SHARE = 0.2, 0.5
_BLACK = (16, 128, 128)


class Bars:
    """The whole picture in the middle of a black canvas."""

    def __init__(self, width: int, height: int, *, sample_aspect: Fraction | None) -> None:
        self.width, self.height = width, height
        self._scaler = Scaler(
            lambda w, h: place(w, h, (width, height), zoom=1.0), sample_aspect=sample_aspect
        )
        self._composed = blank(width, height)

    def compose(self, frame: VideoFrame) -> VideoFrame:
        """Return `frame` between its bars, or the scaled one where it needs none; written anew by the next call."""
        picture = self._scaler.scale(frame)
        at = self._scaler.placement
        if at is None or (at.width, at.height) == (self.width, self.height):
            return picture
        composed = self._composed
        composed.make_writable()  # Whoever still holds the picture before keeps it as it was.
        for plane, black in zip(planes_of(composed), _BLACK, strict=True):
            plane[:] = black
        paste(picture, composed, at.x, at.y)
        return composed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A part of a canvas: what makes its picture, and the row where it begins. As wide as the canvas."""

    compose: Callable[[VideoFrame], VideoFrame]
    y: int


class Stack:
    """Panels one above the other, which fill the canvas together."""

    def __init__(self, width: int, height: int, panels: Sequence[Panel]) -> None:
        self.width, self.height = width, height
        self._panels = panels
        self._composed = blank(width, height)

    def compose(self, frame: VideoFrame) -> VideoFrame:
        """Return every panel's picture of `frame` on one; written anew by the next call."""
        composed = self._composed
        composed.make_writable()
        for panel in self._panels:
            paste(panel.compose(frame), composed, 0, panel.y)
        return composed


def camera_and_game(
    framing: Framing, camera: Rectangle, width: int, height: int, *, sample_aspect: Fraction | None
) -> Callable[[VideoFrame], VideoFrame]:
    """Return what stacks a camera and a game; it takes its measures from the first frame it is given."""
    stack: Stack | None = None

    def compose(frame: VideoFrame) -> VideoFrame:
        nonlocal stack
        if stack is None:
            aspect = _aspect_of(frame, camera, sample_aspect)
            stack = _stack(framing, camera, aspect, (width, height), sample_aspect)
        return stack.compose(frame)

    return compose


def _stack(
    framing: Framing,
    camera: Rectangle,
    aspect: float,
    canvas: tuple[int, int],
    sample_aspect: Fraction | None,
) -> Stack:
    width, height = canvas
    camera_height = camera_height_px(framing, aspect, width, height)
    game_height = height - camera_height
    faces = Scaler(
        lambda w, h: fill(part_of(camera, w, h), (width, camera_height), focus=middle_of(camera, w, h)),
        sample_aspect=sample_aspect,
    )
    if framing.game == "whole":
        layout = Layout(zoom=framing.zoom or 1.0)
        game = Canvas(width, game_height, layout=layout, sample_aspect=sample_aspect).compose
    else:
        game = filling(framing, width, game_height, sample_aspect=sample_aspect).scale
    is_first = framing.camera_at == "top"
    return Stack(
        width,
        height,
        [
            Panel(compose=faces.scale, y=0 if is_first else game_height),
            Panel(compose=game, y=camera_height if is_first else 0),
        ],
    )


def camera_height_px(framing: Framing, aspect: float, width: int, height: int) -> int:
    """Return how many rows of a stack the camera has, even; `aspect`: its own width to height."""
    share = framing.camera_share
    if share is None:
        share = min(MAX_CAMERA_SHARE, max(MIN_CAMERA_SHARE, width / aspect / height))
    return min(height - 2, even(height * share))


def filling(framing: Framing, width: int, height: int, *, sample_aspect: Fraction | None) -> Scaler:
    """Return what cuts a frame around the framing's focus so that it fills a box."""
    return Scaler(
        lambda w, h: fill(
            (0, 0, w, h),
            (width, height),
            focus=(framing.focus_x * w, framing.focus_y * h),
            zoom=framing.zoom or 1.0,
        ),
        sample_aspect=sample_aspect,
    )


def part_of(rectangle: Rectangle, width: int, height: int) -> Region:
    """Return a rectangle of shares in pixels of a picture, inside it."""
    x, y = rectangle.x * width, rectangle.y * height
    return x, y, min(rectangle.width * width, width - x), min(rectangle.height * height, height - y)


def middle_of(rectangle: Rectangle, width: int, height: int) -> tuple[float, float]:
    """Return the middle of a rectangle of shares in pixels of a picture."""
    x, y, across, down = part_of(rectangle, width, height)
    return x + across / 2, y + down / 2


def _aspect_of(frame: VideoFrame, camera: Rectangle, sample_aspect: Fraction | None) -> float:
    _, _, across, down = part_of(camera, *upright_size(frame, sample_aspect))
    return across / down


def paste(picture: VideoFrame, onto: VideoFrame, x: int, y: int) -> None:
    """Copy a yuv420p picture onto another at an even place where it fits."""
    for index, (target, source) in enumerate(zip(planes_of(onto), planes_of(picture), strict=True)):
        half = 1 if index == 0 else 2
        top, left = y // half, x // half
        target[top : top + source.shape[0], left : left + source.shape[1]] = source
