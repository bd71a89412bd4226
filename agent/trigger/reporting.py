"""How a listener tells of a key: what goes wrong behind it must not cost the next press."""

from __future__ import annotations

from collections.abc import Callable

import structlog

log = structlog.get_logger()


def report(on_event: Callable[[int], None], at_ns: int) -> None:
    """One key event, at that CLOCK_MONOTONIC time, in the listener's thread."""
    try:
        on_event(at_ns)
    except Exception:
        log.exception("press_failed")
