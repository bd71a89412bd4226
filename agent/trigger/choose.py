"""Which global hotkey this desktop offers."""

from __future__ import annotations

import os
import sys

import structlog

from agent.errors import EnvironmentProblem
from agent.ports import Hotkey
from agent.trigger.combination import parse_combination

log = structlog.get_logger()


def open_hotkey(text: str) -> Hotkey:
    """The listener for `text` on this desktop, not yet started.

    Raises:
        InputUnusable: The combination cannot be understood.
        EnvironmentProblem: No listener for this desktop yet; says what to use instead.
    """
    combination = parse_combination(text)
    if sys.platform.startswith("linux") and os.environ.get("DISPLAY"):
        from agent.trigger.hotkey_x11 import X11Hotkey

        if os.environ.get("WAYLAND_DISPLAY"):
            # XWayland passes keys on only while one of its own windows (most games) has the focus.
            log.warning("hotkey_heard_in_x11_windows_only")
        return X11Hotkey(combination)
    raise EnvironmentProblem(
        "global hotkeys need X11 so far (no DISPLAY is set); bind `clippy clip --last 30` to a key instead"
    )
