"""Thread `line-watch`: what this PC hangs on, looked at every 15 s: a metered line, its battery."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from agent.encode.power import charge_pct, is_on_battery
from agent.uplink.metered import is_metered
from agent.uplink.thrift import LineState, MeteredChoice
from agent.worker import Worker

log = structlog.get_logger()
_LOOK_S = 15.0


def look_at_line(metered: MeteredChoice) -> LineState:
    """What this PC hangs on now; who does not know is taken for not metered. Takes up to some seconds."""
    is_battery = is_on_battery()
    return LineState(
        is_metered=metered == "yes" or (metered == "auto" and bool(is_metered())),
        is_on_battery=is_battery,
        charge_pct=charge_pct() if is_battery else None,
    )


class LineWatch(Worker):
    """Tells of each look, in its own thread: the first at once."""

    def __init__(
        self,
        metered: MeteredChoice,
        on_line: Callable[[LineState], None],
        *,
        look: Callable[[MeteredChoice], LineState] = look_at_line,
    ) -> None:
        super().__init__("line-watch")
        self._metered = metered
        self._on_line = on_line
        self._look = look
        self._last: LineState | None = None

    def step(self) -> None:
        """One look."""
        line = self._look(self._metered)
        if line != self._last:
            self._last = line
            log.info("line_changed", is_metered=line.is_metered, is_on_battery=line.is_on_battery)
            self._on_line(line)
        self.wait(_LOOK_S)
