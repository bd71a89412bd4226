"""A global hotkey on Windows, by RegisterHotKey.

Windows tells only of the key going down; while it is down its state is asked for every 10 ms, which is all that is
ever asked about any key. The thread `hotkey` registers the key and owns its message queue.
Source: Microsoft's documentation of RegisterHotKey, WM_HOTKEY, GetAsyncKeyState, MsgWaitForMultipleObjects.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import structlog

from agent.errors import EnvironmentProblem, HotkeyTaken, InputUnusable
from agent.ports import ignore_release
from agent.trigger.autorepeat import press_time_ns
from agent.trigger.combination import Combination
from agent.trigger.reporting import report

log = structlog.get_logger()

_MODIFIERS = {"alt": 0x0001, "ctrl": 0x0002, "shift": 0x0004, "super": 0x0008}
_NO_REPEAT = 0x4000
_WM_HOTKEY, _WM_QUIT = 0x0312, 0x0012
_PM_REMOVE, _QS_ALLINPUT = 0x0001, 0x04FF
_ERROR_HOTKEY_ALREADY_REGISTERED = 1409
_HOTKEY_ID = 1
_POLL_MS, _FOREVER_MS = 10, 0xFFFFFFFF
_START_S, _STOP_S = 5.0, 2.0
# Names as X11 has them, which the settings use everywhere.
_KEYS = {
    "print": 0x2C,
    "pause": 0x13,
    "scroll_lock": 0x91,
    "insert": 0x2D,
    "delete": 0x2E,
    "home": 0x24,
    "end": 0x23,
    "prior": 0x21,
    "page_up": 0x21,
    "next": 0x22,
    "page_down": 0x22,
    "up": 0x26,
    "down": 0x28,
    "left": 0x25,
    "right": 0x27,
    "space": 0x20,
    "tab": 0x09,
    "return": 0x0D,
    "escape": 0x1B,
    "backspace": 0x08,
}


def virtual_key(name: str) -> int:
    """The virtual-key code of a key's name. Pure.

    Raises:
        InputUnusable: Windows has no such key.
    """
    if len(name) == 1 and name.isascii() and name.isalnum():
        return ord(name.upper())
    if name[:1] == "F" and name[1:].isdecimal() and 1 <= int(name[1:]) <= 24:
        return 0x6F + int(name[1:])
    try:
        return _KEYS[name.casefold()]
    except KeyError:
        raise InputUnusable(f"this keyboard has no key {name!r}; set trigger.hotkey to another") from None


class WindowsHotkey:
    """Port `Hotkey` on Windows."""

    has_release = True

    def __init__(self, combination: Combination) -> None:
        self._combination = combination
        self._key = virtual_key(combination.key)
        self._thread: threading.Thread | None = None
        self._thread_id = 0

    def start(
        self, on_press: Callable[[int], None], on_release: Callable[[int], None] = ignore_release
    ) -> None:
        """Register the key and listen; see the port."""
        ready: Future[None] = Future()
        thread = threading.Thread(
            target=self._listen, args=(ready, on_press, on_release), name="hotkey", daemon=True
        )
        thread.start()
        ready.result(timeout=_START_S)
        self._thread = thread

    def stop(self) -> None:
        """Give the key back. Twice is once."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        _user32().PostThreadMessageW(self._thread_id, _WM_QUIT, 0, 0)
        thread.join(timeout=_STOP_S)
        if thread.is_alive():
            log.warning("hotkey_hung", deadline_s=_STOP_S)

    def _listen(
        self, ready: Future[None], on_press: Callable[[int], None], on_release: Callable[[int], None]
    ) -> None:
        from ctypes import wintypes

        user32, kernel32 = _user32(), _kernel32()
        # A message queue is made by the first look into it; only then may others post to it.
        message = wintypes.MSG()
        user32.PeekMessageW(ctypes.byref(message), None, 0, 0, 0)
        self._thread_id = kernel32.GetCurrentThreadId()
        mask = _NO_REPEAT | sum(_MODIFIERS[name] for name in self._combination.modifiers)
        if not user32.RegisterHotKey(None, _HOTKEY_ID, mask, self._key):
            ready.set_exception(self._refusal(ctypes.get_last_error()))  # type: ignore[attr-defined]
            return
        ready.set_result(None)
        try:
            self._pump(user32, kernel32, message, on_press, on_release)
        except Exception:
            log.exception("hotkey_failed")
        finally:
            user32.UnregisterHotKey(None, _HOTKEY_ID)

    def _pump(
        self,
        user32: Any,
        kernel32: Any,
        message: Any,
        on_press: Callable[[int], None],
        on_release: Callable[[int], None],
    ) -> None:
        is_held = False
        while True:
            timeout_ms = _POLL_MS if is_held else _FOREVER_MS
            user32.MsgWaitForMultipleObjects(0, None, False, timeout_ms, _QS_ALLINPUT)
            while user32.PeekMessageW(ctypes.byref(message), None, 0, 0, _PM_REMOVE):
                if message.message == _WM_QUIT:
                    return
                if message.message == _WM_HOTKEY and message.wParam == _HOTKEY_ID:
                    if is_held:
                        # It came up and went down again between two looks.
                        report(on_release, time.monotonic_ns())
                    is_held = True
                    age_ms = (kernel32.GetTickCount() - message.time) % (1 << 32)
                    now_ns = time.monotonic_ns()
                    report(on_press, press_time_ns((now_ns // 1_000_000 - age_ms) % (1 << 32), now_ns))
            # The highest bit: the key is down now.
            if is_held and not user32.GetAsyncKeyState(self._key) & 0x8000:
                is_held = False
                report(on_release, time.monotonic_ns())

    def _refusal(self, error: int) -> EnvironmentProblem:
        if error == _ERROR_HOTKEY_ALREADY_REGISTERED:
            return HotkeyTaken(
                f"another program holds {self._combination}; set trigger.hotkey to another key, or close it"
            )
        return EnvironmentProblem(
            f"Windows refused {self._combination} (error {error}); set trigger.hotkey to another key"
        )


def _user32() -> Any:
    return ctypes.WinDLL("user32", use_last_error=True)  # type: ignore[attr-defined]


def _kernel32() -> Any:
    return ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
