"""Where GOPs are kept beside memory: on a disk (`DiskWriter`), or nowhere (`NoStore`, for a ring in memory alone)."""

from __future__ import annotations

from typing import Protocol

from agent.errors import EnvironmentProblem
from agent.ring.gop import Gop
from agent.ring.held_file import HeldFile


class GopStore(Protocol):
    """Everything but `join` is called under the ring's lock and returns at once, unless it says that it waits."""

    # Set when the store takes nothing; told once, by whoever clears it.
    untold_failure: EnvironmentProblem | None

    def enqueue(self, gop: Gop) -> None:
        """From now on write this GOP's packets as they come."""
        ...

    def wake(self) -> None:
        """There is something to write."""
        ...

    def trash(self, file: HeldFile) -> None:
        """Delete a file once it has no reader."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait, letting go of the lock, until all is written; False at the deadline or while nothing is taken."""
        ...

    def settle(self, timeout_s: float) -> bool:
        """Wait, letting go of the lock, until what was trashed is deleted or left to its readers."""
        ...

    def stop(self) -> None:
        """Take nothing more."""
        ...

    def join(self, timeout_s: float) -> None:
        """Outside the lock: wait for the end."""
        ...

    def remove_empty_folders(self) -> None:
        """Outside the lock, after `join`: remove what holds no GOP any more."""
        ...

    @property
    def problem(self) -> str:
        """Why only the newest seconds are kept at present; empty when all is well. Any thread."""
        ...

    @property
    def squeeze(self) -> str:
        """That lack of room cut the ring short within the last seconds; empty when not. Any thread."""
        ...


class NoStore:
    """Nothing is written: what leaves memory is gone."""

    untold_failure: EnvironmentProblem | None = None
    problem = ""
    squeeze = ""

    def enqueue(self, gop: Gop) -> None:
        """As the port says: not at all."""

    def wake(self) -> None:
        """As the port says: nobody sleeps."""

    def trash(self, file: HeldFile) -> None:
        """As the port says: there is none."""

    def flush(self, timeout_s: float) -> bool:
        """As the port says."""
        return True

    def settle(self, timeout_s: float) -> bool:
        """As the port says."""
        return True

    def stop(self) -> None:
        """As the port says."""

    def join(self, timeout_s: float) -> None:
        """As the port says."""

    def remove_empty_folders(self) -> None:
        """As the port says."""
