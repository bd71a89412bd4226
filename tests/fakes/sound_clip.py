"""A small film with any sounds, one track each and by its name: what is heard of it is what is tested."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.fakes.sounds import RATE_HZ, Sound

FPS = 10
SIZE = (64, 36)


def write_sounds(
    path: Path,
    tracks: Mapping[str, Sound],
    *,
    layout: str = "stereo",
    codec: str = "flac",
    rate_hz: int = RATE_HZ,
) -> Path:
    """Write tracks of sound, each of shape (channels, num_samples), beside a grey picture.

    FLAC, the default, changes nothing but what lies beyond full scale; `layout` names the channels.
    """
    duration_s = max(sound.shape[1] for sound in tracks.values()) / rate_hz
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        streams = []
        for name in tracks:
            stream = container.add_stream(codec, rate=rate_hz, layout=layout)
            stream.codec_context.format = "s32" if codec == "flac" else "fltp"
            stream.metadata["handler_name"] = name
            streams.append(stream)
        for index in range(max(1, round(duration_s * FPS))):
            frame = av.VideoFrame.from_ndarray(
                np.full((SIZE[1] * 3 // 2, SIZE[0]), 100 + index % 50, np.uint8), "yuv420p"
            )
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            for stream, sound in zip(streams, tracks.values(), strict=True):
                first, last = (round(n * rate_hz / FPS) for n in (index, index + 1))
                _write(container, stream, sound[:, first:last], first, layout, rate_hz)
        for stream in (video, *streams):
            container.mux(stream.encode(None))
    return path


def _write(container: object, stream: object, sound: Sound, first: int, layout: str, rate_hz: int) -> None:
    if not sound.shape[1]:
        return
    if stream.codec_context.format.name == "s32":
        whole = np.clip(sound.astype(np.float64), -1, 1) * (2**31 - 1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(whole.T.reshape(1, -1)).astype(np.int32), "s32", layout
        )
    else:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound, np.float32), "fltp", layout)
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, first, Fraction(1, rate_hz)
    container.mux(stream.encode(frame))


def heard(path: Path, number: int = 0) -> Sound:
    """Decode one track of a file as it is: float32, shape (channels, num_samples)."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        resampler = av.AudioResampler("fltp", stream.layout.name, RATE_HZ)
        blocks = [b.to_ndarray() for f in container.decode(stream) for b in resampler.resample(f)]
        blocks += [b.to_ndarray() for b in resampler.resample(None)]
    return np.concatenate(blocks, axis=1).astype(np.float32)
