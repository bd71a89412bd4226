"""An X server that closes its connections while a client connects, as one does that is just being killed."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.x11_desktop import X11Desktop
from agent.errors import EnvironmentProblem, ScreenUnavailable
from agent.trigger.combination import parse_combination
from agent.trigger.hotkey_x11 import X11Hotkey
from tests.fakes.desktop_here import MISSING, REASON

pytestmark = [pytest.mark.desktop, pytest.mark.skipif(bool(MISSING), reason=REASON)]
X_SOCKETS = Path("/tmp/.X11-unix")


@pytest.fixture
def dying_display() -> Iterator[str]:
    """A display whose every connection ends as soon as it is made."""
    X_SOCKETS.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        number = next(n for n in itertools.count(700) if not (X_SOCKETS / f"X{n}").exists())
        path = X_SOCKETS / f"X{number}"
        listener.bind(str(path))
        listener.listen()

        def end_each() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        ender = threading.Thread(target=end_each, daemon=True)
        ender.start()
        try:
            yield f":{number}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            ender.join(5)
            path.unlink()


def test_the_screen_is_unavailable_for_now(dying_display: str):
    with pytest.raises(ScreenUnavailable, match="cannot connect to X11 display"):
        X11Desktop(dying_display)


def test_the_hotkey_is_refused_with_what_to_do(dying_display: str):
    hotkey = X11Hotkey(parse_combination("F8"), dying_display)

    with pytest.raises(EnvironmentProblem, match="no X display for the hotkey"):
        hotkey.start(lambda _pressed_ns: None)
