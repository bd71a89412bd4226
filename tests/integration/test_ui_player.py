"""The app's player, on a real screen and sound server, with real files.

In a process of its own: a process has one Qt platform, and the other tests draw into memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

pytestmark = pytest.mark.desktop
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def orange_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of orange with a tone: H.264 and AAC in MP4."""
    path = tmp_path_factory.mktemp("player") / "orange clip.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        audio = out.add_stream("aac", rate=48_000, layout="mono")
        picture = np.full((180, 320, 3), (255, 128, 0), np.uint8)
        for _ in range(120):
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        tone = (0.2 * np.sin(np.arange(48_000 * 4) * 0.06)).astype(np.float32)
        for start in range(0, len(tone), 1_024):
            block = av.AudioFrame.from_ndarray(
                tone[None, start : start + 1_024], format="fltp", layout="mono"
            )
            block.sample_rate, block.pts = 48_000, start
            out.mux(audio.encode(block))
        out.mux(video.encode())
        out.mux(audio.encode())
    return path


def played(place: Path, desktop: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.play_on_screen", str(place)],
        cwd=ROOT,
        env=os.environ | desktop.environment | {"QT_QPA_PLATFORM": "xcb"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_a_clip_plays_and_its_picture_is_on_the_screen(desktop: Any, orange_clip: Path):
    said = played(orange_clip, desktop)

    assert len(said["positions_ms"]) > 3
    assert said["positions_ms"][-1] > 1_000
    red, green, blue = said["colour"]
    assert red > 150
    assert 60 < green < red
    assert blue < 60


@pytest.mark.parametrize("content", [None, b"", b"this is no film" * 50])
def test_a_file_that_cannot_be_played_is_named(desktop: Any, tmp_path: Path, content: bytes | None):
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)

    said = played(path, desktop)

    assert said["message"].startswith("cannot play broken.mp4:")
