"""Rival: Debian's ffmpeg, told to record and to copy the same things as we do, with the same encoder settings."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench.content import SIZE_PX, VIDEO_RATE_BPS
from tests.bench.engine import Stage
from tests.bench.measure import CannotMeasure, end, last_words, running, wait_until

_START_S = 20.0


def version() -> str:
    """Its version.

    Raises:
        CannotMeasure: It is not installed.
    """
    if shutil.which("ffmpeg") is None:
        raise CannotMeasure("ffmpeg is not installed")
    words = subprocess.run(
        ["ffmpeg", "-version"], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    found = re.match(r"ffmpeg version (\S+)", words)
    return found[1] if found else "unknown"


def record_command(on: Stage, path: Path, *, has_sound: bool) -> list[str]:
    """The same picture, tracks, encoder settings and threads as ours; the cheaper of its scalers, as ours."""
    rate = str(on.frame_rate)
    # With three inputs its default queue of 8 loses a third of the pictures at 60 a second.
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-y", "-thread_queue_size", "64"]
    command += ["-f", "x11grab", "-framerate", rate]
    command += ["-video_size", "{}x{}".format(*SIZE_PX), "-i", on.environment["DISPLAY"]]
    if has_sound:
        for source in ("voice.monitor", "game.monitor"):
            command += ["-f", "pulse", "-thread_queue_size", "1024", "-i", source]
        mixed = "[1:a]asplit=2[mic][one];[2:a]asplit=2[desktop][two];[one][two]amix=inputs=2:normalize=0[mix]"
        command += ["-filter_complex", mixed, "-map", "0:v"]
        for number, track in enumerate(("[mix]", "[mic]", "[desktop]")):
            command += ["-map", track, f"-b:a:{number}", "160k" if number == 0 else "128k"]
        command += ["-c:a", "aac", "-aac_coder", "fast", "-ar", "48000", "-ac", "2"]
    bits = str(VIDEO_RATE_BPS)
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "2"]
    command += [
        "-b:v",
        bits,
        "-maxrate",
        bits,
        "-bufsize",
        bits,
        "-g",
        rate,
        "-bf",
        "0",
        "-sc_threshold",
        "0",
    ]
    command += ["-sws_flags", "fast_bilinear", "-pix_fmt", "yuv420p", str(path)]
    return command


@contextlib.contextmanager
def recording(on: Stage, path: Path, *, has_sound: bool) -> Iterator[subprocess.Popen[str]]:
    """Record until the block ends; running when it begins. The file is closed when it has ended.

    Raises:
        CannotMeasure: It is not installed, or records nothing.
    """
    version()
    log = on.folder / "ffmpeg.log"
    path.unlink(missing_ok=True)
    with running(record_command(on, path, has_sound=has_sound), environment=on.environment, log=log) as child:

        def is_writing() -> bool:
            if child.poll() is not None:
                raise CannotMeasure(f"ffmpeg ended: {last_words(log)}")
            return path.exists() and path.stat().st_size > 100_000

        wait_until(is_writing, timeout_s=_START_S, what="ffmpeg records")
        try:
            yield child
        finally:
            # SIGTERM closes the file in order.
            end(child, patience_s=20.0)
