"""An X server that a test may kill and start again, and plain windows on it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

RED, GREEN, BLUE, WHITE = 0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF
# As the sources hand pixels over: blue, green, red.
BGR = {RED: (0, 0, 255), GREEN: (0, 255, 0), BLUE: (255, 0, 0), WHITE: (255, 255, 255), 0: (0, 0, 0)}
_MAX_A_PROCESS = 16
_made = itertools.count()


class XServer:
    """An Xvfb of our own, on a display that no other test's server takes while it is dead.

    `display` stays the same over any number of starts.
    """

    def __init__(self, size: tuple[int, int] = (640, 360)) -> None:
        self._size = size
        self._process: subprocess.Popen[bytes] | None = None
        # Servers that choose for themselves take the lowest free number.
        own = os.getpid() * _MAX_A_PROCESS + next(_made) % _MAX_A_PROCESS
        self.display = f":{1_000 + own % 50_000}"

    def start(self) -> None:
        reader, writer = os.pipe()
        command = ["Xvfb", self.display, "-displayfd", str(writer)]
        command += ["-screen", "0", "{}x{}x24".format(*self._size), "-nolisten", "tcp", "-noreset"]
        self._process = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as answer:
            assert answer.readline().strip() == self.display[1:], "Xvfb did not start"

    def kill(self) -> None:
        """As a crash: clients lose their connection; what it left is removed, so that it may start again."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)
            number = self.display[1:]
            for path in (Path(f"/tmp/.X{number}-lock"), Path(f"/tmp/.X11-unix/X{number}")):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def stop(self) -> None:
        """It answers nobody until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def x_server_here(size: tuple[int, int] = (640, 360)) -> Iterator[XServer]:
    """Start one, and put its name into this process's environment."""
    server = XServer(size)
    server.start()
    environment = {
        "DISPLAY": server.display,
        "XAUTHORITY": "",
        "WAYLAND_DISPLAY": "",
        "QT_QPA_PLATFORM": "xcb",
    }
    try:
        with mock.patch.dict(os.environ, environment):
            yield server
    finally:
        server.kill()


class Painter:
    """A program that shows plain windows; no window manager moves or decorates them."""

    def __init__(self) -> None:
        from Xlib import display

        self._display: Any = display.Display()

    def show(
        self,
        title: str,
        colour: int,
        *,
        at: tuple[int, int],
        size: tuple[int, int],
        class_name: str = "plain",
    ) -> Any:
        """Map a window and return it, drawn."""
        screen = self._display.screen()
        window = screen.root.create_window(
            *at, *size, 0, screen.root_depth, background_pixel=colour, override_redirect=True
        )
        window.set_wm_name(title)
        window.set_wm_class(class_name, class_name.title())
        window.map()
        self.settle()
        return window

    def list_windows(self, *windows: Any) -> None:
        """Tell of these windows, as a window manager does."""
        from Xlib import Xatom

        for name in ("_NET_CLIENT_LIST", "_NET_CLIENT_LIST_STACKING"):
            atom = self._display.intern_atom(name)
            ids = [window.id for window in windows]
            self._display.screen().root.change_property(atom, Xatom.WINDOW, 32, ids)
        self.settle()

    def point_at(self, x: int, y: int) -> None:
        """Put the mouse pointer there."""
        self._display.screen().root.warp_pointer(x, y)
        self.settle()

    def settle(self) -> None:
        """Return when the server has done everything asked so far."""
        self._display.sync()

    def close(self) -> None:
        """Disconnect: the windows go."""
        with contextlib.suppress(Exception):
            self._display.close()


@contextlib.contextmanager
def painting() -> Iterator[Painter]:
    """A painter on this process's display."""
    painter = Painter()
    try:
        yield painter
    finally:
        painter.close()
