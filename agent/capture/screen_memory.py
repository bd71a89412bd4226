"""Remembers what the screen sources' self-test measured, so that not every start pays for it.

One JSON file beside the data directory's other things. It counts for the machine, session, monitors and libraries that
it was measured with, and is nothing but a memory: one that cannot be read or written is made anew.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

import msgspec
import structlog

from agent.capture.screen_cost import ScreenCost
from agent.errors import ScreenUnavailable
from agent.model.screen import ScreenArea

log = structlog.get_logger()
_LIBRARIES = ("av", "mss", "PySide6-Addons", "python-xlib")


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    facts: dict[str, str]
    costs: dict[str, ScreenCost]


class CostMemory:
    """The file. Any one thread at a time; two processes may write it, the last one wins.

    Args:
        path: of the file; None remembers nothing.
        facts: what the costs depend on.
    """

    def __init__(self, path: Path | None, facts: dict[str, str]) -> None:
        self._path = path
        self._facts = facts

    def recall(self) -> dict[str, ScreenCost]:
        """What was measured under the same facts; empty where nothing was."""
        if self._path is None:
            return {}
        try:
            remembered = msgspec.json.decode(self._path.read_bytes(), type=_Remembered)
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as exc:
            log.info("screen_costs_unreadable", problem=str(exc))
            return {}
        return remembered.costs if remembered.facts == self._facts else {}

    def remember(self, costs: dict[str, ScreenCost]) -> None:
        """Write it; a disk that does not take it costs a self-test at the next start, no more."""
        if self._path is None:
            return
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            part.write_bytes(msgspec.json.encode(_Remembered(facts=self._facts, costs=costs)))
            part.replace(self._path)
        except OSError as exc:
            log.info("screen_costs_not_kept", problem=str(exc))
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def machine_facts(area: ScreenArea, *, is_cursor_shown: bool) -> dict[str, str]:
    """What the cost of grabbing depends on here. Cheap."""
    facts = {
        "platform": f"{sys.platform} {platform.release()} {platform.machine()}",
        "session": os.environ.get("XDG_SESSION_TYPE", "")
        or ("wayland" if os.environ.get("WAYLAND_DISPLAY") else "x11"),
        "monitors": _monitors(),
        "area": area.kind,
        "cursor": str(is_cursor_shown),
    }
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            facts[name] = importlib.metadata.version(name)
    return facts


def _monitors() -> str:
    """Sizes and places of all monitors, in words; empty where they are not known."""
    if sys.platform in ("win32", "darwin"):
        import mss

        with contextlib.suppress(mss.ScreenShotError, OSError), mss.MSS() as lister:
            return ", ".join(
                f"{listed['width']}x{listed['height']}+{listed['left']}+{listed['top']}"
                for listed in lister.monitors[1:]
            )
        return ""
    from agent.capture.x11_desktop import X11Desktop

    try:
        desktop = X11Desktop()
    except ScreenUnavailable:
        return ""
    try:
        return ", ".join(
            f"{monitor.place.size}+{monitor.place.left_px}+{monitor.place.top_px}"
            for monitor in desktop.monitors()
        )
    except ScreenUnavailable:
        return ""
    finally:
        desktop.close()
