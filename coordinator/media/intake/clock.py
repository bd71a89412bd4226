"""Packets in the order of the file, on a clock that does not jump.

MPEG-TS and its like may begin a new clock anywhere (a recorder that restarted, files joined byte by byte): the
track goes on where it was. In other containers a jump is a picture that stays long, unless nobody can mean it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import av.container
import structlog
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from coordinator.media.intake.opening import origin_s

log = structlog.get_logger()
# These containers say when a picture is decoded, and not when it is shown.
_DECODE_TIMES_ONLY = ("avi",)
_TS_DISCONT = 0x0200  # FFmpeg's mark of formats whose clock may begin anew.
# A hole of this length is a new clock; a shorter one, packets that were lost. FFmpeg's own choice.
MAX_HOLE_S = 10.0
# In a container whose clock cannot jump, a still of this length is a damaged length.
MAX_STILL_S = 600.0
# Times of decoding never run back by themselves; this much is rounding.
MAX_STEP_BACK_S = 0.1


def packets(
    container: av.container.InputContainer, *streams: Stream, is_sought: bool = False
) -> Iterator[av.Packet[Any]]:
    """Demux until the end, or until the file breaks off; the last packet of a track is empty (a flush).

    Encrypted packets are left out: decoded without their key some become pictures, of noise. A track that
    starts hours after the other has a clock of its own, and starts with the file; not so where `is_sought`,
    which says that the file is read from somewhere else than its start.
    """
    zero_s = None if is_sought else origin_s(container)
    can_jump = bool(container.format.flags & _TS_DISCONT)
    ends_s: dict[int, float] = {}
    shifts_s: dict[int, float] = {}
    try:
        for packet in container.demux(*streams):
            if packet.has_sidedata("encryption_info"):
                continue
            if packet.dts is not None and packet.time_base:
                _mend(packet, ends_s, shifts_s, can_jump, zero_s)
            yield packet
    except (
        av.FFmpegError,
        IndexError,
    ) as exc:  # PyAV's own, at the end, where damage made a track appear late.
        log.warning("media_broke_off", reason=type(exc).__name__)


def has_decode_times_only(container: av.container.InputContainer, stream: VideoStream) -> bool:
    """Tell whether what stands for the times of the pictures is when each is decoded, in another order."""
    return container.format.name in _DECODE_TIMES_ONLY and bool(stream.codec_context.has_b_frames)


class ShownTimes:
    """When each picture is shown, also where its container does not say so. From one start or seek on."""

    def __init__(self, container: av.container.InputContainer, stream: VideoStream, zero_s: float) -> None:
        """`zero_s`: the file's origin, see `origin_s`."""
        self._zero_s = zero_s
        # Without a time the rate is what the stream itself says: containers of bare streams claim 25 for all.
        self._step_s = float(1 / (stream.guessed_rate or stream.average_rate or 30))
        self._is_by_decoding = has_decode_times_only(container, stream)
        self._previous_s: float | None = None
        self._first_packet_s: float | None = None
        self._first_dts: int | None = None
        self._last: tuple[int, int] | None = None

    def note(self, packet: av.Packet[Any]) -> None:
        """Take notice of a packet before it is decoded."""
        if self._first_packet_s is None and packet.pts is not None:
            self._first_packet_s = float(packet.pts * packet.time_base)

    def of(self, frame: VideoFrame) -> float:
        """Return when a frame is shown, in seconds from the origin. Each frame is asked for once, in order."""
        time_s = self._said(frame)
        if time_s is None:
            time_s = 0.0 if self._previous_s is None else self._previous_s + self._step_s
        self._previous_s = time_s
        return time_s

    def _said(self, frame: VideoFrame) -> float | None:
        if frame.pts is None or frame.time_base is None:
            return None
        if frame.dts is not None:
            self._compare(frame.pts, frame.dts)
        if not self._is_by_decoding:
            return float(frame.pts * frame.time_base) - self._zero_s
        # Pictures leave the decoder in the order of showing, as far apart as the packets that went in.
        if frame.dts is None or self._first_dts is None or self._first_packet_s is None:
            return None
        return self._first_packet_s + float((frame.dts - self._first_dts) * frame.time_base) - self._zero_s

    def _compare(self, pts: int, dts: int) -> None:
        """See whether times of showing run back where those of decoding go on: then they are of decoding, too."""
        if self._first_dts is None or self._last is None:
            self._first_dts = dts
        elif pts < self._last[0] and dts > self._last[1]:
            self._is_by_decoding = True
        self._last = pts, dts


def _mend(
    packet: av.Packet[Any],
    ends_s: dict[int, float],
    shifts_s: dict[int, float],
    can_jump: bool,
    zero_s: float | None,
) -> None:
    index, base = packet.stream_index, packet.time_base
    shift_s = shifts_s.get(index, 0.0)
    at_s = float((packet.dts or 0) * base) + shift_s
    due_s = ends_s.get(index, at_s)
    if index not in ends_s and zero_s is not None and abs(at_s - zero_s) > MAX_STILL_S:
        due_s = zero_s
    hole_s = at_s - due_s
    if abs(hole_s) > MAX_STILL_S or (can_jump and not -MAX_STEP_BACK_S <= hole_s <= MAX_HOLE_S):
        shift_s += due_s - at_s
        shifts_s[index], at_s = shift_s, due_s
    if shift_s:
        ticks = round(shift_s / base)
        packet.dts = (packet.dts or 0) + ticks
        if packet.pts is not None:
            packet.pts += ticks
    if (packet.duration or 0) * base > MAX_STILL_S:
        # The hole after it will be closed: it does not last as long either.
        packet.duration = round(MAX_HOLE_S / base)
    ends_s[index] = max(due_s, at_s + min(MAX_HOLE_S, float((packet.duration or 0) * base)))
