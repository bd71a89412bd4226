"""How much a file's picture changes, from the sizes of its packets: nothing is decoded, an hour costs a second.

An encoder spends bytes where the picture differs from the one before. Key frames are left out: they come by the
clock and say how detailed a picture is, not how it moves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from coordinator.errors import MediaUnusable
from coordinator.media.intake.opening import MAX_MEDIA_S, open_media, origin_s, translating, video_of


def packet_motion(path: Path, *, step_s: float = 0.5) -> npt.NDArray[np.float64]:
    """Mean kilobytes of a packet between key frames, for each step; NaN where there was none; empty: no picture.

    A codec of key frames only says nothing and gives an empty curve.

    Raises:
        MediaUnusable: It cannot be opened or read.
    """
    sums: dict[int, float] = {}
    counts: dict[int, int] = {}
    with open_media(path) as container, translating(path, "read"):
        stream = video_of(container)
        if stream is None or stream.time_base is None:
            return np.zeros(0)
        zero_s = origin_s(container)
        for packet in container.demux(stream):
            shown = packet.pts if packet.pts is not None else packet.dts
            if shown is None or packet.is_keyframe or not packet.size:
                continue
            at_s = float(shown * stream.time_base) - zero_s
            if not 0 <= at_s < MAX_MEDIA_S:
                continue
            step = int(at_s / step_s)
            sums[step] = sums.get(step, 0.0) + packet.size / 1_000
            counts[step] = counts.get(step, 0) + 1
    curve = np.full(max(sums, default=-1) + 1, np.nan)
    for step, total in sums.items():
        curve[step] = total / counts[step]
    return curve


def motion_or_none(path: Path) -> npt.NDArray[np.float64]:
    """As `packet_motion`, and empty where the picture cannot be read: sound alone is worth a look."""
    try:
        return packet_motion(path)
    except MediaUnusable:
        return np.zeros(0)
