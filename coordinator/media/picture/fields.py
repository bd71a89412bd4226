"""Interlaced pictures made whole: two fields of different times become one picture without combs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.filter.graph import Graph
from av.video.frame import VideoFrame

TimedFrame = tuple[float, VideoFrame]
_MICROSECONDS = 1_000_000


def deinterlaced(frames: Iterable[TimedFrame]) -> Iterator[TimedFrame]:
    """Yield (time in seconds, frame), each frame that is marked as interlaced rebuilt from its fields.

    From the first such frame on all pass the filter, which looks at the frames around and leaves alone those
    that are not marked. Until then none does.
    """
    weave: _Weave | None = None
    for time_s, frame in frames:
        if weave is not None and weave.shape != _shape_of(frame):
            yield from weave.rest()
            weave = None
        if weave is None and not frame.interlaced_frame:
            yield time_s, frame
            del frame  # Whoever took it may let it go before the next is decoded.
            continue
        weave = weave or _Weave(frame)
        yield from weave.push(time_s, frame)
    if weave is not None:
        yield from weave.rest()


def _shape_of(frame: VideoFrame) -> tuple[Any, ...]:
    return frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range


class _Weave:
    def __init__(self, frame: VideoFrame) -> None:
        self.shape = _shape_of(frame)
        self._graph = graph = Graph()
        graph.threads = 1
        source = graph.add(
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
            f":time_base=1/{_MICROSECONDS}:colorspace={frame.colorspace}:range={frame.color_range}",
        )
        weave = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        graph.link_nodes(source, weave, graph.add("buffersink")).configure()

    def push(self, time_s: float, frame: VideoFrame) -> Iterator[TimedFrame]:
        frame.pts, frame.time_base = round(time_s * _MICROSECONDS), Fraction(1, _MICROSECONDS)
        self._graph.vpush(frame)
        yield from self._pulled()

    def rest(self) -> Iterator[TimedFrame]:
        """Yield what the filter holds back, at the end."""
        self._graph.vpush(None)
        yield from self._pulled()

    def _pulled(self) -> Iterator[TimedFrame]:
        while True:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            # The filter counts in units of its own, half as long: it could show each field.
            yield frame.time or 0.0, frame
