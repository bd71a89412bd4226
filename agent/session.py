"""One run of capture as a streamer sees it: its state, what is wrong with it, and how the last press went.

The state machine is `State` with the table `_MOVES`; `_enter` is the only way from one to another. Data flows in
the stages' own threads; presses are the clip desk's (`agent/desk/`).
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable

import structlog

from agent.errors import Bug

log = structlog.get_logger()


class State(enum.Enum):
    """What a streamer sees."""

    STARTING = "starting"
    READY = "ready"
    PROBLEM = "problem"
    STOPPING = "stopping"


_MOVES: dict[State, frozenset[State]] = {
    State.STARTING: frozenset({State.READY, State.PROBLEM, State.STOPPING}),
    State.READY: frozenset({State.PROBLEM, State.STOPPING}),
    State.PROBLEM: frozenset({State.READY, State.STOPPING}),
    State.STOPPING: frozenset(),
}


class Session:
    """One run of capture."""

    def __init__(self, *, session_id: str, on_change: Callable[[], None]) -> None:
        """Args:
        on_change: called when the state changed; returns at once.
        """
        self.session_id = session_id
        self._on_change = on_change
        self._lock = threading.Lock()
        self._state = State.STARTING
        self._problems: dict[str, str] = {}
        self.last_press_error = ""

    @property
    def state(self) -> State:
        """The state; any thread."""
        return self._state

    @property
    def problem(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        with self._lock:
            return "; ".join(self._problems.values())

    def report_picture(self) -> None:
        """The first picture is in the ring: a press would be saved now."""
        with self._lock:
            if self._state is State.STARTING:
                self._enter(State.PROBLEM if self._problems else State.READY)
        self._on_change()

    def report_problem(self, stage: str, problem: str | None) -> None:
        """A stage has a problem (in words), or has none any more (None). Any thread."""
        with self._lock:
            if self._state is State.STOPPING or self._problems.get(stage) == problem:
                return
            if problem is None:
                self._problems.pop(stage, None)
            else:
                self._problems[stage] = problem
                log.warning("stage_has_problem", stage=stage, problem=problem)
            if self._problems and self._state is State.READY:
                self._enter(State.PROBLEM)
            elif not self._problems and self._state is State.PROBLEM:
                self._enter(State.READY)
        self._on_change()

    def report_press(self, error: str) -> None:
        """The last press was saved (empty), or why it was not. Any thread."""
        self.last_press_error = error
        self._on_change()

    def stop(self) -> None:
        """No state follows. Twice is once."""
        with self._lock:
            if self._state is not State.STOPPING:
                self._enter(State.STOPPING)
        self._on_change()

    def _enter(self, new: State) -> None:
        if new not in _MOVES[self._state]:
            raise Bug(f"a session cannot go from {self._state.value} to {new.value}")
        log.info("session_state_changed", old=self._state.value, new=new.value)
        self._state = new
