"""A global hotkey on macOS, by a listen-only event tap (pyobjc's Quartz).

macOS shows a tap every key, which is why it asks the user first (Input Monitoring); all but ours are passed over
unread and nothing of them is kept. The thread `hotkey` owns the tap and its run loop.
Source: Apple's documentation of CGEventTapCreate, CGPreflightListenEventAccess and the virtual key codes (kVK_...).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import structlog

from agent.errors import EnvironmentProblem, InputUnusable
from agent.ports import ignore_release
from agent.trigger.combination import Combination
from agent.trigger.reporting import report

log = structlog.get_logger()

_START_S, _STOP_S = 5.0, 2.0
_LETTERS = "asdfhgzxcv bqweryt123465=97-80]ou[ip lj'k;\\,/nm."
_NAMED = {
    **{
        f"f{number}": code
        for number, code in enumerate((122, 120, 99, 118, 96, 97, 98, 100, 101, 109, 103, 111), 1)
    },
    **{f"f{number}": code for number, code in enumerate((105, 107, 113, 106, 64, 79, 80, 90), 13)},
    "return": 36,
    "tab": 48,
    "space": 49,
    "backspace": 51,
    "escape": 53,
    "home": 115,
    "prior": 116,
    "page_up": 116,
    "delete": 117,
    "end": 119,
    "next": 121,
    "page_down": 121,
    "left": 123,
    "right": 124,
    "down": 125,
    "up": 126,
}
# kVK_ANSI_A is 0; the places of 10 and 36 are no letters (ISO section, Return).
_CODES = {char: code for code, char in enumerate(_LETTERS) if char != " "} | _NAMED


def key_code(name: str) -> int:
    """The virtual key code of a key's name, on a US keyboard. Pure.

    Raises:
        InputUnusable: There is no such key.
    """
    try:
        return _CODES[name.casefold()]
    except KeyError:
        raise InputUnusable(f"this keyboard has no key {name!r}; set trigger.hotkey to another") from None


class MacHotkey:
    """Port `Hotkey` on macOS."""

    has_release = True

    def __init__(self, combination: Combination) -> None:
        self._combination = combination
        self._code = key_code(combination.key)
        self._thread: threading.Thread | None = None
        self._run_loop: Any = None

    def start(
        self, on_press: Callable[[int], None], on_release: Callable[[int], None] = ignore_release
    ) -> None:
        """Tap the keyboard and listen; see the port."""
        try:
            import Quartz
        except ImportError as exc:
            raise EnvironmentProblem(
                "global hotkeys need pyobjc-framework-Quartz; install it, or bind `clippy clip --last 30` to a key"
            ) from exc
        ready: Future[None] = Future()
        thread = threading.Thread(
            target=self._listen, args=(Quartz, ready, on_press, on_release), name="hotkey", daemon=True
        )
        thread.start()
        ready.result(timeout=_START_S)
        self._thread = thread

    def stop(self) -> None:
        """Give the tap back. Twice is once."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        import Quartz

        Quartz.CFRunLoopStop(self._run_loop)
        thread.join(timeout=_STOP_S)
        if thread.is_alive():
            log.warning("hotkey_hung", deadline_s=_STOP_S)

    def _listen(
        self,
        quartz: Any,
        ready: Future[None],
        on_press: Callable[[int], None],
        on_release: Callable[[int], None],
    ) -> None:
        taps: list[Any] = []
        callback = self._make_callback(quartz, taps, on_press, on_release)
        mask = quartz.CGEventMaskBit(quartz.kCGEventKeyDown) | quartz.CGEventMaskBit(quartz.kCGEventKeyUp)
        tap = quartz.CGEventTapCreate(
            quartz.kCGSessionEventTap,
            quartz.kCGHeadInsertEventTap,
            quartz.kCGEventTapOptionListenOnly,
            mask,
            callback,
            None,
        )
        if tap is None:
            ready.set_exception(
                EnvironmentProblem(
                    "macOS does not let us hear the hotkey; allow Clippy under Privacy & Security, Input Monitoring, "
                    "or bind `clippy clip --last 30` to a key"
                )
            )
            return
        taps.append(tap)
        source = quartz.CFMachPortCreateRunLoopSource(None, tap, 0)
        self._run_loop = quartz.CFRunLoopGetCurrent()
        quartz.CFRunLoopAddSource(self._run_loop, source, quartz.kCFRunLoopDefaultMode)
        quartz.CGEventTapEnable(tap, True)
        ready.set_result(None)
        quartz.CFRunLoopRun()
        quartz.CGEventTapEnable(tap, False)
        quartz.CFMachPortInvalidate(tap)

    def _make_callback(
        self,
        quartz: Any,
        taps: list[Any],
        on_press: Callable[[int], None],
        on_release: Callable[[int], None],
    ) -> Callable[[Any, int, Any, Any], Any]:
        flags = {
            "ctrl": quartz.kCGEventFlagMaskControl,
            "shift": quartz.kCGEventFlagMaskShift,
            "alt": quartz.kCGEventFlagMaskAlternate,
            "super": quartz.kCGEventFlagMaskCommand,
        }
        all_flags = sum(flags.values())
        ours = sum(flags[name] for name in self._combination.modifiers)
        held: list[bool] = []

        def callback(_proxy: Any, kind: int, event: Any, _info: Any) -> Any:
            now_ns = time.monotonic_ns()
            if kind in (quartz.kCGEventTapDisabledByTimeout, quartz.kCGEventTapDisabledByUserInput):
                for tap in taps:
                    quartz.CGEventTapEnable(tap, True)
                return event
            if quartz.CGEventGetIntegerValueField(event, quartz.kCGKeyboardEventKeycode) != self._code:
                return event
            if kind == quartz.kCGEventKeyUp and held:
                # Whatever modifiers are still down by then.
                held.clear()
                report(on_release, now_ns)
            elif kind == quartz.kCGEventKeyDown and not held:
                is_repeat = quartz.CGEventGetIntegerValueField(event, quartz.kCGKeyboardEventAutorepeat)
                if not is_repeat and quartz.CGEventGetFlags(event) & all_flags == ours:
                    held.append(True)
                    report(on_press, now_ns)
            return event

        return callback
