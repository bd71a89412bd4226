"""Shows the benches' picture on this process's screen and plays their sound, until standard input closes.

    python -m tests.bench.show --frame-rate 30

The thirty pictures lie in the X server as pixmaps: a frame costs the server one copy, and this process a hundred
bytes. A frame that is late is left out, never caught up. stdout gets {"t0_monotonic_ns": ...} when the first is
shown, and {"shown": [numbers]} at the end: what there was to be recorded.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import threading
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from Xlib import X, display

from agent.capture import barcode
from agent.model.media import SOUND_RATE_HZ
from protos.timebase import SECOND_NS
from tests.bench.content import NUM_PICTURES, SIZE_PX, Scenery, beep
from tests.fakes.desktop_here import load_packaging

_SETTLING_NS = 2 * SECOND_NS  # of the sound server's clock
_ROWS_A_REQUEST = 32  # a request holds 256 KiB


class Beeps:
    """The beep, as the demo's writer plays it; the microphone's is quieter."""

    def __init__(self, gain: float) -> None:
        second = beep(0, SOUND_RATE_HZ) * gain * 32767
        self._second = np.concatenate([second, second]).astype(np.int16)

    def block(self, start: int, num_samples: int) -> npt.NDArray[np.int16]:
        """Silence before 0, then a beep a second."""
        if start < 0:
            return np.zeros((num_samples, 2), np.int16)
        within = start % SOUND_RATE_HZ
        return self._second[within : within + num_samples]


class Window:
    """A window over the whole screen, with its pictures in the server. One thread."""

    def __init__(self, frame_rate: int, size_px: tuple[int, int]) -> None:
        self._width, self._height = size_px
        self._display = display.Display()
        screen = self._display.screen()
        self._window = screen.root.create_window(
            0, 0, *size_px, 0, screen.root_depth, X.CopyFromParent, X.CopyFromParent, override_redirect=True
        )
        self._scenery = Scenery(frame_rate, size_px)
        self._pens = {level: self._window.create_gc(foreground=level * 0x010101) for level in range(256)}
        self._pixmaps = [self._upload(index, screen.root_depth) for index in range(NUM_PICTURES)]
        self._window.map()
        self._display.sync()

    def _upload(self, index: int, depth: int) -> Any:
        pixmap = self._window.create_pixmap(self._width, self._height, depth)
        pixels = np.repeat(self._scenery.luma(index)[:, :, None], 4, axis=2)
        for top in range(0, self._height, _ROWS_A_REQUEST):
            rows = pixels[top : top + _ROWS_A_REQUEST]
            pixmap.put_image(
                self._pens[0], 0, top, self._width, len(rows), X.ZPixmap, depth, 0, rows.tobytes()
            )
            # One request at a time: python-xlib copies what it has not sent yet again for each piece it sends.
            self._display.sync()
        return pixmap

    def show(self, index: int) -> None:
        """Show frame `index`, whole or not at all."""
        pixmap = self._pixmaps[index % NUM_PICTURES]
        rows = self._scenery.flash_rows
        pen = self._pens[self._scenery.level(index)]
        pixmap.fill_rectangle(pen, 0, rows.start, self._width, rows.stop - rows.start)
        bar = np.zeros((self._height, barcode.NUM_CELLS), np.uint8)
        barcode.draw(bar, index)
        height = int(np.count_nonzero(bar.any(axis=1)))
        edges = [-(-cell * self._width // barcode.NUM_CELLS) for cell in range(barcode.NUM_CELLS + 1)]
        for cell, level in enumerate(bar[0]):
            pixmap.fill_rectangle(
                self._pens[int(level)], edges[cell], 0, edges[cell + 1] - edges[cell], height
            )
        self._window.copy_area(self._pens[0], pixmap, 0, 0, self._width, self._height, 0, 0)
        self._display.flush()

    def close(self) -> None:
        """Take it away."""
        self._display.close()


def main() -> int:
    """Show until standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frame-rate", type=int, default=30)
    parser.add_argument("--size", default="{}x{}".format(*SIZE_PX))
    parser.add_argument("--silent", action="store_true", help="play nothing")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    pulse = load_packaging("demo/pulse.py")
    over = threading.Event()
    threading.Thread(target=_await_end, args=(over,), daemon=True).start()
    with contextlib.ExitStack() as stack:
        window = Window(arguments.frame_rate, (width, height))
        stack.callback(window.close)
        sinks = {} if arguments.silent else {"game": 0.8, "voice": 0.4}
        writers = [pulse.SinkWriter(sink, Beeps(gain)) for sink, gain in sinks.items()]
        for writer in writers:
            writer.start()
            stack.callback(writer.stop)
        t0_ns = time.monotonic_ns() + _SETTLING_NS
        for writer in writers:
            writer.play_at(t0_ns)
        print(json.dumps({"t0_monotonic_ns": t0_ns}), flush=True)
        shown = _run(window, arguments.frame_rate, t0_ns, over)
    print(json.dumps({"shown": shown}), flush=True)
    return 0


def _run(window: Window, frame_rate: int, t0_ns: int, over: threading.Event) -> list[int]:
    shown: list[int] = []
    index = 0
    while not over.is_set():
        rest_ns = t0_ns + index * SECOND_NS // frame_rate - time.monotonic_ns()
        if rest_ns > 0:
            over.wait(rest_ns / 1e9)
            continue
        index = max(index, (time.monotonic_ns() - t0_ns) * frame_rate // SECOND_NS)
        window.show(index)
        shown.append(index)
        index += 1
    return shown


def _await_end(over: threading.Event) -> None:
    sys.stdin.buffer.read()
    over.set()


if __name__ == "__main__":
    sys.exit(main())
