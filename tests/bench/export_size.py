"""How well a limit of bytes is met: random clips against Discord's limit, made smaller as the clips are."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction
from pathlib import Path
from unittest import mock

import av
import numpy as np

from coordinator.media.output import presets, tries
from coordinator.media.output.export import export
from coordinator.model.exporting import Recipe
from tests.bench.measure import say

_SIZE_PX = (320, 180)
_RATE = 30
# As many bits a pixel as Discord's 10 MB leave a clip of 10 to 60 s at its size.
_BITS_PER_PIXEL = (0.04, 0.2)
_AUDIO_BPS = 48_000


def random_clip(path: Path, seed: int) -> float:
    """Write a clip of a random length whose picture is calm, restless, or both in turns; returns its length."""
    rng = random.Random(seed)
    grain = np.random.default_rng(seed)
    length_s = rng.uniform(2.0, 8.0)
    width, height = _SIZE_PX
    base = grain.integers(40, 200, (height // 12, width // 12), dtype=np.uint8).repeat(12, 0).repeat(12, 1)
    scene_s, restlessness = rng.uniform(0.5, 4.0), rng.choice((0, 2, 6, 14, 30))
    speed_px, has_pauses = rng.choice((0, 1, 3, 7)), rng.random() < 0.3
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=_RATE, options={"preset": "ultrafast", "crf": "12"})
        video.width, video.height, video.pix_fmt = base.shape[1], base.shape[0], "yuv420p"
        audio = container.add_stream("aac", rate=48_000, layout="stereo")
        for index in range(round(length_s * _RATE)):
            scene = int(index / _RATE / scene_s)
            still = has_pauses and scene % 2 == 1
            picture = np.roll(base, (scene * 37, 0 if still else index * speed_px), (0, 1)).astype(np.int16)
            if restlessness and not still:
                picture = picture + grain.integers(-restlessness, restlessness + 1, picture.shape)
            frame = av.VideoFrame(video.width, video.height, "yuv420p")
            luma, *chroma = (np.frombuffer(p, np.uint8).reshape(-1, p.line_size) for p in frame.planes)
            luma[: video.height, : video.width] = picture.clip(16, 235)
            for plane in chroma:
                plane[:] = 128
            frame.pts, frame.time_base = index, Fraction(1, _RATE)
            container.mux(video.encode(frame))
        sound = (0.1 * grain.standard_normal((2, round(length_s * 48_000)))).astype(np.float32)
        block = av.AudioFrame.from_ndarray(sound, "fltp", "stereo")
        block.sample_rate, block.pts, block.time_base = 48_000, 0, Fraction(1, 48_000)
        container.mux(audio.encode(block))
        for stream in (video, audio):
            container.mux(stream.encode(None))
    return length_s


def measure_size(folder: Path, *, num_clips: int, seed: int = 1) -> dict[str, float | int | None]:
    """Export random clips to Discord, each against a limit of its own.

    A source allows its limit to be filled where x264 at a quality that nobody sees through (crf 8) needs more.
    """
    fills, num_over, tried = [], 0, []
    clip, post = folder / "random.mp4", folder / "random-post.mp4"
    for number in range(num_clips):
        length_s = random_clip(clip, seed * 10_000 + number)
        bits = random.Random(number).uniform(*_BITS_PER_PIXEL) * _SIZE_PX[0] * _SIZE_PX[1] * _RATE * length_s
        limit_bytes = round((bits + _AUDIO_BPS * length_s) / 8)
        row = dataclasses.replace(
            presets.preset_named("discord"), max_size_bytes=limit_bytes, audio_bitrate_bps=_AUDIO_BPS
        )
        size_bytes, num_tries = _exported(clip, post, row)
        most_bytes, _ = _exported(clip, post, dataclasses.replace(row, max_size_bytes=None, crf=8.0))
        tried.append(num_tries)
        num_over += size_bytes > limit_bytes
        if most_bytes > limit_bytes:
            fills.append(size_bytes / limit_bytes)
        if number % 20 == 19:
            say(
                f"export: {number + 1} clips, least full {min(fills, default=0):.3f}, tries {np.mean(tried):.2f}"
            )
    return {
        "size_fill_min": round(min(fills), 3) if fills else None,
        "size_over_limit": num_over,
        "size_tries_mean": round(float(np.mean(tried)), 2),
        "size_second_tries_share": round(float(np.mean([count > 1 for count in tried])), 3),
    }


def _exported(clip: Path, post: Path, row: presets.Preset) -> tuple[int, int]:
    """Export by a changed row of the table: the size, and how often it was encoded."""
    rows = presets.presets() | {"discord": row}
    with (
        mock.patch.object(presets, "presets", lambda: rows),
        mock.patch.object(tries, "render_encodings", wraps=tries.render_encodings) as encoded,
    ):
        result = export(clip, post, Recipe(preset="discord"))
    return result.size_bytes, encoded.call_count
