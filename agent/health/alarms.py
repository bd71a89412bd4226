"""What is wrong now: a set of alarms with since when, the worst first. Any thread may set and read.

`on_raised` and `on_cleared` are called outside the lock, in the thread that set.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

import structlog

from protos.timebase import MILLISECOND_NS, SECOND_NS

log = structlog.get_logger()

# While one of these stands, a clip would be worth nothing.
WORTHLESS = frozenset({"screen_lost", "stale", "undecodable", "black", "frozen"})
# The worst first; what is not named comes last.
_ORDER = (
    *("screen_lost", "stale", "undecodable", "black", "frozen", "disk", "disk_short"),
    *("silent_mic", "sound_lost_mic", "silent_desktop", "sound_lost_desktop", "drift"),
)
_SOUND_AGAIN_NS = 60 * SECOND_NS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One thing that is wrong. `message` says what, which value, what to do."""

    code: str
    message: str
    since_unix_ms: int

    @property
    def is_worthless(self) -> bool:
        """Would a clip be worth nothing while it stands?"""
        return self.code in WORTHLESS


def _ignore(_alarm: Alarm) -> None:
    pass


class AlarmBook:
    """The alarms that stand.

    Args:
        on_raised, on_cleared: told of each once; return at once.
        on_sound: an alarm that is to be heard: raised, and not heard within the last minute.
        monotonic_ns, unix_ms: the clocks.
    """

    def __init__(
        self,
        *,
        on_raised: Callable[[Alarm], None] = _ignore,
        on_cleared: Callable[[Alarm], None] = _ignore,
        on_sound: Callable[[Alarm], None] = _ignore,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        unix_ms: Callable[[], int] = lambda: time.time_ns() // MILLISECOND_NS,
    ) -> None:
        self._on_raised = on_raised
        self._on_cleared = on_cleared
        self._on_sound = on_sound
        self._monotonic_ns = monotonic_ns
        self._unix_ms = unix_ms
        self._lock = threading.Lock()
        self._standing: dict[str, Alarm] = {}
        self._heard_ns: dict[str, int] = {}

    def report(self, code: str, message: str | None) -> None:
        """It is so (in words), or is so no more (None). The same again changes nothing but the words."""
        with self._lock:
            before = self._standing.get(code)
            is_heard = False
            if message is not None:
                since = self._unix_ms() if before is None else before.since_unix_ms
                alarm = Alarm(code=code, message=message, since_unix_ms=since)
                self._standing[code] = alarm
                is_heard = before is None and self._may_sound(code)
            else:
                self._standing.pop(code, None)
        if message is not None and before is None:
            log.warning("alarm_raised", code=code, problem=message)
            self._on_raised(alarm)
            if is_heard:
                self._on_sound(alarm)
        elif message is None and before is not None:
            log.info("alarm_cleared", code=code)
            self._on_cleared(before)

    def standing(self) -> list[Alarm]:
        """All of them, the worst first, then the oldest."""
        with self._lock:
            found = list(self._standing.values())
        return sorted(found, key=lambda alarm: (_rank(alarm.code), alarm.since_unix_ms))

    def worthless(self) -> str | None:
        """Why a clip would be worth nothing now, in words; None when it would not."""
        return next((alarm.message for alarm in self.standing() if alarm.is_worthless), None)

    def _may_sound(self, code: str) -> bool:
        now_ns = self._monotonic_ns()
        heard_ns = self._heard_ns.get(code)
        if heard_ns is not None and now_ns - heard_ns < _SOUND_AGAIN_NS:
            return False
        self._heard_ns[code] = now_ns
        return True


def _rank(code: str) -> int:
    return _ORDER.index(code) if code in _ORDER else len(_ORDER)
