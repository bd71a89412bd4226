"""A window that moves over the source, and is scaled to fill the canvas. One thread.

The window is cut before anything is scaled or turned: cutting copies nothing, and the scaler behind it always meets
frames of one size, so that it builds its graph once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from av.filter.context import FilterContext
from av.filter.graph import Graph
from av.video.frame import VideoFrame

from coordinator.media.intake.probe import clockwise_degrees, display_matrix
from coordinator.media.picture.frames import BT709, Scaler, exactness, upright_size
from coordinator.media.picture.geometry import coded_part, fill, place

# The middle of the window as shares of the picture, for a frame.
WindowAt = Callable[[VideoFrame], tuple[float, float]]
_UNSPECIFIED = 2


class MovingWindow:
    """Composes frames of what a window shows whose middle `window_at` says anew for each frame."""

    def __init__(
        self, width: int, height: int, *, window_at: WindowAt, zoom: float, sample_aspect: Fraction | None
    ) -> None:
        self._box, self._window_at, self._zoom, self._sample_aspect = (
            (width, height),
            window_at,
            zoom,
            sample_aspect,
        )
        self._scaler = Scaler(
            lambda w, h: place(w, h, (width, height), zoom=math.inf), sample_aspect=sample_aspect
        )
        self._shape: tuple[object, ...] = ()
        self._graph: Graph | None = None
        self._cut: FilterContext | None = None
        self._size = (0, 0)
        self._matrix = (1, 0, 0, 1)

    def compose(self, frame: VideoFrame) -> VideoFrame:
        """Return what the window shows of `frame`, filling the canvas."""
        shape = (
            *(frame.width, frame.height, frame.format.name, frame.rotation),
            *(frame.colorspace, frame.color_range),
        )
        is_new = self._graph is None or self._cut is None or shape != self._shape
        if is_new:
            # Once a shape: asking each frame for its side data would keep hundreds of them alive.
            self._matrix = display_matrix(frame)
        x, y, width, height = self._window(frame, self._matrix)
        if self._graph is None or self._cut is None or is_new:
            self._size = width, height
            self._graph, self._cut = _cutting(frame, self._size)
            self._shape = shape
        x, y = min(x, frame.width - self._size[0]), min(y, frame.height - self._size[1])
        if frame.interlaced_frame:
            y -= y % 4  # Its fields must keep their order.
        self._cut.process_command("x", str(x))
        self._cut.process_command("y", str(y))
        pts, frame.pts = frame.pts, None
        self._graph.vpush(frame)
        frame.pts = pts
        part = self._graph.vpull()
        if part.colorspace == _UNSPECIFIED and max(frame.width, frame.height) >= 1280:
            part.colorspace = BT709  # What its size said of the whole, the part's own would not.
        return self._scaler.scale(part)

    def _window(self, frame: VideoFrame, matrix: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """Return the window in coded pixels: x, y, width, height."""
        width, height = upright_size(frame, self._sample_aspect)
        focus_x, focus_y = self._window_at(frame)
        at = fill(
            (0, 0, width, height), self._box, focus=(focus_x * width, focus_y * height), zoom=self._zoom
        )
        # The window's size must not follow the rounding of its place.
        still = fill((0, 0, width, height), self._box, focus=(0, 0), zoom=self._zoom)
        part = (
            at.crop_x / width,
            at.crop_y / height,
            still.crop_width / width,
            still.crop_height / height,
        )
        a, b, c, d = matrix
        x, y, across, down = coded_part(part, clockwise_degrees(matrix), is_mirrored=a * d - b * c < 0)
        return (
            max(0, round(x * frame.width)),
            max(0, round(y * frame.height)),
            max(1, round(across * frame.width)),
            max(1, round(down * frame.height)),
        )


def _cutting(frame: VideoFrame, size: tuple[int, int]) -> tuple[Graph, FilterContext]:
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1000"
        f":colorspace={frame.colorspace}:range={frame.color_range}",
    )
    cut = graph.add("crop", f"{size[0]}:{size[1]}:0:0:exact={exactness(frame)}")
    graph.link_nodes(source, cut, graph.add("buffersink")).configure()
    return graph, cut
