"""Tests that need a process of their own: Qt allows one application a process, and the suite's is pytest-qt's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_MARK = "CLIPPY_TEST_OWN_PROCESS"
IS_OWN_PROCESS = bool(os.environ.get(_MARK))
WHY_SKIPPED = "run by another test in a process of its own"


def run_tests(*words: str, timeout_s: float = 100.0) -> str:
    """Run pytest in a process of its own; returns what it said. Fails with that when a test fails."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:pytest-qt",
        *words,
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {_MARK: "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout
