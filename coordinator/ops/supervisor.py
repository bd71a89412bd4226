"""The supervisor of `coordinator all`: starts the processes, starts again what dies, stops them in reverse.

A child is tied to it by a pipe (`lifeline.py`), so that none outlives it; each is the head of a process group of its
own, so that its leftovers can be ended with it. It gives up on nothing: a child that dies at once comes back every
10 s, and each time a line says why; one that ends in order (exit code 0) is started anew at once. Owned by the main
thread, which runs it; `request_stop` is for any thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import structlog

from coordinator.errors import EnvironmentProblem
from coordinator.ops import lifeline
from coordinator.ops.private_files import write_private

log = structlog.get_logger(__name__)

STATE_FILE_NAME = "coordinator.json"
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 10.0
_HEALTHY_AFTER_S = 30.0
# A child that ends in order sooner than this would be started for nothing again and again.
_ORDERLY_AFTER_S = 5.0
_LOOK_EVERY_S = 0.5


class Service(Protocol):
    """Something beside the children that must run, e.g. the embedded PostgreSQL. Started and stopped by its owner."""

    name: str

    @property
    def pid(self) -> int | None:
        """Its process."""
        ...

    def is_alive(self) -> bool:
        """Does it run?"""
        ...

    def restart(self) -> None:
        """Start it again; raises EnvironmentProblem when that fails."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A process to keep running.

    Attributes:
        argv: the command line; it must call `lifeline.hold()`.
        environment: added to ours.
        rank: children start by rising rank and stop by falling rank; those of one rank stop together.
        stop_s: how long it may take to stop before it is killed.
        scratch: a folder of its own for work under way; when it has died, what it left there is removed.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rank: int = 0
    stop_s: float = 25.0
    scratch: Path | None = None


class Supervisor:
    """Keeps children and services running until it is asked to stop."""

    def __init__(
        self,
        children: Sequence[ChildSpec],
        *,
        state_file: Path,
        services: Sequence[Service] = (),
        told: Mapping[str, Any] | None = None,
    ) -> None:
        """Args: told: what else `state_file` (0600, JSON) says, e.g. ports and addresses."""
        self._kept = [_Kept(spec) for spec in sorted(children, key=lambda spec: spec.rank)]
        self._services = [_Watched(service) for service in services]
        self._state_file = state_file
        self._told = dict(told or {})
        self._is_stopping = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)

    def request_stop(self) -> None:
        """Ask `run` to stop and return. Any thread, or a signal handler."""
        self._is_stopping = True
        # A full buffer will wake it just as well.
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"\0")

    def run(self) -> int:
        """Start everything and stay until `request_stop`, SIGTERM or SIGINT; returns the exit code 0."""
        with self._signals():
            try:
                while not self._is_stopping:
                    if self._look(time.monotonic()):
                        self._write_state()
                    self._sleep()
            finally:
                self._stop_all()
                with contextlib.suppress(OSError):
                    self._state_file.unlink(missing_ok=True)
                self._wake_reader.close()
                self._wake_writer.close()
        return 0

    def _look(self, now: float) -> bool:
        """Start what is due and notice what died; did anything change?"""
        has_changed = False
        for service in self._services:
            has_changed |= service.look(now)
        for kept in self._kept:
            if self._is_stopping:
                break
            has_changed |= kept.look(now)
        return has_changed

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "children": {kept.spec.name: kept.pid for kept in self._kept},
            "services": {watched.service.name: watched.service.pid for watched in self._services},
            "num_restarts": {kept.spec.name: kept.num_deaths for kept in self._kept if kept.num_deaths},
            **self._told,
        }
        try:
            write_private(self._state_file, json.dumps(state, indent=1).encode() + b"\n")
        except OSError as exc:
            # A full disk must not end what runs.
            log.warning("state_file_not_written", reason=exc.strerror)

    def _sleep(self) -> None:
        select.select([self._wake_reader], [], [], _LOOK_EVERY_S)
        with contextlib.suppress(BlockingIOError):
            while self._wake_reader.recv(4096):
                pass

    def _stop_all(self) -> None:
        for rank in sorted({kept.spec.rank for kept in self._kept}, reverse=True):
            group = [kept for kept in self._kept if kept.spec.rank == rank]
            for kept in group:
                kept.ask_to_stop()
            began = time.monotonic()
            for kept in group:
                kept.finish(began + kept.spec.stop_s)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_stop(_number: int, _frame: FrameType | None) -> None:
            self._is_stopping = True

        def on_child(_number: int, _frame: FrameType | None) -> None:
            """Only to be woken."""

        handlers = {signal.SIGTERM: on_stop, signal.SIGINT: on_stop}
        if hasattr(signal, "SIGCHLD"):
            handlers[signal.SIGCHLD] = on_child
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        old_wake = signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(old_wake)
            for number, handler in before.items():
                signal.signal(number, handler)


class _Backoff:
    """When something that dies may start again: at once, then after 0.5, 1, 2 ... 10 s."""

    def __init__(self) -> None:
        self._delay_s = FIRST_BACKOFF_S
        self.not_before = 0.0

    def after_death(self, now: float, uptime_s: float) -> float:
        """Note a death; returns the seconds until the next start."""
        if uptime_s >= _HEALTHY_AFTER_S:
            self._delay_s = FIRST_BACKOFF_S
        delay_s = self._delay_s
        self._delay_s = min(2 * self._delay_s, MAX_BACKOFF_S)
        self.not_before = now + delay_s
        return delay_s


class _Kept:
    """One child."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.num_deaths = 0
        self._backoff = _Backoff()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def look(self, now: float) -> bool:
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return False
            self._bury(code, now)
            return True
        if now < self._backoff.not_before:
            return False
        return self._start(now)

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            if os.name == "posix":
                self._process.terminate()
            else:
                # Its lifeline: Windows knows no polite signal.
                self._close_pipe()

    def finish(self, deadline: float) -> None:
        """Wait until it ended, then end what it left; past the deadline it is killed."""
        process = self._process
        if process is None:
            return
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("child_killed", child=self.spec.name, pid=process.pid, after_s=self.spec.stop_s)
        _kill_group(process)
        process.wait(10)
        self._close_pipe()
        log.info("child_stopped", child=self.spec.name, pid=process.pid, code=process.returncode)
        self._process = None

    def _start(self, now: float) -> bool:
        try:
            self._process = subprocess.Popen(
                self.spec.argv,
                stdin=subprocess.PIPE,
                # What children print belongs to nobody's `--json`.
                stdout=2,
                env={**os.environ, **self.spec.environment, lifeline.VARIABLE: "stdin"},
                start_new_session=os.name == "posix",
            )
        except OSError as exc:
            delay_s = self._backoff.after_death(now, 0.0)
            log.error("child_not_started", child=self.spec.name, reason=str(exc), next_try_s=delay_s)
            return False
        self._started_at = now
        log.info("child_started", child=self.spec.name, pid=self._process.pid)
        return True

    def _bury(self, code: int, now: float) -> None:
        assert self._process is not None
        _kill_group(self._process)
        self._close_pipe()
        uptime_s = now - self._started_at
        if code == 0 and uptime_s >= _ORDERLY_AFTER_S:
            # It said itself why, e.g. that it held too much memory: no crash, and nothing to wait for.
            log.info(
                "child_ended_in_order",
                child=self.spec.name,
                pid=self._process.pid,
                uptime_s=round(uptime_s, 1),
                starts_again_in_s=0,
            )
        else:
            self._note_death(code, now, uptime_s)
        self._process = None
        if self.spec.scratch is not None:
            shutil.rmtree(self.spec.scratch, ignore_errors=True)

    def _note_death(self, code: int, now: float, uptime_s: float) -> None:
        assert self._process is not None
        self.num_deaths += 1
        delay_s = self._backoff.after_death(now, uptime_s)
        log.error(
            "child_died",
            child=self.spec.name,
            pid=self._process.pid,
            code=code,
            uptime_s=round(uptime_s, 1),
            num_deaths=self.num_deaths,
            starts_again_in_s=delay_s,
        )

    def _close_pipe(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


class _Watched:
    """One service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._backoff = _Backoff()
        self._alive_since = time.monotonic()
        self._was_alive = True
        self._is_told = False

    def look(self, now: float) -> bool:
        if self.service.is_alive():
            is_news = not self._is_told
            self._is_told = True
            return is_news
        if self._was_alive:
            self._was_alive = False
            delay_s = self._backoff.after_death(now, now - self._alive_since)
            log.error("service_died", service=self.service.name, starts_again_in_s=delay_s)
        if now < self._backoff.not_before:
            return False
        try:
            self.service.restart()
        except EnvironmentProblem as exc:
            delay_s = self._backoff.after_death(now, 0.0)
            log.error("service_not_started", service=self.service.name, reason=str(exc), next_try_s=delay_s)
            return False
        self._alive_since, self._was_alive = now, True
        log.info("service_started_again", service=self.service.name, pid=self.service.pid)
        return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        with contextlib.suppress(OSError):
            process.kill()
