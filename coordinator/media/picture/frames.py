"""Make decoded frames upright, square-pixelled, 8 bit 4:2:0 BT.709, and compose them on a canvas."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from av.filter.graph import Graph
from av.video.frame import VideoFrame

from coordinator.media.intake.probe import clockwise_degrees, display_matrix
from coordinator.media.picture.geometry import Placement, display_size, even, place
from coordinator.media.picture.tones import HDR_TRANSFERS, Tones

Plane = npt.NDArray[np.uint8]
BT709 = 1
# AVColorSpace by number: what a frame says of itself, in the scale filter's words.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_OUTPUT_COLOURS = "out_color_matrix=bt709:out_range=tv"
_BACKGROUND_SCALE = 10
_BACKGROUND_BRIGHTNESS = 0.6
_BACKGROUND_SATURATION = 0.75
_SHADOW_ROWS = 7


def planes_of(frame: VideoFrame) -> list[Plane]:
    """Return views of a frame's planes without their padding; writing to them changes the frame."""
    return [
        np.frombuffer(cast("memoryview", plane), np.uint8).reshape(-1, plane.line_size)[
            : plane.height, : plane.width
        ]
        for plane in frame.planes
    ]


def upright_size(frame: VideoFrame, sample_aspect: Fraction | None) -> tuple[int, int]:
    """Return the size at which a decoded frame is shown: square pixels, turned as it asks."""
    width, height = display_size(frame.width, frame.height, sample_aspect)
    is_on_side = clockwise_degrees(display_matrix(frame)) in (90, 270)
    return (height, width) if is_on_side else (width, height)


class Scaler:
    """Turns decoded frames upright and scales the part that `plan` asks for. One thread.

    Rebuilds itself when the source changes its size, format or orientation on the way.
    """

    def __init__(
        self,
        plan: Callable[[int, int], Placement],
        *,
        sample_aspect: Fraction | None,
        blur_sigma: float = 0.0,
    ) -> None:
        self._plan = plan
        self._sample_aspect = sample_aspect
        self._blur_sigma = blur_sigma
        self._graph: Graph | None = None
        self._tones: Tones | None = None
        self._shape: tuple[Any, ...] = ()
        self.placement: Placement | None = None

    def scale(self, frame: VideoFrame) -> VideoFrame:
        """Return the planned part of `frame` as yuv420p, BT.709, limited range."""
        shape = (
            *(frame.width, frame.height, frame.format.name, frame.rotation),
            *(frame.colorspace, frame.color_range, frame.color_trc),
        )
        if self._graph is None or shape != self._shape:
            # Asking a frame for its side data ties it into a cycle: of each frame it would keep hundreds alive.
            self._graph, self._shape = self._build(frame, display_matrix(frame)), shape
        # The graph wants no clock of the source; whoever composes the same frame next may.
        pts, frame.pts = frame.pts, None
        self._graph.vpush(frame)
        frame.pts = pts
        scaled = self._graph.vpull()
        return scaled if self._tones is None else self._tones.standard(scaled)

    def _build(self, frame: VideoFrame, matrix: tuple[int, int, int, int]) -> Graph:
        turned, is_on_side = _upright_steps(matrix)
        width, height = display_size(frame.width, frame.height, self._sample_aspect)
        coded = (frame.width, frame.height)
        if is_on_side:
            width, height, coded = height, width, coded[::-1]
        self.placement = at = self._plan(width, height)
        # Crop in the source's own pixels, so that one scaling does both.
        x_scale, y_scale = coded[0] / width, coded[1] / height
        crop = (
            max(1, round(at.crop_width * x_scale)),
            max(1, round(at.crop_height * y_scale)),
            round(at.crop_x * x_scale),
            round(at.crop_y * y_scale),
        )
        steps = list(turned)
        if crop[:2] != coded:
            steps.append(("crop", ":".join(map(str, crop)) + f":exact={exactness(frame)}"))
        blur = [("gblur", f"sigma={self._blur_sigma}:steps=2")] if self._blur_sigma else []
        size = f"{at.width}:{at.height}"
        if frame.color_trc in HDR_TRANSFERS:
            self._tones = Tones(at.width, at.height, frame.color_trc)
            if steps or coded != (at.width, at.height) or not _is_plain_hdr(frame):
                # Scaling what is right already would copy it: 31 MB at 4K.
                colours = f"{_input_colours(frame)}:out_color_matrix=bt2020:out_range=tv"
                steps.append(("scale", f"{size}:{colours}"))
            return _graph(frame, [*steps, ("format", "yuv420p10le"), *blur])
        self._tones = None
        steps.append(("scale", f"{size}:{_input_colours(frame)}:{_OUTPUT_COLOURS}"))
        return _graph(frame, [*steps, ("format", "yuv420p"), *blur])


def _is_plain_hdr(frame: VideoFrame) -> bool:
    matrix = _MATRICES.get(frame.colorspace, "bt2020")
    return frame.format.name == "yuv420p10le" and matrix == "bt2020" and frame.color_range != 2


def exactness(frame: VideoFrame) -> int:
    """Return what the crop filter may do to a frame: 1 = any pixel, 0 = only where all planes have one."""
    # From an odd pixel of two bytes it would read chroma from the middle of a sample.
    return int(all(component.bits <= 8 for component in frame.format.components))


def _graph(frame: VideoFrame, steps: list[tuple[str, str]]) -> Graph:
    graph = Graph()
    graph.threads = 1  # One graph a frame is too little work to share.
    source = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1000"
        f":colorspace={frame.colorspace}:range={frame.color_range}",
    )
    nodes = [graph.add(name, arguments) for name, arguments in steps]
    graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
    return graph


def _input_colours(frame: VideoFrame) -> str:
    # Files that do not say mean BT.709 in high definition and BT.601 below, as every player assumes.
    guess = "bt709" if max(frame.width, frame.height) >= 1280 or frame.height >= 720 else "smpte170m"
    if frame.color_trc in HDR_TRANSFERS:
        guess = "bt2020"
    options = f"flags=bicubic:in_color_matrix={_MATRICES.get(frame.colorspace, guess)}"
    if frame.color_range in (1, 2):
        options += f":in_range={'tv' if frame.color_range == 1 else 'pc'}"
    return options


def _upright_steps(matrix: tuple[int, int, int, int]) -> tuple[list[tuple[str, str]], bool]:
    """Return the filters that undo a display matrix, and whether width and height change places."""
    a, b, c, d = matrix
    is_mirrored = a * d - b * c < 0
    degrees = clockwise_degrees(matrix)
    if degrees == 90:
        return [("transpose", "cclock_flip" if is_mirrored else "clock")], True
    if degrees == 270:
        return [("transpose", "clock_flip" if is_mirrored else "cclock")], True
    if degrees == 180:
        return [("hflip", "")] if is_mirrored else [("hflip", ""), ("vflip", "")], False
    return [("vflip", "")] if is_mirrored else [], False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a picture sits on a canvas of another shape: `zoom` 1 shows all of it, more crops its sides."""

    zoom: float = 1.0
    background_every: int = 2


class Canvas:
    """Composes frames: the picture in the middle, a blurred and darkened copy of it behind. One thread.

    The background is made at a tenth of the size and refreshed every `background_every` frames: behind a
    blur nobody sees it, and what stays the same costs the encoder nothing.
    """

    def __init__(self, width: int, height: int, *, layout: Layout, sample_aspect: Fraction | None) -> None:
        self.width, self.height = width, height
        self._background_every = layout.background_every
        self._front = Scaler(
            lambda w, h: place(w, h, (width, height), zoom=layout.zoom), sample_aspect=sample_aspect
        )
        small = even(width / _BACKGROUND_SCALE), even(height / _BACKGROUND_SCALE)
        self._back = Scaler(
            lambda w, h: place(w, h, small, zoom=math.inf), sample_aspect=None, blur_sigma=3.0
        )
        self._enlarge: Graph | None = None
        self._backdrop: VideoFrame | None = None
        self._composed = blank(width, height)
        self._num_composed = 0

    def compose(self, frame: VideoFrame) -> VideoFrame:
        """Return `frame` on the canvas or, where it fills it, the scaled one; written anew by the next call."""
        front = self._front.scale(frame)
        at = self._front.placement
        if at is None or (at.width, at.height) == (self.width, self.height):
            return front
        age = self._num_composed % self._background_every
        if age == 0 or self._backdrop is None:
            self._backdrop = self._background_of(front, at)
        self._num_composed += 1
        if age + 1 == self._background_every:
            # Nobody needs this background again: the picture is put right onto it.
            composed, self._backdrop = self._backdrop, None
        else:
            # One buffer for all: a fresh one of 3 MB costs more in page faults than what is written to it.
            composed = self._composed
            composed.make_writable()  # Whoever still holds the picture before keeps it as it was.
            _surround(composed, self._backdrop, at)
        for index, (target, picture) in enumerate(zip(planes_of(composed), planes_of(front), strict=True)):
            half = 1 if index == 0 else 2
            top, left = at.y // half, at.x // half
            target[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        return composed

    def _background_of(self, front: VideoFrame, at: Placement) -> VideoFrame:
        """Make a background from the picture as it is shown: it holds all that is seen behind it."""
        small = self._back.scale(front)
        luma = planes_of(small)[0]
        shade = _shade(luma.shape[0], luma.shape[1], at, self.height / luma.shape[0])
        luma[:] = (16 + (luma.astype(np.float32) - 16).clip(0) * shade).astype(np.uint8)
        for chroma in planes_of(small)[1:]:
            chroma[:] = (128 + (chroma.astype(np.float32) - 128) * _BACKGROUND_SATURATION).astype(np.uint8)
        if self._enlarge is None:
            self._enlarge = _graph(small, [("scale", f"{self.width}:{self.height}:flags=bilinear")])
        # By a graph, which has the memory of its pictures back for the next one.
        self._enlarge.vpush(small)
        return self._enlarge.vpull()


def _surround(target: VideoFrame, backdrop: VideoFrame, at: Placement) -> None:
    """Copy what is seen of the background around the picture."""
    for index, (plane, back) in enumerate(zip(planes_of(target), planes_of(backdrop), strict=True)):
        half = 1 if index == 0 else 2
        top, bottom = at.y // half, (at.y + at.height) // half
        left, right = at.x // half, (at.x + at.width) // half
        plane[:top], plane[bottom:] = back[:top], back[bottom:]
        plane[top:bottom, :left], plane[top:bottom, right:] = (
            back[top:bottom, :left],
            back[top:bottom, right:],
        )


def _shade(rows: int, columns: int, at: Placement, scale: float) -> npt.NDArray[np.float32]:
    """Return brightness factors: darkened, and darker still close to the picture, like its shadow."""
    row = np.arange(rows, dtype=np.float32)[:, None] + 0.5
    column = np.arange(columns, dtype=np.float32)[None, :] + 0.5
    down = np.maximum(at.y / scale - row, row - (at.y + at.height) / scale)
    across = np.maximum(at.x / scale - column, column - (at.x + at.width) / scale)
    distance = np.maximum(np.maximum(down, across), 0)
    near = np.clip(1 - distance / _SHADOW_ROWS, 0, 1)
    return np.asarray(_BACKGROUND_BRIGHTNESS * (1 - 0.55 * near * near), np.float32)


def blank(width: int, height: int) -> VideoFrame:
    """Return a new frame, yuv420p, its content undefined."""
    return VideoFrame(width, height, "yuv420p")
