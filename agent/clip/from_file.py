"""A clip's own MP4 as a span again, for when its packets are no longer pinned.

Reads what `ClipMuxer` wrote: by the edit list the pictures before the clip's start have negative stamps, so the
span's start is the clip's and what lies before it is known as such. One thread.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av

from agent.errors import InputUnusable
from agent.model.media import EncodedPacket, SpanLack, TrackParams
from protos.timebase import SECOND_NS

_START_CODE = b"\x00\x00\x00\x01"


def clip_length_ns(path: Path) -> int | None:
    """How long a clip's picture is, by its header; None where the file is no clip."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0] if container.streams.video else None
            if stream is None or stream.duration is None or stream.time_base is None:
                return None
            return round(stream.duration * stream.time_base * SECOND_NS)
    except (av.FFmpegError, OSError):
        return None


class FileSpan:
    """`PacketSpan` over a clip's file, on the session's line."""

    def __init__(
        self,
        path: Path,
        *,
        session_id: str,
        start_ns: int,
        end_ns: int,
        recorded_as: Sequence[TrackParams] = (),
    ) -> None:
        """Open it.

        Args:
            start_ns, end_ns: what the clip shows.
            recorded_as: tracks of a recording whose encoder may have made this one, for a cut that copies.

        Raises:
            InputUnusable: It is not there, or no clip.
        """
        self.session_id = session_id
        self.start_ns = start_ns
        self.end_ns = end_ns
        self._path = path
        try:
            with av.open(str(path)) as container:
                self.tracks: Sequence[TrackParams] = tuple(
                    _track_of(stream, recorded_as) for stream in _media_streams(container)
                )
        except (av.FFmpegError, OSError, ValueError) as exc:
            raise InputUnusable(f"cannot read the clip {path}: {exc}; was it moved or changed?") from exc
        if not any(track.kind == "video" for track in self.tracks):
            raise InputUnusable(f"{path} has no picture; it is none of our clips")

    @property
    def lack(self) -> SpanLack | None:
        """A file lacks nothing of itself."""
        return None

    def packets(self) -> Iterator[EncodedPacket]:
        """All packets by DTS, hidden pictures included.

        Raises:
            InputUnusable: The file cannot be read to its end.
        """
        try:
            with av.open(str(self._path)) as container:
                streams = _media_streams(container)
                # Interleaved to within a second: a heap of as much puts them into order.
                heap: list[tuple[int, int, EncodedPacket]] = []
                newest_ns = 0
                for count, item in enumerate(container.demux(streams)):
                    packet = self._packet(item, streams.index(item.stream))
                    if packet is not None:
                        newest_ns = max(newest_ns, packet.dts_ns)
                        heapq.heappush(heap, (packet.dts_ns, count, packet))
                    while heap and newest_ns - heap[0][0] > 2 * SECOND_NS:
                        yield heapq.heappop(heap)[2]
                while heap:
                    yield heapq.heappop(heap)[2]
        except (av.FFmpegError, OSError) as exc:
            raise InputUnusable(f"cannot read the clip {self._path}: {exc}") from exc

    def _packet(self, item: Any, number: int) -> EncodedPacket | None:
        if item.pts is None or item.dts is None:
            return None
        tick_ns = item.time_base * SECOND_NS
        payload = bytes(item)
        if self.tracks[number].codec == "h264":
            payload = _with_start_codes(payload)
        return EncodedPacket(
            track=number,
            pts_ns=self.start_ns + round(item.pts * tick_ns),
            dts_ns=self.start_ns + round(item.dts * tick_ns),
            duration_ns=round((item.duration or 0) * tick_ns),
            is_key_frame=bool(item.is_keyframe),
            payload=payload,
        )

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> FileSpan:
        return self

    def __exit__(self, *exc: object) -> None: ...


def _media_streams(container: Any) -> list[Any]:
    return [stream for stream in container.streams if stream.type in ("video", "audio")]


def _track_of(stream: Any, recorded_as: Sequence[TrackParams]) -> TrackParams:
    context = stream.codec_context
    codec = str(context.codec.canonical_name)
    name = stream.metadata.get("handler_name", "") or stream.type
    extradata = bytes(context.extradata or b"")
    if stream.type == "audio":
        return TrackParams(
            name=name,
            kind="audio",
            codec=codec,
            extradata=extradata,
            bit_rate_bps=int(context.bit_rate or 0),
            encoder=codec,
            sample_rate_hz=int(context.sample_rate),
            channels=int(context.channels),
        )
    if codec == "h264":
        extradata = _annex_b_header(extradata)
    like = next((track for track in recorded_as if track.kind == "video" and track.codec == codec), None)
    rate = stream.average_rate or 30
    return TrackParams(
        name="video",
        kind="video",
        codec=codec,
        extradata=extradata,
        bit_rate_bps=like.bit_rate_bps if like else int(context.bit_rate or 8_000_000),
        encoder=like.encoder if like else "libx264",
        encoder_options=like.encoder_options if like else (),
        width_px=int(context.width),
        height_px=int(context.height),
        # A live source's mean is a little off the rate that its encoder was told.
        frame_rate=like.frame_rate if like else max(1, round(rate)),
    )


def _annex_b_header(avcc: bytes) -> bytes:
    """SPS and PPS of an `avcC` box with start codes, as the encoder gave them (ISO/IEC 14496-15, 5.3.3.1)."""
    if len(avcc) < 7 or avcc[0] != 1:
        return avcc
    parts, position = [], 5
    for mask in (0x1F, 0xFF):
        num = avcc[position] & mask
        position += 1
        for _ in range(num):
            length = int.from_bytes(avcc[position : position + 2], "big")
            parts.append(avcc[position + 2 : position + 2 + length])
            position += 2 + length
    return b"".join(_START_CODE + part for part in parts)


def _with_start_codes(payload: bytes) -> bytes:
    """Lengths of four bytes before each NAL unit become start codes, as the ring has them."""
    parts, position = [], 0
    while position + 4 <= len(payload):
        length = int.from_bytes(payload[position : position + 4], "big")
        parts.append(payload[position + 4 : position + 4 + length])
        position += 4 + length
    return b"".join(_START_CODE + part for part in parts)
