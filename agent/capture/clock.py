"""The session's own time line: CLOCK_MONOTONIC less the moment at which the session began.

Frozen; any thread.
"""

from __future__ import annotations

import time


class SessionClock:
    """Monotonic time to session time and back.

    Args:
        t0_monotonic_ns: CLOCK_MONOTONIC when the session's line is at 0; None is now.
    """

    def __init__(self, t0_monotonic_ns: int | None = None) -> None:
        self.t0_monotonic_ns = self.monotonic_ns() if t0_monotonic_ns is None else t0_monotonic_ns

    def monotonic_ns(self) -> int:
        """Now, on CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def now_ns(self) -> int:
        """Now, on the session's line."""
        return self.monotonic_ns() - self.t0_monotonic_ns

    def to_session_ns(self, monotonic_ns: int) -> int:
        """A monotonic time on the session's line; negative before it began."""
        return monotonic_ns - self.t0_monotonic_ns


class ManualClock(SessionClock):
    """A session clock that stands still until it is moved: for tests and generated input."""

    def __init__(self, t0_monotonic_ns: int = 0) -> None:
        self._monotonic_ns = t0_monotonic_ns
        super().__init__(t0_monotonic_ns)

    def monotonic_ns(self) -> int:
        """The time it was moved to."""
        return self._monotonic_ns

    def advance(self, duration_ns: int) -> None:
        """Move on by `duration_ns`."""
        self._monotonic_ns += duration_ns
