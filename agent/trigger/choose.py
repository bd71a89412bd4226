"""Which global hotkey this desktop offers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import structlog

from agent.errors import EnvironmentProblem
from agent.ports import Hotkey, ignore_release
from agent.trigger.combination import Combination, parse_combination

log = structlog.get_logger()


class FirstHotkey:
    """Port `Hotkey`: the first of several that can be started."""

    def __init__(self, choices: list[Hotkey]) -> None:
        self._choices = choices
        self._started: Hotkey | None = None

    @property
    def has_release(self) -> bool:
        """As the one that was started says."""
        return (self._started or self._choices[0]).has_release

    def start(
        self, on_press: Callable[[int], None], on_release: Callable[[int], None] = ignore_release
    ) -> None:
        """As the port says; raises what the last choice raised."""
        for number, choice in enumerate(self._choices):
            try:
                choice.start(on_press, on_release)
            except EnvironmentProblem as exc:
                if number == len(self._choices) - 1:
                    raise
                log.warning("hotkey_heard_in_x11_windows_only", problem=str(exc))
                continue
            self._started = choice
            return

    def stop(self) -> None:
        """As the port says."""
        started, self._started = self._started, None
        if started is not None:
            started.stop()


def open_hotkey(text: str) -> Hotkey:
    """The listener for `text` on this desktop, not yet started.

    Raises:
        InputUnusable: The combination cannot be understood.
        EnvironmentProblem: No listener for this desktop; says what to use instead.
    """
    combination = parse_combination(text)
    if sys.platform == "win32":
        from agent.trigger.hotkey_windows import WindowsHotkey

        return WindowsHotkey(combination)
    if sys.platform == "darwin":
        from agent.trigger.hotkey_macos import MacHotkey

        return MacHotkey(combination)
    choices = _linux_choices(combination)
    if not choices:
        raise EnvironmentProblem(
            "global hotkeys need a desktop (neither DISPLAY nor WAYLAND_DISPLAY is set); bind "
            "`clippy clip --last 30` to a key instead"
        )
    return choices[0] if len(choices) == 1 else FirstHotkey(choices)


def _linux_choices(combination: Combination) -> list[Hotkey]:
    choices: list[Hotkey] = []
    if os.environ.get("WAYLAND_DISPLAY"):
        from agent.trigger.hotkey_portal import PortalHotkey

        choices.append(PortalHotkey(combination))
    if os.environ.get("DISPLAY"):
        from agent.trigger.hotkey_x11 import X11Hotkey

        # Beside Wayland: XWayland passes keys on only while one of its own windows (most games) has the focus.
        choices.append(X11Hotkey(combination))
    return choices
