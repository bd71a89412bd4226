"""A global hotkey on X11, by XGrabKey.

Grabs the key for every state of Caps Lock and Num Lock, hears only this one key, and filters autorepeat: a held
key is one press. The thread `hotkey` owns the display connection.
Source: Xlib programming manual, XGrabKey; X11 sends an autorepeat as a release and a press of equal time.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from agent.errors import EnvironmentProblem, HotkeyTaken, InputUnusable
from agent.trigger.combination import Combination

log = structlog.get_logger()


class X11Hotkey:
    """Port `Hotkey` on X11."""

    def __init__(self, combination: Combination, display_name: str | None = None) -> None:
        self._combination = combination
        self._display_name = display_name
        self._display: Any = None
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = os.pipe()
        self._stopping = threading.Event()

    def start(self, on_press: Callable[[int], None]) -> None:
        """Grab the key and listen; see the port."""
        from Xlib import XK, display, error

        try:
            self._display = display.Display(self._display_name)
        except (error.DisplayError, OSError) as exc:
            raise EnvironmentProblem(
                f"no X display for the hotkey: {exc}; `clippy clip` saves without one"
            ) from exc
        keysym = XK.string_to_keysym(self._combination.key)
        keycode = self._display.keysym_to_keycode(keysym) if keysym else 0
        if not keycode:
            self._display.close()
            raise InputUnusable(
                f"this keyboard has no key {self._combination.key!r}; set trigger.hotkey to another"
            )
        self._grab(keycode)
        self._thread = threading.Thread(
            target=self._listen, args=(keycode, on_press), name="hotkey", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Give the key back. Twice is once."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        os.write(self._wake_write, b"x")
        if self._thread is not None:
            self._thread.join(timeout=2)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _grab(self, keycode: int) -> None:
        from Xlib import X, error

        root = self._display.screen().root
        catch = error.CatchError(error.BadAccess)
        for locks in (0, X.LockMask, X.Mod2Mask, X.LockMask | X.Mod2Mask):
            root.grab_key(
                keycode, self._mask() | locks, False, X.GrabModeAsync, X.GrabModeAsync, onerror=catch
            )
        self._display.sync()
        if catch.get_error() is not None:
            self._display.close()
            raise HotkeyTaken(
                f"another program holds {self._combination}; set trigger.hotkey to another key, or close it"
            )

    def _mask(self) -> int:
        from Xlib import X

        masks = {"ctrl": X.ControlMask, "shift": X.ShiftMask, "alt": X.Mod1Mask, "super": X.Mod4Mask}
        return sum(masks[name] for name in self._combination.modifiers)

    def _listen(self, keycode: int, on_press: Callable[[int], None]) -> None:
        from Xlib import X, error

        is_down = False
        try:
            while not self._stopping.is_set():
                if not self._display.pending_events():
                    select.select([self._display.fileno(), self._wake_read], [], [], 60)
                    if self._stopping.is_set() or not self._display.pending_events():
                        continue
                event = self._display.next_event()
                if event.type == X.KeyPress and event.detail == keycode:
                    if not is_down:
                        on_press(time.monotonic_ns())
                    is_down = True
                elif event.type == X.KeyRelease and event.detail == keycode:
                    is_down = self._is_autorepeat(event)
        except (error.ConnectionClosedError, OSError) as exc:
            log.error("hotkey_lost", problem=str(exc))
        except Exception:
            log.exception("hotkey_failed")
        finally:
            self._display.close()

    def _is_autorepeat(self, release: Any) -> bool:
        """Does a press of the same key and time follow this release at once? Then the key is still down."""
        from Xlib import X

        if not self._display.pending_events():
            select.select([self._display.fileno()], [], [], 0.002)
        if not self._display.pending_events():
            return False
        following = self._display.next_event()
        is_repeat: bool = (
            following.type == X.KeyPress
            and following.detail == release.detail
            and following.time == release.time
        )
        return is_repeat
