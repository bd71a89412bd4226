"""Keeps sound devices alive: one that went away is opened again, later and later, and at once when the system says that
something has come.

Thread `sound-watch`. Meanwhile the sound pipeline fills silence from the clock; nobody waits for a device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from agent.errors import SoundUnavailable
from agent.model.media import SoundBlock, SoundName
from agent.ports import SoundSource
from agent.worker import OnProblem, Worker, ignore_problem
from protos.timebase import SECOND_NS

log = structlog.get_logger()
CHECK_INTERVAL_S = 0.5
# A null sink that another program filled ahead gives its first block after up to 2 s.
_GRACE_NS = 3 * SECOND_NS
_MAX_BACKOFF_S = 30


def next_delay_s(num_failures: int) -> int:
    """How long to wait before opening a device again: 1, 2, 4 ... 30 s."""
    return min(_MAX_BACKOFF_S, 1 << min(num_failures, 5))


class DeviceChanges(Protocol):
    """Word of devices that come. Used by the `sound-watch` thread."""

    def has_changed(self) -> bool:
        """Is it worth while to look again at once? Returns within 2 s, mostly at once."""
        ...

    def close(self) -> None:
        """Listen no more. Twice is once."""
        ...


class NoChanges:
    """Where the system tells nothing."""

    def has_changed(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing."""


class _Watched:
    """What is known of one device. Owned by the watch's thread."""

    def __init__(self, source: SoundSource) -> None:
        self.source = source
        self.is_open = False
        self.opened_ns = 0
        self.num_failures = 0
        self.retry_ns = 0


class SoundWatch(Worker):
    """Opens all sources, and opens again what stopped giving blocks.

    `problems` may be read from any thread; all else happens in the watch's own, or in a test's.

    Args:
        sources: closed; the watch owns them from here on.
        on_block: gets every block, in the thread of its source; returns at once.
        on_problem: told once of each outage, in the watch's thread.
        changes: what tells of devices that come; the watch owns it from here on.
        monotonic_ns: the clock that times retries.
    """

    def __init__(
        self,
        sources: Sequence[SoundSource],
        on_block: Callable[[SoundBlock], None],
        *,
        on_problem: OnProblem = ignore_problem,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        changes: DeviceChanges | None = None,
    ) -> None:
        super().__init__("sound-watch", on_problem=on_problem)
        self._changes = changes or NoChanges()
        self._watched = [_Watched(source) for source in sources]
        self._on_block = on_block
        self._monotonic_ns = monotonic_ns
        self._problems: dict[SoundName, str] = {}

    @property
    def problems(self) -> dict[SoundName, str]:
        """What is wrong now, by source; empty when every device gives sound."""
        return dict(self._problems)

    def set_up(self) -> None:
        """Open everything that opens."""
        self._check()

    def step(self) -> None:
        """Wait, then look at every device."""
        if not self.wait(CHECK_INTERVAL_S):
            self._check()

    def tear_down(self) -> None:
        """Close everything."""
        self._changes.close()
        for watched in self._watched:
            watched.source.close()
            watched.is_open = False

    def _check(self) -> None:
        must_hurry = self._changes.has_changed()
        for watched in self._watched:
            now_ns = self._monotonic_ns()
            if must_hurry:
                watched.retry_ns = now_ns
            if watched.is_open:
                self._check_open(watched, now_ns)
            if not watched.is_open and now_ns >= watched.retry_ns:
                self._open(watched, now_ns)

    def _check_open(self, watched: _Watched, now_ns: int) -> None:
        source = watched.source
        if source.is_running:
            watched.num_failures = 0
            if self._problems.pop(source.name, None) is not None:
                log.info("sound_came_back", source=source.name, device=source.device)
        elif now_ns - watched.opened_ns >= _GRACE_NS:
            source.close()
            watched.is_open = False
            # A device that is listed but mute is tried at the same growing distance as one that is gone.
            watched.num_failures += 1
            watched.retry_ns = now_ns if watched.num_failures == 1 else self._retry_at(watched, now_ns)
            self._complain(
                watched,
                SoundUnavailable(
                    f"{source.name} sound from {source.device} stopped; silence is recorded until it is back"
                ),
            )

    def _open(self, watched: _Watched, now_ns: int) -> None:
        try:
            watched.source.open(self._on_block)
        except SoundUnavailable as exc:
            watched.num_failures += 1
            watched.retry_ns = self._retry_at(watched, now_ns)
            self._complain(watched, exc)
            return
        watched.is_open = True
        watched.opened_ns = now_ns
        log.info("sound_opened", source=watched.source.name, device=watched.source.device)

    def _retry_at(self, watched: _Watched, now_ns: int) -> int:
        return now_ns + next_delay_s(watched.num_failures - 1) * SECOND_NS

    def _complain(self, watched: _Watched, problem: SoundUnavailable) -> None:
        is_new = watched.source.name not in self._problems
        self._problems[watched.source.name] = str(problem)
        if is_new:
            log.warning("sound_lost", source=watched.source.name, problem=str(problem))
            self._on_problem(problem)
