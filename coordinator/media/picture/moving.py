"""A window that moves over the source, and is scaled to fill the canvas. One thread.

The window is cut before anything is scaled or turned: cutting copies nothing, and the scaler behind it always meets
frames of one size, so that it builds its graph once.
"""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """What cuts the window out of frames of one kind; `share` and `upright` are of the picture as it is shown."""

    graph: Graph
    crop: FilterContext
    upright: tuple[int, int]
    share: tuple[float, float]
    size: tuple[int, int]
    degrees: int
    is_mirrored: bool


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
        self._cut: _Cut | None = None

    def compose(self, frame: VideoFrame) -> VideoFrame:
        """Return what the window shows of `frame`, filling the canvas."""
        shape = (
            *(frame.width, frame.height, frame.format.name, frame.rotation),
            *(frame.colorspace, frame.color_range),
        )
        if self._cut is None or shape != self._shape:
            # Asked of the first frame of its kind alone: side data that was asked for keeps its frame alive.
            self._cut, self._shape = self._new_cut(frame), shape
        cut = self._cut
        x, y = self._corner(frame, cut)
        cut.crop.process_command("x", str(x))
        cut.crop.process_command("y", str(y))
        pts, frame.pts = frame.pts, None
        cut.graph.vpush(frame)
        frame.pts = pts
        part = cut.graph.vpull()
        if part.colorspace == _UNSPECIFIED and max(frame.width, frame.height) >= 1280:
            part.colorspace = BT709  # What its size said of the whole, the part's own would not.
        return self._scaler.scale(part)

    def _new_cut(self, frame: VideoFrame) -> _Cut:
        upright = upright_size(frame, self._sample_aspect)
        a, b, c, d = matrix = display_matrix(frame)
        degrees = clockwise_degrees(matrix)
        # Its size is taken once: it must not follow the rounding of its place.
        at = fill((0, 0, *upright), self._box, focus=(0, 0), zoom=self._zoom)
        across, down = at.crop_width / upright[0], at.crop_height / upright[1]
        _, _, coded_across, coded_down = coded_part((0, 0, across, down), degrees, is_mirrored=False)
        width, height = max(1, round(coded_across * frame.width)), max(1, round(coded_down * frame.height))
        graph, crop = _cutting(frame, (width, height))
        return _Cut(
            graph=graph,
            crop=crop,
            upright=upright,
            share=(across, down),
            size=(width, height),
            degrees=degrees,
            is_mirrored=a * d - b * c < 0,
        )

    def _corner(self, frame: VideoFrame, cut: _Cut) -> tuple[int, int]:
        """Return the window's first column and row in coded pixels."""
        width, height = cut.upright
        focus_x, focus_y = self._window_at(frame)
        at = fill(
            (0, 0, width, height), self._box, focus=(focus_x * width, focus_y * height), zoom=self._zoom
        )
        part = at.crop_x / width, at.crop_y / height, *cut.share
        left, top, _, _ = coded_part(part, cut.degrees, is_mirrored=cut.is_mirrored)
        x = min(max(0, round(left * frame.width)), frame.width - cut.size[0])
        y = min(max(0, round(top * frame.height)), frame.height - cut.size[1])
        # The fields of an interlaced picture must keep their order.
        return x, y - y % 4 if frame.interlaced_frame else y


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
