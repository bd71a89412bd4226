"""A global hotkey on X11, by XGrabKey.

Grabs the key for every state of Caps Lock and Num Lock, hears only this one key, and filters autorepeat: a held
key is one press and one release. The thread `hotkey` owns the display connection.
Source: Xlib programming manual, XGrabKey and MappingNotify.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from agent.errors import EnvironmentProblem, HotkeyTaken, InputUnusable
from agent.ports import ignore_release
from agent.trigger.autorepeat import AutorepeatFilter, press_time_ns
from agent.trigger.combination import Combination
from agent.trigger.reporting import report

log = structlog.get_logger()
_STOP_S = 2.0
# A repeat's press follows its release in the same write of the server's; waiting so long delays only a hold's end.
_REPEAT_WAIT_S = 0.05


class X11Hotkey:
    """Port `Hotkey` on X11.

    Args:
        display_name: as DISPLAY has it; None is DISPLAY.
    """

    has_release = True

    def __init__(self, combination: Combination, display_name: str | None = None) -> None:
        self._combination = combination
        self._display_name = display_name
        self._display: Any = None
        self._keycode = 0
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = -1, -1
        self._stopping = threading.Event()

    def start(
        self, on_press: Callable[[int], None], on_release: Callable[[int], None] = ignore_release
    ) -> None:
        """Grab the key and listen; see the port."""
        self._stopping = threading.Event()
        self._display = self._connect()
        try:
            self._keycode = self._find_keycode()
            if not self._keycode:
                raise InputUnusable(
                    f"this keyboard has no key {self._combination.key!r}; set trigger.hotkey to another"
                )
            self._grab()
            self._wake_read, self._wake_write = os.pipe()
        except BaseException:
            self._close()
            raise
        self._thread = threading.Thread(
            target=self._listen, args=(on_press, on_release), name="hotkey", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Give the key back. Twice is once."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        os.write(self._wake_write, b"x")
        thread.join(timeout=_STOP_S)
        if thread.is_alive():
            # Its pipe stays open: the number must not be given to another file while the thread waits on it.
            log.warning("hotkey_hung", deadline_s=_STOP_S)
            return
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _connect(self) -> Any:
        from Xlib import display, error

        try:
            return display.Display(self._display_name)
        except (error.DisplayError, error.XauthError, error.ConnectionClosedError, OSError) as exc:
            raise EnvironmentProblem(
                f"no X display for the hotkey: {exc}; `clippy clip` saves without one"
            ) from exc

    def _find_keycode(self) -> int:
        """The key's code on the keyboard as it is laid out now, or 0."""
        from Xlib import XK

        XK.load_keysym_group("xf86")  # media keys
        key = self._combination.key
        names = (key, key.capitalize(), key.lower())
        keysyms = [keysym for name in names if (keysym := XK.string_to_keysym(name))]
        if len(key) == 1:
            # Latin-1 letters are their own keysyms; all others lie above, at 0x01000000.
            keysyms.append(ord(key) if ord(key) < 256 else 0x0100_0000 | ord(key))
        for keysym in keysyms:
            if keycode := self._display.keysym_to_keycode(keysym):
                return int(keycode)
        return 0

    def _lock_states(self) -> Iterator[int]:
        """The modifier masks of our combination, with each state of Caps Lock and Num Lock."""
        from Xlib import X

        masks = {"ctrl": X.ControlMask, "shift": X.ShiftMask, "alt": X.Mod1Mask, "super": X.Mod4Mask}
        ours = sum(masks[name] for name in self._combination.modifiers)
        for locks in (0, X.LockMask, X.Mod2Mask, X.LockMask | X.Mod2Mask):
            yield ours | locks

    def _grab(self) -> None:
        from Xlib import X, error

        catch = error.CatchError(error.BadAccess)
        root = self._display.screen().root
        for mask in self._lock_states():
            root.grab_key(self._keycode, mask, False, X.GrabModeAsync, X.GrabModeAsync, onerror=catch)
        self._display.sync()
        if catch.get_error() is not None:
            raise HotkeyTaken(
                f"another program holds {self._combination}; set trigger.hotkey to another key, or close it"
            )

    def _listen(self, on_press: Callable[[int], None], on_release: Callable[[int], None]) -> None:
        from Xlib import X, error

        repeats, stopping = AutorepeatFilter(), self._stopping

        def tell_release() -> None:
            if (released_ms := repeats.take_release()) is not None:
                report(on_release, press_time_ns(released_ms, time.monotonic_ns()))

        try:
            while not stopping.is_set():
                event = self._next_event(_REPEAT_WAIT_S if repeats.has_release else 60)
                if event is None:
                    tell_release()
                elif event.type == X.MappingNotify:
                    self._follow_layout(event)
                elif event.type == X.KeyPress and event.detail == self._keycode:
                    if not repeats.is_repeat(event.time):
                        tell_release()
                        repeats.press(event.time)
                        report(on_press, press_time_ns(event.time, time.monotonic_ns()))
                elif event.type == X.KeyRelease and event.detail == self._keycode:
                    repeats.release(event.time)
        except (error.ConnectionClosedError, OSError) as exc:
            log.error("hotkey_lost", problem=str(exc))
        except Exception:
            log.exception("hotkey_failed")
        finally:
            self._close()

    def _next_event(self, timeout_s: float) -> Any:
        """The next event, or None at the deadline and when we stop."""
        if not self._display.pending_events():
            select.select([self._display.fileno(), self._wake_read], [], [], timeout_s)
            if not self._display.pending_events():
                return None
        return self._display.next_event()

    def _follow_layout(self, event: Any) -> None:
        """The keyboard was laid out anew: grab the key where it lies now. xdotool's first key causes this too."""
        self._display.refresh_keyboard_mapping(event)
        keycode = self._find_keycode()
        if keycode == self._keycode:
            return
        root = self._display.screen().root
        for mask in self._lock_states():
            root.ungrab_key(self._keycode, mask)
        self._keycode = keycode
        if not keycode:
            log.warning("hotkey_not_on_layout", hotkey=str(self._combination))
            return
        try:
            self._grab()
        except HotkeyTaken as exc:
            log.warning("hotkey_taken", problem=str(exc))

    def _close(self) -> None:
        from Xlib import error

        # close() flushes, which a server that is gone answers with an error.
        with contextlib.suppress(error.ConnectionClosedError, OSError):
            self._display.close()
