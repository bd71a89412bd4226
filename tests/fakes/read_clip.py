"""What a player would see and hear in a clip, read back by FFmpeg with edit lists honoured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import av
import numpy as np

from tests.fakes.encoded_match import is_flash, read_number


@dataclasses.dataclass(frozen=True)
class SeenClip:
    """Pictures as (time in s, number, does it flash) and when each beep began, in s."""

    pictures: tuple[tuple[float, int, bool], ...]
    beeps_s: tuple[float, ...]
    duration_s: float
    num_video_packets: int
    sounds: tuple[tuple[str, bool], ...]

    @property
    def numbers(self) -> list[int]:
        return [number for _, number, _ in self.pictures]

    def av_offsets_s(self) -> list[float]:
        """For each beep, how much later it is than the nearest flash."""
        flashes = [
            time_s
            for index, (time_s, _, flash) in enumerate(self.pictures)
            if flash and index and not self.pictures[index - 1][2]
        ]
        return [min((beep - flash for flash in flashes), key=abs) for beep in self.beeps_s if flashes]


def see(path: Path) -> SeenClip:
    """Decode the picture and the first sound."""
    with av.open(str(path)) as container:
        duration_s = float(container.duration or 0) / av.time_base
        sounds = tuple(
            (stream.metadata.get("handler_name", ""), bool(stream.disposition & 1))
            for stream in container.streams.audio
        )
        pictures = []
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            pictures.append((float(frame.time), read_number(luma), is_flash(luma)))
    with av.open(str(path)) as container:
        packets = sum(1 for packet in container.demux(video=0) if packet.size)
    return SeenClip(
        pictures=tuple(pictures),
        beeps_s=tuple(_beeps(path)),
        duration_s=duration_s,
        num_video_packets=packets,
        sounds=sounds,
    )


def _beeps(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        rows = [(float(frame.time), frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    if not rows:
        return []
    times = np.concatenate([start + np.arange(len(block)) / 48_000 for start, block in rows])
    level = np.abs(np.concatenate([block for _, block in rows])) > 0.1
    loud = np.flatnonzero(level)
    if not loud.size:
        return []
    starts = [index for index, last in zip(loud, [-48_000, *loud[:-1]], strict=True) if index - last > 4_800]
    # What is loud from the first block on began before the clip.
    return [float(times[index]) for index in starts if times[index] > 0.1]
