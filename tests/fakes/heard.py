"""What is on a recorded sound track: decoded, its tones and its beeps found."""

from __future__ import annotations

from collections.abc import Iterable

import av
import numpy as np

from agent.model.media import EncodedPacket, TrackParams
from protos.timebase import SECOND_NS

RATE = 48_000


class HeardTrack:
    """One track, decoded.

    Args:
        track: its parameters.
        packets: its own, in order.
    """

    def __init__(self, track: TrackParams, packets: Iterable[EncodedPacket]) -> None:
        decoder = av.CodecContext.create("aac", "r")
        decoder.extradata = track.extradata
        rows = list(packets)
        parts = [frame.to_ndarray()[0] for row in rows for frame in decoder.decode(av.Packet(row.payload))]
        self.name = track.name
        self.start_ns = rows[0].pts_ns
        self.mono = np.concatenate(parts)
        ends = [row.pts_ns + row.duration_ns for row in rows]
        self.num_holes = sum(end != row.pts_ns for end, row in zip(ends, rows[1:], strict=False))
        self.end_ns = ends[-1]

    def second(self, start_ns: int) -> np.ndarray:
        """The samples of the second that begins at a time of the session."""
        start = round((start_ns - self.start_ns) * RATE / SECOND_NS)
        return self.mono[start : start + RATE]

    def tones_hz(self, start_ns: int) -> set[int]:
        """The pure tones in that second."""
        return tones_hz(self.second(start_ns))

    def onsets_ns(self) -> list[int]:
        """When it became loud after a third of a second of quiet."""
        loud = np.flatnonzero(np.abs(self.mono) > 0.1)
        if not len(loud):
            return []
        firsts = loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > RATE // 3)]
        return [self.start_ns + int(first) * SECOND_NS // RATE for first in firsts]


def heard_tracks(tracks: Iterable[TrackParams], packets: Iterable[EncodedPacket]) -> dict[str, HeardTrack]:
    """By name; the first of `tracks` is track 1 of the packets."""
    rows = list(packets)
    return {
        track.name: HeardTrack(track, [row for row in rows if row.track == index])
        for index, track in enumerate(tracks, 1)
    }


def tones_hz(sound: np.ndarray, least: float = 0.02) -> set[int]:
    """The pure tones in a mono sound: frequencies, to 10 Hz, of amplitude `least` and more, at least 100 Hz apart."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) * 4 / len(sound)
    bins_apart = 100 * len(sound) // RATE
    found: set[int] = set()
    while spectrum[(peak := int(np.argmax(spectrum)))] >= least:
        found.add(round(peak * RATE / len(sound) / 10) * 10)
        # What is beside a peak is its own skirt: a correction of half a millisecond smears a tone.
        spectrum[max(0, peak - bins_apart) : peak + bins_apart] = 0
    return found
