"""A second look at what is recorded, by other means: what the self-test holds the recording against.

Opened when it is needed, for as long as that takes; the recording's own sources are left alone.
"""

from __future__ import annotations

import os
import threading

import numpy as np

from agent.capture.choose_sound import open_sound
from agent.errors import SoundUnavailable
from agent.model.media import SoundBlock, SoundName
from agent.model.screen import ScreenArea
from agent.ports import ScreenSource

_LISTEN_S = 1.0


def second_screen(source: ScreenSource, *, area: ScreenArea, is_cursor_shown: bool) -> ScreenSource | None:
    """A closed source of the same part of the screen over a connection of its own, or None where there is none.

    On X11 that is x11grab, also beside x11grab: another 1080p glance by mss keeps 16 MiB of memory for good.
    """
    if source.name in ("x11grab", "mss") and os.environ.get("DISPLAY"):
        from agent.capture.x11grab import X11GrabScreen

        return X11GrabScreen(area=area, is_cursor_shown=is_cursor_shown)
    return None


def excuse_for_zeros(name: SoundName, device: str, wanted: str) -> str:
    """Why a source's samples may rightly be zeros; empty when nothing speaks for it. Takes about a second.

    A muted device gives zeros. So does the output of a desktop on which nothing plays: whether something does is
    heard by a stream of our own.

    Args:
        wanted: the device as it was set, `auto` included.
    """
    if wanted == "generated":
        return "the generated sound pauses"
    if _is_muted(device):
        return f"{device} is muted"
    if name == "mic":
        return ""
    try:
        return "" if _is_heard(name, wanted) else "nothing plays"
    except SoundUnavailable as exc:
        return f"whether anything plays could not be asked: {exc}"


def _is_muted(device: str) -> bool:
    try:
        from agent.capture.pulse_devices import list_devices

        return any(item.name == device and item.is_muted for item in list_devices())
    except SoundUnavailable:
        return False


def _is_heard(name: SoundName, wanted: str) -> bool:
    """Does a stream of our own hear anything within a second?"""
    source = open_sound(name, wanted)
    if source is None:
        return False
    heard = threading.Event()

    def on_block(block: SoundBlock) -> None:
        if np.any(block.samples):
            heard.set()

    source.open(on_block)
    try:
        return heard.wait(_LISTEN_S)
    finally:
        source.close()
