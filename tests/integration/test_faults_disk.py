"""A ring's disk that is really full: told while it lasts, and over when there is room again."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from tests.fakes.told_command import ToldEngine, fill, small_disk

MIB = 1024 * 1024
pytestmark = pytest.mark.slow


def decoded_s(path: Path) -> float:
    """From the first decoded picture that is shown to the end of the last."""
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0) if frame.time >= 0]
    return max(times) - min(times)


def test_a_full_disk_is_an_alarm_a_clip_tells_how_long_it_is_and_room_ends_it(tmp_path: Path):
    with (
        small_disk("64m") as disk,
        ToldEngine(tmp_path, RING__FOLDER=disk / "ring", RING__MIN_FREE_BYTES=8 * MIB) as engine,
    ):
        fill(disk / "fill")
        status = engine.wait_for("the alarm", lambda status: status.health.alarms)

        (alarm,) = status["health"]["alarms"]
        assert alarm["code"] in ("disk", "disk_short") and str(disk / "ring") in alarm["message"]
        exit_code, clip = engine.ask("clip", "--last", "30")
        assert exit_code == 0
        assert abs(decoded_s(Path(clip["path"])) - clip["duration_s"]) < 0.1

        (disk / "fill").unlink()
        engine.wait_for("the end", lambda status: not status.health.alarms and status.state == "ready")
