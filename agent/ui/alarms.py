"""What is wrong now, in words, and which of it is news. Nothing here is painted.

An alarm outranks what the engine calls its state: a recorder that is not sure of its content is not "ready".
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence

from PySide6.QtCore import QObject, Signal

from agent.ui.bridge import Bridge
from agent.ui.texts import time_of_day
from protos.clippy.v1 import control_pb2

_OUTRANKED = ("ready", "starting", "saving")
# Of an engine that says it has a problem, and raised no alarm for it.
STATE_CODE = "state"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownAlarm:
    """One alarm as it is shown; `since` is empty where that is not known."""

    code: str
    message: str
    since: str


def shown_state(status: control_pb2.Status) -> str:
    """The state to show: `problem` while there is an alarm, unless the engine is about to end."""
    return "problem" if status.health.alarms and status.state in _OUTRANKED else status.state


def shown_alarms(status: control_pb2.Status, now_unix_ms: int) -> list[ShownAlarm]:
    """All of them, the worst first; the engine's own problem with them where no alarm says the same."""
    shown = [
        ShownAlarm(
            code=alarm.code, message=alarm.message, since=since_words(alarm.since_unix_ms, now_unix_ms)
        )
        for alarm in status.health.alarms
    ]
    if status.problem and all(status.problem != alarm.message for alarm in shown):
        shown.insert(0, ShownAlarm(code=STATE_CODE, message=status.problem, since=""))
    return shown


def since_words(since_unix_ms: int, now_unix_ms: int) -> str:
    """`since 21:14 (3 min)`; empty for 0."""
    if not since_unix_ms:
        return ""
    passed_s = max(0, now_unix_ms - since_unix_ms) // 1000
    if passed_s < 60:
        passed = f"{passed_s} s"
    elif passed_s < 3600:
        passed = f"{passed_s // 60} min"
    else:
        passed = f"{passed_s // 3600} h {passed_s // 60 % 60} min"
    return f"since {time_of_day(since_unix_ms, now_unix_ms)} ({passed})"


def fresh_alarms(known: Iterable[str], now: Sequence[ShownAlarm]) -> list[ShownAlarm]:
    """Those that were not there before, by their code."""
    before = set(known)
    return [alarm for alarm in now if alarm.code not in before]


def check_words(health: control_pb2.Health) -> str:
    """How long ago the content was last looked at: `last check 12 s ago`."""
    if not health.last_check_unix_ms:
        return "not checked yet"
    return f"last check {health.last_check_age_s:.0f} s ago"


def check_lines(health: control_pb2.Health) -> str:
    """Each check and what it found, a line each, plain text."""
    return "\n".join(
        f"{'ok' if check.is_ok else 'NOT ok'}: {check.name}{f', {check.detail}' if check.detail else ''}"
        for check in health.checks
    )


class AlarmWatch(QObject):
    """Emits raised(ShownAlarm) once for each new alarm, and again only after it had gone."""

    raised = Signal(object)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._known: set[str] = set()
        bridge.status_changed.connect(self._look)

    def _look(self, status: control_pb2.Status) -> None:
        alarms = shown_alarms(status, time.time_ns() // 1_000_000)
        fresh = fresh_alarms(self._known, alarms)
        self._known = {alarm.code for alarm in alarms}
        for alarm in fresh:
            self.raised.emit(alarm)
