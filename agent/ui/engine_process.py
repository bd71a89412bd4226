"""The engine as a process of its own, started by the app where none answers, and never stopped with it.

Started from the main thread; `explain` may be called from any.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import structlog

from agent.control.client import ControlClient
from agent.errors import EngineNotRunning, EnvironmentProblem
from agent.paths import AgentPaths, make_private

log = structlog.get_logger()
# From the start to the first answer; measured 1 to 3 s, a cold disk and a slow sound server on top.
_STARTS_WITHIN_S = 20.0
_LAST_WORDS_BYTES = 4096


class EngineProcess:
    """Starts the engine of one data directory, and says why it is not there.

    Args:
        command: starts an engine; None is this very program with the verb `engine`.
    """

    def __init__(self, paths: AgentPaths, command: Sequence[str] | None = None) -> None:
        self._paths = paths
        program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "agent"]
        self._command = list(command or [*program, "--data", str(paths.data), "engine"])
        self._child: subprocess.Popen[bytes] | None = None
        self._started_at_s = 0.0

    def start_if_needed(self) -> None:
        """Start one unless one answers. Raises as `start` does."""
        client = ControlClient(self._paths.control_socket)
        try:
            client.status()
        except EngineNotRunning:
            self.start()
        finally:
            client.close()

    def start(self) -> None:
        """Start one, unless the last one we started is still alive; its log goes to the data directory.

        Raises:
            EnvironmentProblem: The data directory or the program cannot be used.
        """
        if self._child is not None and self._child.poll() is None:
            return
        make_private(self._paths.data)
        try:
            with self._paths.log_file.open("ab") as out:
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,  # the app's death must not be the engine's
                )
        except OSError as exc:
            raise EnvironmentProblem(
                f"cannot start the engine: {exc.strerror} ({exc.filename}); start it with `clippy engine`"
            ) from exc
        self._started_at_s = time.monotonic()
        log.info("engine_started_by_app", pid=self._child.pid)

    def explain(self, why: str) -> str | None:
        """What to say when the engine does not answer: None while it is starting, its last words if it ended."""
        if self._child is None:
            return why
        code = self._child.poll()
        if code is None:
            return None if time.monotonic() - self._started_at_s < _STARTS_WITHIN_S else why
        return f"the engine ended with exit code {code}: {self._last_words()}" if code else why

    def _last_words(self) -> str:
        try:
            with self._paths.log_file.open("rb") as file:
                size_bytes = file.seek(0, 2)
                file.seek(max(0, size_bytes - _LAST_WORDS_BYTES))
                lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
        except OSError:
            lines = []
        last = next((line for line in reversed(lines) if line), "")
        return last.removeprefix("clippy: ") or f"it said nothing; see {self._paths.log_file.name}"
