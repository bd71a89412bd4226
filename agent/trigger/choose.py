"""Which global hotkey this desktop offers."""

from __future__ import annotations

import os
import sys

from agent.errors import EnvironmentProblem
from agent.ports import Hotkey
from agent.trigger.combination import parse_combination


def open_hotkey(text: str) -> Hotkey:
    """The listener for `text` on this desktop, not yet started.

    Raises:
        InputUnusable: The combination cannot be understood.
        EnvironmentProblem: No listener for this desktop yet; says what to use instead.
    """
    combination = parse_combination(text)
    if sys.platform.startswith("linux") and os.environ.get("DISPLAY"):
        from agent.trigger.hotkey_x11 import X11Hotkey

        return X11Hotkey(combination)
    raise EnvironmentProblem(
        "global hotkeys need X11 so far (no DISPLAY is set); bind `clippy clip --last 30` to a key instead"
    )
