"""Tracks that already are what a normal file holds: their packets, on a time line from 0."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.container
from av.audio.stream import AudioStream

from coordinator.media.intake.clock import packets
from coordinator.media.intake.survey import PictureFacts
from coordinator.media.output.mp4 import Mp4Writer


def picture_packets(
    container: av.container.InputContainer, stream: av.VideoStream, facts: PictureFacts
) -> Iterator[av.Packet[Any]]:
    """Yield the packets of a picture of constant rate, each exactly on its tick, the first shown at 0."""
    assert facts.rate is not None
    rate = Fraction(*facts.rate)
    first_s: Fraction | None = None
    for number, packet in enumerate(p for p in packets(container, stream) if p.size):
        time_s = (packet.pts or 0) * packet.time_base
        first_s = time_s if first_s is None else first_s
        packet.time_base = 1 / rate
        packet.pts = round((time_s - first_s) * rate)
        packet.dts = number - facts.num_reordered
        packet.duration = 1
        yield packet


class CopiedSound:
    """Writes packets of sound in step with the picture. As `render.SoundTrack`, without encoding."""

    def __init__(
        self, out: Mp4Writer, container: av.container.InputContainer, stream: AudioStream, *, zero_s: float
    ) -> None:
        """`zero_s`: where the new time line starts on the file's own clock."""
        self._out = out
        self._packets = (p for p in packets(container, stream) if p.size and p.pts is not None)
        self._zero_s = zero_s
        self._next: av.Packet[Any] | None = next(self._packets, None)
        self._has_begun = False

    def write_until(self, time_s: float) -> None:
        """Write what is heard before `time_s`, as far as there is any."""
        while (packet := self._next) is not None:
            begin_s = float((packet.pts or 0) * packet.time_base) - self._zero_s
            if begin_s >= time_s:
                return
            self._next = next(self._packets, None)
            # Hidden packets before the first are the decoder's priming; those after the last are cut off.
            if packet.is_discard and self._has_begun:
                continue
            self._has_begun |= not packet.is_discard
            packet.pts = (packet.pts or 0) - round(self._zero_s / packet.time_base)
            packet.dts = packet.pts
            self._out.copy(packet)
