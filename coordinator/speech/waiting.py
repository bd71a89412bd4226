"""Windows that wait for the model, and which of them go next. Pure but for its list; time comes in as an argument.

A window's rank is when it came plus a handicap by its priority, so all age alike and the order never changes: a LOW
window that came 30 s before a CRITICAL one goes before it. Some places of each batch are kept from those that
aged for CRITICAL ones, so that these wait at most for the call that runs.
"""

from __future__ import annotations

import asyncio
import bisect
import dataclasses

from coordinator.model.jobs import Priority
from coordinator.model.speech import Pcm16k, Transcript

# Places of a batch that CRITICAL windows have before all others, in whatever language they are; half of a small one.
KEPT_FOR_CRITICAL = 2
# A window rises by one priority for each so many seconds that it waits.
AGEING_S = 10.0
_STEPS = {Priority.CRITICAL: 0, Priority.HIGH: 1, Priority.NORMAL: 2, Priority.LOW: 3}


@dataclasses.dataclass(slots=True, eq=False)
class WaitingWindow:
    """One window, and where its transcript goes. Without a window it only waits for the model.

    Attributes:
        since_s: when it came, on any clock that all of them share.
        is_alone: after a crash each window of the batch runs by itself: a bad one then fails its own caller only.
    """

    window: Pcm16k | None
    future: asyncio.Future[Transcript | None]
    priority: Priority
    since_s: float
    is_alone: bool = False

    @property
    def rank(self) -> float:
        """Lower goes first."""
        return self.since_s + AGEING_S * _STEPS[self.priority]

    @property
    def group(self) -> str | None:
        """What one call to the model has in common: the language. Prompts carry no text, so their length follows."""
        return self.window.language if self.window else None


class WaitingWindows:
    """All that wait, by rank. Bounded by whoever adds."""

    def __init__(self) -> None:
        self._waiting: list[WaitingWindow] = []

    def add(self, waiting: WaitingWindow) -> None:
        """Among equals the last; what comes again after a crash finds its old place."""
        bisect.insort(self._waiting, waiting, key=lambda each: each.rank)

    def num(self, priority: Priority | None = None) -> int:
        """How many windows wait, of this priority or of all."""
        return sum(
            each.window is not None and not each.future.done() and priority in (None, each.priority)
            for each in self._waiting
        )

    def take(self, max_batch: int) -> list[WaitingWindow]:
        """The next batch, of one language but for CRITICAL ones in their kept places; what nobody awaits is dropped."""
        self._waiting = [each for each in self._waiting if not each.future.done()]
        if not self._waiting:
            return []
        first = self._waiting[0]
        taken = [first]
        if first.window is not None and not first.is_alone:
            together = [each for each in self._waiting if each.window is not None and not each.is_alone]
            critical = [each for each in together if each.priority is Priority.CRITICAL]
            taken = critical[: min(KEPT_FOR_CRITICAL, max_batch // 2)]
            others = [each for each in together if each.group == first.group and each not in taken]
            taken += others[: max_batch - len(taken)]
        self._waiting = [each for each in self._waiting if each not in taken]
        return taken

    def clear(self) -> list[WaitingWindow]:
        """Take all out."""
        waiting, self._waiting = self._waiting, []
        return waiting
