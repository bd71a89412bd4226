"""An X server of a test's own, that may be killed, stopped and started again on the same display."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path


class OwnXvfb:
    """`display` stays the same over any number of starts. A context manager: nothing is left behind."""

    def __init__(self, size: str = "640x360") -> None:
        self._size = size
        self._process: subprocess.Popen[bytes] | None = None
        self.display = ""

    def start(self) -> None:
        """Start it, the first time on a display that it chooses."""
        read_end, write_end = os.pipe()
        words = ["Xvfb", *([self.display] if self.display else []), "-displayfd", str(write_end)]
        words += ["-screen", "0", f"{self._size}x24", "-nolisten", "tcp", "-noreset"]
        self._process = subprocess.Popen(words, pass_fds=[write_end], stderr=subprocess.DEVNULL)
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        self.display = f":{number}"

    def kill(self) -> None:
        """As a crash: clients lose their connection; what it left is removed, so that it may start again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(10)
            self._process = None
            number = self.display[1:]
            for path in (Path(f"/tmp/.X{number}-lock"), Path(f"/tmp/.X11-unix/X{number}")):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def stop(self) -> None:
        """It answers nobody until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def paint(self, colour: str, *, from_stripe: int = 0) -> None:
        """Fill the screen, or what is right of a stripe (of eight): `black`, `white`, or `stripes`."""
        from Xlib import X, display

        connection = display.Display(self.display)
        screen = connection.screen()
        width, height = screen.width_in_pixels, screen.height_in_pixels
        for index in range(from_stripe, 8):
            is_white = colour == "white" or (colour == "stripes" and index % 2 == 1)
            context = screen.root.create_gc(
                foreground=screen.white_pixel if is_white else screen.black_pixel,
                subwindow_mode=X.IncludeInferiors,
            )
            screen.root.fill_rectangle(context, index * width // 8, 0, width // 8 + 1, height)
            context.free()
        connection.sync()
        connection.close()

    def __enter__(self) -> OwnXvfb:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
