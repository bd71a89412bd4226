"""A named thread that repeats one step until it is told to stop.

A step may be called without a thread, so a test drives a worker one turn at a time and never sleeps. The loop
is the outermost frame of its thread: what a step raises is logged and handed to `on_problem`, and the worker
ends. The stop event wakes every wait that goes through `wait`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from agent.errors import AgentError, Bug

log = structlog.get_logger()
OnProblem = Callable[[AgentError], None]


def ignore_problem(_problem: AgentError) -> None:
    """The callback of a worker nobody listens to; the log has the problem anyway."""


class Worker:
    """One thread of the agent. Subclasses write `step`, and may write `set_up` and `tear_down`.

    `start` and `stop` belong to the owner's thread; everything else runs in the worker's.

    Args:
        name: the thread's name, as the table of threads has it.
        on_problem: gets the error that ended the worker, in the worker's thread. A foreign exception
            arrives as a `Bug` with its cause.
    """

    def __init__(self, name: str, *, on_problem: OnProblem = ignore_problem) -> None:
        self.name = name
        self._on_problem = on_problem
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self) -> None:
        """Do one turn's work. Waits only through `wait` or with a deadline of well under a second."""
        raise NotImplementedError

    def set_up(self) -> None:
        """Run once in the thread, before the first step."""

    def tear_down(self) -> None:
        """Run once in the thread after the last step, whether it ended well or not."""

    @property
    def is_stopping(self) -> bool:
        """Has `stop` been called? From any thread."""
        return self._stopping.is_set()

    @property
    def is_running(self) -> bool:
        """Is the thread alive? From any thread."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self, timeout_s: float) -> bool:
        """Sleep until the timeout or until `stop`; True when it is time to stop."""
        return self._stopping.wait(timeout_s) if timeout_s > 0 else self._stopping.is_set()

    def start(self) -> None:
        """Start the thread. A second start of a running worker is a bug.

        Raises:
            Bug: It is running already.
        """
        if self.is_running:
            raise Bug(f"worker {self.name} was started twice")
        self._stopping.clear()
        # Daemon: a step that hangs in a driver must not keep the process alive after its deadline.
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """Ask for the end and wake every wait; returns at once. From any thread."""
        self._stopping.set()

    def stop(self, deadline_s: float = 2.0) -> bool:
        """Ask for the end and wait for it; False when the thread still runs at the deadline. Twice is once."""
        self.request_stop()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(deadline_s)
        if thread.is_alive():
            log.warning("worker_hung", worker=self.name, deadline_s=deadline_s)
            return False
        self._thread = None
        return True

    def _run(self) -> None:
        try:
            self.set_up()
            while not self._stopping.is_set():
                self.step()
        except Exception as exc:  # noqa: BLE001 - outermost frame of the thread
            self._report(exc)
        finally:
            try:
                self.tear_down()
            except Exception as exc:  # noqa: BLE001 - outermost frame of the thread
                self._report(exc)

    def _report(self, exc: Exception) -> None:
        if isinstance(exc, AgentError):
            log.error("worker_failed", worker=self.name, code=exc.code, problem=str(exc))
            self._on_problem(exc)
            return
        log.error("worker_failed", worker=self.name, code=Bug.code, problem=repr(exc), exc_info=exc)
        bug = Bug(f"{self.name} ended with {type(exc).__name__}: {exc}; restart the engine")
        bug.__cause__ = exc
        self._on_problem(bug)
