"""The stream in small, for who watches it on the coordinator: 360p, 10 pictures a second, H.264 in MP4 chunks.

Each chunk is a file of its own and begins with a key frame; chunks follow one another without a hole for as long as
the picture does. Owned by the `encode` thread.
"""

from __future__ import annotations

import contextlib
import fractions
import io
import math
from collections.abc import Callable, Iterator
from typing import Any

import av
import av.error
from av.video.frame import PictureType
from av.video.reformatter import Interpolation, VideoReformatter

from agent.encode.quality import fitted_size
from agent.errors import EncoderUnavailable
from agent.model.media import LaneChunk
from protos.segment import MAX_PAYLOAD_BYTES
from protos.timebase import MP4_TICKS_PER_S, SECOND_NS, ns_to_ticks

PROXY_CONTENT_TYPE = "video/mp4"
PROXY_FRAME_RATE = 10
_BOUND = (640, 360)
_MAX_RATE_BPS = 300_000
_MIN_RATE_BPS = 40_000
# What leaves stays under a tenth of what is captured; sound and signals take about 0.05 Mbit/s of that.
_RATE_SHARE = 25
_MAX_GAP_NS = 2 * SECOND_NS
_FRAME_NS = SECOND_NS // PROXY_FRAME_RATE
_TIME_BASE = fractions.Fraction(1, MP4_TICKS_PER_S)


# Of a bound, a tenth is for the file's boxes: 2 to 3 KB, of 50 KB at 40 kbit/s.
_BOUND_SHARE = 0.9
# The encoder's buffer: each file begins with it full, and may use it up on top of its rate.
_BUFFER_S = 1.0


def is_proxy_possible(bound_bps: int | None) -> bool:
    """Is there room for a picture that shows anything? None: no bound."""
    return bound_bps is None or bound_bps >= _MIN_RATE_BPS


def proxy_rate_bps(track_rate_bps: int, bound_bps: int | None = None, *, chunk_s: float = 10.0) -> int:
    """The proxy's bit rate beside a track of that rate.

    Args:
        bound_bps: what its chunks, each of `chunk_s`, may take of the line; None: no bound.
    """
    rate_bps = max(_MIN_RATE_BPS, min(_MAX_RATE_BPS, track_rate_bps // _RATE_SHARE))
    if bound_bps is None:
        return rate_bps
    return min(rate_bps, round(bound_bps * _BOUND_SHARE * chunk_s / (chunk_s + _BUFFER_S)))


def proxy_chunk_ns(chunk_s: float) -> int:
    """The length of a proxy's chunk: the other lanes', or the longest whole part of it that a message can hold."""
    longest_s = MAX_PAYLOAD_BYTES * 8 / _MAX_RATE_BPS * 0.6
    return round(chunk_s * SECOND_NS) // math.ceil(chunk_s / longest_s)


class ProxyChunker:
    """Cuts the proxy into chunks that end at multiples of their length on the session's line.

    Args:
        chunk_s: of all lanes.
        on_chunk: gets each finished chunk, in this thread; returns at once.
    """

    def __init__(self, *, chunk_s: float, on_chunk: Callable[[LaneChunk], None]) -> None:
        self._chunk_ns = proxy_chunk_ns(chunk_s)
        self._on_chunk = on_chunk
        self._small = VideoReformatter()
        self._file: _ProxyFile | None = None
        self._start_ns = 0
        self._end_ns = 0
        self._last: tuple[int, av.VideoFrame] | None = None

    def feed(
        self, picture: av.VideoFrame, time_ns: int, *, track_rate_bps: int, bound_bps: int | None = None
    ) -> None:
        """Take a picture shown from `time_ns` on; times grow.

        Args:
            track_rate_bps: of the full picture.
            bound_bps: see `proxy_rate_bps`; another one counts from the next chunk on.

        Raises:
            EncoderUnavailable: x264 cannot be opened.
        """
        size = fitted_size(picture.width, picture.height, _BOUND)
        last_ns = None if self._last is None else self._last[0]
        if last_ns is not None and time_ns - last_ns > _MAX_GAP_NS:
            self.flush()
        elif self._file is not None and self._file.size != size:
            self._finish(time_ns)
            self._last = None
        small = self._shrink(picture, size)
        rate_bps = proxy_rate_bps(track_rate_bps, bound_bps, chunk_s=self._chunk_ns / SECOND_NS)
        while self._file is not None and time_ns >= self._end_ns:
            self._go_on(time_ns, rate_bps)
        if self._file is None:
            self._begin(time_ns, size, rate_bps)
        self._write(small, time_ns)

    def flush(self) -> None:
        """Finish the chunk that is open, where its last picture ends."""
        if self._last is not None:
            self._finish(self._last[0] + _FRAME_NS)
        self._last = None

    def _go_on(self, time_ns: int, rate_bps: int) -> None:
        """The open chunk is full: the next begins where it ends, with the picture that still stands there."""
        assert self._last is not None
        end_ns, standing = self._end_ns, self._last[1]
        self._finish(end_ns)
        self._begin(end_ns, (standing.width, standing.height), rate_bps)
        if end_ns < time_ns:
            self._write(standing, end_ns)

    def _begin(self, start_ns: int, size: tuple[int, int], rate_bps: int) -> None:
        self._start_ns = start_ns
        # As in the other lanes: a first chunk of under a second joins the next.
        shortest_ns = min(SECOND_NS, self._chunk_ns // 2)
        self._end_ns = -(-(start_ns + shortest_ns) // self._chunk_ns) * self._chunk_ns
        self._file = _ProxyFile(size, rate_bps)

    def _write(self, small: av.VideoFrame, time_ns: int) -> None:
        assert self._file is not None
        self._file.write(small, time_ns - self._start_ns)
        self._last = (time_ns, small)

    def _finish(self, end_ns: int) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        payload = file.close(end_ns - self._start_ns)
        self._on_chunk(
            LaneChunk(
                lane="proxy",
                start_ns=self._start_ns,
                end_ns=end_ns,
                content_type=PROXY_CONTENT_TYPE,
                payload=payload,
            )
        )

    def _shrink(self, picture: av.VideoFrame, size: tuple[int, int]) -> av.VideoFrame:
        return self._small.reformat(
            picture,
            width=size[0],
            height=size[1],
            format="yuv420p",
            interpolation=Interpolation.FAST_BILINEAR,
            threads=1,
        )


class _ProxyFile:
    """One MP4 in memory, encoded as it is written. Times are from its own start."""

    def __init__(self, size: tuple[int, int], rate_bps: int) -> None:
        self.size = size
        self._buffer = io.BytesIO()
        self._held: Any = None
        self._last_ticks = -1
        options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "threads": "1",
            "maxrate": str(rate_bps),
            "bufsize": str(round(rate_bps * _BUFFER_S)),
            "g": "1000",
            "sc_threshold": "0",
            "colorspace": "bt709",
            "color_primaries": "bt709",
            "color_trc": "bt709",
            "color_range": "tv",
        }
        with _translated():
            self._container = av.open(
                self._buffer, "w", format="mp4", container_options={"movie_timescale": str(MP4_TICKS_PER_S)}
            )
            self._stream = self._container.add_stream("libx264", rate=PROXY_FRAME_RATE, options=options)
            self._stream.width, self._stream.height = size
            self._stream.pix_fmt = "yuv420p"
            self._stream.bit_rate = rate_bps
            self._stream.codec_context.time_base = _TIME_BASE
            self._stream.time_base = _TIME_BASE

    def write(self, picture: av.VideoFrame, time_ns: int) -> None:
        ticks = max(ns_to_ticks(time_ns, MP4_TICKS_PER_S), self._last_ticks + 1)
        self._last_ticks = ticks
        picture.pts, picture.time_base = ticks, _TIME_BASE
        picture.pict_type = PictureType.NONE
        with _translated():
            for packet in self._stream.encode(picture):
                self._hold(packet)

    def close(self, duration_ns: int) -> bytes:
        """The finished file, exactly so long."""
        with _translated():
            for packet in self._stream.encode(None):
                self._hold(packet)
            if self._held is not None:
                self._held.duration = max(1, ns_to_ticks(duration_ns, MP4_TICKS_PER_S) - self._held.pts)
                self._container.mux_one(self._held)
            self._container.close()
        return self._buffer.getvalue()

    def _hold(self, packet: Any) -> None:
        """A picture stands until the next one comes, so its packet waits for that one's time."""
        if self._held is not None:
            self._held.duration = packet.pts - self._held.pts
            self._container.mux_one(self._held)
        self._held = packet


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError, OSError, ValueError) as exc:
        raise EncoderUnavailable(f"cannot make the proxy: {exc}; set uplink.proxy = 'off'") from exc
