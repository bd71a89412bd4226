"""Tells presses and releases from the keyboard's autorepeat. Pure; owned by the listener's thread.

X11 sends each repeat of a held key as a release and a press of equal server time. Two real presses may share a
millisecond too (a macro pad, xdotool), but then the key was down for no time: no keyboard repeats that early.
A press whose release never arrived counts: a press is never lost. A release is only known as one when no press of
its own time follows, so it waits for the next event or for a moment of silence.
"""

from __future__ import annotations

# Keyboards begin to repeat after 150 to 660 ms; X11's own default is 660.
_MIN_HELD_MS = 50
_WRAPS_MS = 1 << 32


class AutorepeatFilter:
    """One key's presses and releases, with the server's time in milliseconds (32 bits, wraps)."""

    def __init__(self) -> None:
        self._pressed_ms: int | None = None
        self._released_ms: int | None = None

    @property
    def has_release(self) -> bool:
        """Does a release wait to be told from a repeat?"""
        return self._released_ms is not None

    def is_repeat(self, time_ms: int) -> bool:
        """Is a press at this time a repeat of the one before? Then its release was none either."""
        if self._pressed_ms is None or self._released_ms != time_ms:
            return False
        if (time_ms - self._pressed_ms) % _WRAPS_MS < _MIN_HELD_MS:
            return False
        self._released_ms = None
        return True

    def press(self, time_ms: int) -> None:
        """Take a press that is no repeat."""
        self._pressed_ms, self._released_ms = time_ms, None

    def release(self, time_ms: int) -> None:
        """Take a release."""
        self._released_ms = time_ms

    def take_release(self) -> int | None:
        """The release that waited, once: nothing of its time followed."""
        released_ms, self._released_ms = self._released_ms, None
        return released_ms


def press_time_ns(server_ms: int, now_ns: int) -> int:
    """When the key went down, on CLOCK_MONOTONIC: a local X server stamps events with that clock's milliseconds.

    A server with another clock (a remote one) shows in an age of more than two seconds; then it is now.
    """
    age_ms = (now_ns // 1_000_000 - server_ms) % _WRAPS_MS
    return now_ns - age_ms * 1_000_000 if age_ms < 2_000 else now_ns
