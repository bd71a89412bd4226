"""Processes of a test, each in a session of its own, found again by a mark in their environment, ended by their ids.

Whatever they start inherits the mark, so that nothing that is left over escapes the look. Linux (/proc).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MARK = "CLIPPY_TEST_STACK"
_POLL_S = 0.1
_LAST_LINES = 60


class NotInTime(AssertionError):
    """Something that was waited for did not come."""


def wait_until(is_so: Callable[[], Any], what: str, *, deadline_s: float) -> Any:
    """Poll until it is so, and return what made it so; NotInTime at the deadline."""
    ends = time.monotonic() + deadline_s
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > ends:
            raise NotInTime(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(_POLL_S)


class Started:
    """A process that we started; its output goes to a log."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, **pipes: Any
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(environment),
                stdin=pipes.get("stdin", subprocess.DEVNULL),
                stdout=pipes.get("stdout", out),
                stderr=out,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its id, which is its group's and its session's too."""
        return self._process.pid

    @property
    def stdout(self) -> Any:
        """What it says, where that was asked for."""
        return self._process.stdout

    @property
    def stdin(self) -> Any:
        """What it listens to, where that was asked for."""
        return self._process.stdin

    @property
    def is_alive(self) -> bool:
        """Does it run?"""
        return self._process.poll() is None

    def check(self) -> None:
        """Fail with its last words when it has ended."""
        if not self.is_alive:
            words = self.last_words().splitlines()
            raise AssertionError(
                f"the {self.name} ended with {self._process.returncode}: {words[-1] if words else 'no word'}"
            )

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])

    def kill(self) -> None:
        """kill -9, it alone."""
        self._process.kill()
        self._process.wait(10)
        self._close()

    def terminate(self, *, within_s: float = 40.0) -> int:
        """SIGTERM; returns its exit code."""
        self._process.terminate()
        return self.wait(within_s=within_s)

    def wait(self, *, within_s: float) -> int:
        """Wait for its end; returns its exit code."""
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise NotInTime(f"the {self.name} did not end within {within_s:.0f} s") from None
        self._close()
        return code

    def end(self) -> None:
        """End it, politely and then not. Twice is once."""
        if self.is_alive:
            with contextlib.suppress(AssertionError):
                self.terminate(within_s=10.0)
        if self.is_alive:
            self.kill()
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def is_running(pid: int) -> bool:
    """Is there such a process, and no zombie?"""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def command_of(pid: int) -> str:
    """A process's command line; empty when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def marked(mark: str) -> dict[int, str]:
    """Every living process with that mark in its environment, or its path on its command line: {pid: command}."""
    found: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError):
            environment = (entry / "environ").read_bytes().split(b"\0")
            is_marked = f"{MARK}={mark}".encode() in environment
            if (is_marked or f"{mark}/" in command_of(pid)) and is_running(pid):
                found[pid] = command_of(pid)
    return found


def children_of(pid: int) -> dict[int, str]:
    """All processes below one: {pid: command}."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child: command_of(child) for child in found - {pid}}


def kill_left_over(mark: str) -> dict[int, str]:
    """kill -9 what is left with that mark, until nothing is; returns what there was."""
    killed: dict[int, str] = {}
    ends = time.monotonic() + 10
    while (left := marked(mark)) and time.monotonic() < ends:
        killed |= left
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)
    return killed
