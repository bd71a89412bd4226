"""A small recording of which everything is known: a white flash and a beep on every full second.

`write_clip` makes it; `flashes_s` and `beeps_s` find the marks again in any file made from it.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000


def write_clip(
    path: Path,
    *,
    duration_s: float = 6.0,
    size: tuple[int, int] = (640, 360),
    fps: int = 30,
    gain: float = 0.25,
    has_sound: bool = True,
    is_restless: bool = False,
    x264: dict[str, str] | None = None,
    gop_s: float = 1.0,
) -> Path:
    """Write a film of grey noise moving to the left, flashing 100 ms a second, beeping with it.

    A restless one has new noise in every picture, which no encoder can predict. `x264`: options of the encoder;
    without them it writes no B pictures.
    """
    width, height = size
    noise = np.random.default_rng(7).integers(60, 110, (height // 8 + 1, 61 + width // 8), dtype=np.uint8)
    noise = noise.repeat(8, axis=0).repeat(8, axis=1)[:height]
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "tune": "zerolatency"} if x264 is None else x264
        video = container.add_stream("libx264", rate=fps, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.gop_size = round(gop_s * fps)
        audio = container.add_stream("aac", rate=RATE_HZ, layout="stereo") if has_sound else None
        for index in range(round(duration_s * fps)):
            frame = av.VideoFrame(width, height, "yuv420p")
            luma, *chroma = (np.frombuffer(p, np.uint8).reshape(-1, p.line_size) for p in frame.planes)
            if is_restless:
                noise = np.random.default_rng(index).integers(60, 110, noise.shape, dtype=np.uint8)
            shift = index % 60 * 8
            luma[:height, :width] = 235 if _is_marked(index / fps) else noise[:, shift : shift + width]
            for plane in chroma:
                plane[:] = 128
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(video.encode(frame))
            if audio is not None:
                _write_sound(container, audio, index, fps, gain)
        for stream in filter(None, (video, audio)):
            container.mux(stream.encode(None))
    return path


def _is_marked(time_s: float) -> bool:
    return time_s % 1 < 0.1 - 1e-6 and time_s > 0.5


def _write_sound(container: object, audio: object, index: int, fps: int, gain: float) -> None:
    start, end = (round(n * RATE_HZ / fps) for n in (index, index + 1))
    t = np.arange(start, end) / RATE_HZ
    tone = 0.02 * np.sin(2 * np.pi * 300 * t) + np.where(
        (t % 1 < 0.1) & (t > 0.5), gain * np.sin(2 * np.pi * 1000 * t), 0
    )
    frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]).astype(np.float32), "fltp", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
    container.mux(audio.encode(frame))


def flashes_s(path: Path) -> list[float]:
    """Return when each flash begins, in seconds of the file."""
    found, was_bright = [], True
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            height = frame.height
            luma = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
            middle = luma[height * 2 // 5 : height * 3 // 5, frame.width // 3 : frame.width * 2 // 3]
            is_bright = float(middle.mean()) > 190
            if is_bright and not was_bright:
                found.append(float(frame.time))
            was_bright = is_bright
    return found


def samples_of(path: Path) -> npt.NDArray[np.float32]:
    """Decode the first channel at 48 kHz, from time 0 of the file."""
    resampler = av.AudioResampler("fltp", "stereo", RATE_HZ)
    with av.open(str(path)) as container:
        blocks = [b for f in container.decode(audio=0) for b in resampler.resample(f)]
    first = round(blocks[0].time * RATE_HZ)
    sound = np.concatenate([b.to_ndarray()[0] for b in blocks])
    return np.concatenate([np.zeros(max(0, first), np.float32), sound[max(0, -first) :]])


def beeps_s(path: Path) -> list[float]:
    """Return when each beep begins, in seconds of the file."""
    level = np.abs(samples_of(path))
    loud = level > 0.3 * level.max()
    onsets = np.flatnonzero(loud)
    return [float(n) / RATE_HZ for k, n in enumerate(onsets) if k == 0 or n - onsets[k - 1] > RATE_HZ // 2]


def num_frames(path: Path) -> int:
    """Count the pictures that decode."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))
