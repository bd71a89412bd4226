"""Commands of the products as a script meets them: an exit code, one JSON object on stdout and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from agent.paths import AgentPaths

ROOT = Path(__file__).parents[2]
# What a test's engine or command must not find: a screen, a sound server, somebody's settings.
_LEFT_OUT = ("DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER", "CLIPPY_")
_READY_S = 80.0


def bare_environment(more: Mapping[str, Any] | None = None) -> dict[str, str]:
    """This process's environment without screen, sound and settings, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    return kept | {name: str(value) for name, value in (more or {}).items()}


def no_free_port() -> list[str]:
    """What to put before a command so that no port is left for it; skips where we may not make a network."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "--net", "true"], check=False).returncode:
        pytest.skip("a network of its own cannot be made here")
    return ["unshare", "--net", sys.executable, str(ROOT / "tests" / "fakes" / "no_free_port.py")]


def tell(
    *words: Any,
    environment: Mapping[str, Any] | None = None,
    before: Sequence[str] = (),
    timeout_s: float = 90,
) -> tuple[int, dict[str, Any]]:
    """Run `BEFORE python WORDS`; its exit code, and the one object that stdout holds (checked)."""
    done = subprocess.run(
        [*before, sys.executable, *map(str, words)],
        cwd=ROOT,
        env=bare_environment(environment),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1, f"stdout is not one line: {done.stdout!r}; stderr ends {done.stderr[-600:]!r}"
    answer = json.loads(lines[0])
    assert isinstance(answer, dict)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, answer


def refusal(
    *words: Any, environment: Mapping[str, Any] | None = None, before: Sequence[str] = ()
) -> tuple[int, str, str]:
    """Run what must fail: exit code, error code and message; the object holds nothing else (checked)."""
    exit_code, answer = tell(*words, environment=environment, before=before)
    assert list(answer) == ["error"], answer
    assert set(answer["error"]) == {"code", "message", "retryable"}
    return exit_code, answer["error"]["code"], answer["error"]["message"]


@contextlib.contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own (tmpfs) of `size`, e.g. `64m`; skips where we may not mount one."""
    folder = Path(tempfile.mkdtemp(prefix="clippy-small-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False) if shutil.which("mount") else None
        if done is None or done.returncode != 0:
            pytest.skip("a small file system cannot be mounted here")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    finally:
        folder.rmdir()


def fill(path: Path) -> None:
    """Write a file until there is no room left."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for size in (65_536, 512):
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, b"x" * size)
    finally:
        os.close(descriptor)


class ToldEngine:
    """`clippy engine` as a process; ended with the test.

    Args:
        settings: named as in the environment, without the prefix.
        desktop: the environment of a screen; None: it records a generated picture and sound.
        before: the command that the engine is run by.
    """

    def __init__(
        self,
        folder: Path,
        *,
        desktop: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        self._before = before
        self.clips = Path(settings.get("CLIPS__FOLDER", folder / "clips"))
        named = {
            "DATA": folder / "agent",
            "CLIPS__FOLDER": self.clips,
            "TRIGGER__ARE_SOUNDS_ON": "false",
            **settings,
        }
        self.environment = {
            **(desktop or {}),
            **{f"CLIPPY_AGENT_{name}": value for name, value in named.items()},
        }
        self._data = Path(named["DATA"])
        self._log = folder / f"engine-{time.monotonic_ns()}.log"
        self._is_generated = desktop is None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ToldEngine:
        generated = ["--generated"] if self._is_generated else []
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._before, sys.executable, "-m", "agent", "engine", *generated],
                cwd=ROOT,
                env=bare_environment(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait_for("a second in the buffer", lambda status: status.buffered_ns > 1_000_000_000)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ask(self, *verb: str) -> tuple[int, dict[str, Any]]:
        """`clippy VERB --json`."""
        return tell("-m", "agent", *verb, "--json", environment=self.environment)

    def wait_for(self, what: str, is_so: Any) -> dict[str, Any]:
        """Poll the status, in this process, until it is so; then returns it as `clippy status` tells it."""
        from agent.control.client import ControlClient
        from agent.errors import EngineNotRunning

        client = ControlClient(AgentPaths(data=self._data).control_socket)
        ends = time.monotonic() + _READY_S
        answer: Any = None
        while True:
            assert self._process is not None and self._process.poll() is None, self._log.read_text()[-1500:]
            with contextlib.suppress(EngineNotRunning):
                answer = client.status()
                if is_so(answer):
                    client.close()
                    return self.ask("status")[1]
            assert time.monotonic() < ends, f"not in time: {what}; the last answer was {answer}"
            time.sleep(0.1)

    def clip(self) -> Path:
        """Save the last second; it must work."""
        exit_code, answer = self.ask("clip", "--last", "1")
        assert exit_code == 0, answer
        path = Path(answer["path"])
        assert path.stat().st_size > 0
        return path
