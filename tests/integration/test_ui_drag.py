"""A clip dragged out of the app, on a real screen, into another program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.desktop
ROOT = Path(__file__).parents[2]
TARGET_AT = (700, 300)


@pytest.fixture
def environment(desktop: Any) -> dict[str, str]:
    return os.environ | desktop.environment | {"QT_QPA_PLATFORM": "xcb"}


def started(environment: dict[str, str], module: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.fakes.{module}", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert any(line.strip() == "ready" for line in process.stdout)
    return process


@pytest.fixture
def page(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = started(environment, "clips_on_screen", str(tmp_path))
    yield process
    process.kill()
    process.communicate(timeout=20)


@pytest.fixture
def target(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = started(environment, "drop_target", *map(str, TARGET_AT))
    yield process
    process.kill()
    process.communicate(timeout=20)


def test_a_clip_dragged_out_arrives_as_the_file_that_may_leave(
    environment: dict[str, str], page: subprocess.Popen[str], target: subprocess.Popen[str], tmp_path: Path
):
    def pointer(*words: str) -> None:
        subprocess.run(["xdotool", *words], env=environment, check=True, timeout=10)

    assert page.stdout is not None
    assert target.stdout is not None
    pointer("mousemove", "250", "90", "mousedown", "1")
    for step in range(1, 6):
        pointer("mousemove", str(250 + 8 * step), "90")
    # The file is made while the pointer holds still, and is on the pointer then.
    assert any("drop it where it shall go" in line for line in page.stdout)
    x_px, y_px = TARGET_AT
    for step in range(1, 8):
        pointer("mousemove", str(x_px - 60 + 20 * step), str(y_px + 20 * step))
    assert target.stdout.readline().strip() == "entered"
    pointer("mousemove", str(x_px + 100), str(y_px + 100))
    pointer("mouseup", "1")

    assert json.loads(target.stdout.readline()) == [(tmp_path / "share-c1.mp4").as_uri()]
