"""What is in an MP4, as a player shows it and as somebody who ignores its edit lists finds it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import av


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Times in seconds of the file's own line.

    Attributes:
        picture_s: from the first picture to the end of the last.
        sound_s: how long each sound track is, samples decoded.
        longest_picture_s: how long the longest one stands.
    """

    num_pictures: int
    first_s: float
    picture_s: float
    longest_picture_s: float
    width_px: int
    height_px: int
    sound_s: tuple[float, ...]


def decode(path: Path, *, is_everything: bool = False) -> Decoded:
    """Decode all of it.

    Args:
        is_everything: also what the edit lists hide.
    """
    options = {"ignore_editlist": "1"} if is_everything else {}
    times: list[float] = []
    samples: dict[int, int] = {}
    rates: dict[int, int] = {}
    with av.open(str(path), options=options) as container:
        video = container.streams.video[0]
        end_s = 0.0
        for packet in container.demux():
            if packet.stream.type == "video" and packet.pts is not None and packet.duration:
                end_s = max(end_s, float((packet.pts + packet.duration) * packet.time_base))
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    times.append(float(frame.time))
                elif isinstance(frame, av.AudioFrame):
                    index = packet.stream.index
                    samples[index] = samples.get(index, 0) + frame.samples
                    rates[index] = frame.sample_rate
        times.sort()
        steps = [after - before for before, after in zip(times, [*times[1:], end_s], strict=True)]
        return Decoded(
            num_pictures=len(times),
            first_s=times[0],
            picture_s=end_s - times[0],
            longest_picture_s=max(steps),
            width_px=video.width,
            height_px=video.height,
            sound_s=tuple(samples[index] / rates[index] for index in sorted(samples)),
        )
