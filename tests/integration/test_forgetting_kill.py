"""`kill -9` in the middle of forgetting: the next start finishes it, whole or not at all."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.forgettable import Forgettable

ROOT = Path(__file__).resolve().parents[2]


def killed_after(data: Path, delay_s: float) -> None:
    """Forget in another process, and kill that so long after it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.forget_process", str(data)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"forgetting\n"
    time.sleep(delay_s)
    process.kill()
    process.wait()
    process.stdout.close()


def check(data: Path, delay_s: float) -> bool:
    """Kill, start again, look; was it forgotten?"""
    filled = Forgettable(data)
    filled.fill()
    filled.close()

    killed_after(data, delay_s)

    there = Forgettable(data)
    try:
        there.forgetter.finish()
        left = there.holds(20, 60, ("middle", "last"))
        assert left == [] or len(left) == 40 + 4 + 2 + 6, f"killed after {delay_s * 1000:.1f} ms: {left}"
        assert there.holds(0, 20, ("first",)) == [f"media {second}" for second in range(20)] + [
            *("chunk 0", "chunk 1"),
            *("moment first", "row first", "first.mp4", "first.jpg"),
        ]
        assert there.tombstones() == ([] if left else [(2, 5)])
        return not left
    finally:
        there.close()


def test_a_kill_in_the_middle_is_finished_by_the_next_start(tmp_path: Path):
    # The whole takes about 20 ms here.
    for number, delay_s in enumerate((0.0, 0.006)):
        check(tmp_path / str(number), delay_s)


@pytest.mark.slow
def test_kills_at_thirty_random_instants(tmp_path: Path):
    rng = random.Random(7)
    for number in range(30):
        check(tmp_path / str(number), rng.uniform(0, 0.03))
