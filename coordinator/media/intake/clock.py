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

from coordinator.media.intake.opening import origin_s

log = structlog.get_logger()
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
    ends_s[index] = max(due_s, at_s + min(MAX_HOLE_S, float((packet.duration or 0) * base)))
