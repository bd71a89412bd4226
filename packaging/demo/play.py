"""Plays the demo's input in a window and through the sound server: a generated match, or a recording.

    python packaging/demo/play.py match --seconds 155 --truth truth.json
    python packaging/demo/play.py video FILE

Boots in this order: arguments, what is to be played, window, sound, clock; then frames until the end, SIGTERM,
or (with --until-stdin-closes) the end of standard input. The main thread paints; each sink has a writer.
stdout gets one JSON object a line: `started` (t0_monotonic_ns: when second 0 was shown and heard),
`highlight` and `decoy` as they begin, `progress` each 5 s, `ended`. Exit: 0 done, 1 the recording is broken,
2 there is no such input, 3 no screen, sound or speech here.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from match import DEFAULT_DURATION_S, DEFAULT_SEED, timeline
from pulse import SinkWriter, SoundUnavailable
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget
from recording import Recording, RecordingUnusable
from shows import MatchShow, Show, VideoShow
from speech import SpeechUnavailable

_LEAD_S = 1.5  # from the decision to start until second 0: the sound's clock settles
_PROGRESS_S = 5.0


class ScreenUnavailable(Exception):
    """There is no screen to paint on; the message says what to do."""

    code = "screen_unavailable"
    exit_code = 3


class Window(QWidget):
    """Paints the frame that the clock asks for, each at its time; a late one is left out, never caught up."""

    def __init__(self, show: Show, size_px: tuple[int, int], is_stopped: Callable[[], bool]) -> None:
        super().__init__()
        self.num_painted = 0
        self.num_skipped = 0
        self._show = show
        self._is_stopped = is_stopped
        self._frame = 0
        self._t0_ns = 0
        self._next_progress_s = 0.0
        self.setWindowTitle("Clippy demo")
        self.setFixedSize(*size_px)
        self.move(0, 0)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tick)

    def begin(self, t0_ns: int) -> None:
        """Show frame 0 and go on from t0."""
        self._t0_ns = t0_ns
        self.show()
        self._timer.start(0)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the current frame."""
        painter = QPainter(self)
        self._show.paint(painter, self._frame)
        painter.end()

    def _tick(self) -> None:
        at_s = (time.monotonic_ns() - self._t0_ns) / 1e9
        if self._is_stopped() or self._show.is_over(at_s):
            QApplication.exit(0)
            return
        frame = max(0, round(at_s * self._show.fps))
        if frame > self._frame or self.num_painted == 0:
            self.num_skipped += max(0, frame - self._frame - 1)
            self._frame = frame
            self.repaint()
            self.num_painted += 1
        self._report(at_s)
        due_s = (self._frame + 1) / self._show.fps if at_s >= 0 else 0.0
        rest_s = due_s - (time.monotonic_ns() - self._t0_ns) / 1e9
        # At most 50 ms, so that a signal or a closed input is heard soon even before second 0.
        self._timer.start(min(50, max(0, round(rest_s * 1e3))))

    def _report(self, at_s: float) -> None:
        if at_s < 0:
            return
        if self._next_progress_s == 0.0:
            _say({"event": "started", "t0_monotonic_ns": self._t0_ns, "fps": self._show.fps})
            self._next_progress_s = _PROGRESS_S
        for event in self._show.news(at_s):
            _say(event)
        if at_s >= self._next_progress_s:
            self._next_progress_s += _PROGRESS_S
            _say({"event": "progress", "at_s": round(at_s, 2), "num_painted": self.num_painted})


def play(show: Show, arguments: argparse.Namespace, is_stopped: Callable[[], bool]) -> None:
    """Play to the end. The sound may be lost on the way; the picture goes on, and an event says so."""
    window = Window(show, arguments.size, is_stopped)
    writers: list[SinkWriter] = []
    try:
        if not arguments.no_sound:
            sinks = (arguments.game_sink, arguments.voice_sink)
            writers = [SinkWriter(sink, source) for sink, source in zip(sinks, show.sources(), strict=True)]
        for writer in writers:
            writer.start()
        began_ns, began_cpu_s = time.monotonic_ns(), _cpu_s()
        t0_ns = began_ns + round(_LEAD_S * 1e9)
        for writer in writers:
            writer.play_at(t0_ns)
        show.begin(t0_ns)
        window.begin(t0_ns)
        QApplication.exec()
        elapsed_s = (time.monotonic_ns() - began_ns) / 1e9
        for writer in writers:
            if writer.failure is not None:
                _say({"event": "sound_lost", "message": str(writer.failure)})
        _say(
            {
                "event": "ended",
                "at_s": round((time.monotonic_ns() - t0_ns) / 1e9, 2),
                "is_complete": not is_stopped(),
                "num_painted": window.num_painted,
                "num_skipped": window.num_skipped,
                "num_sound_jumps": sum(writer.num_jumps for writer in writers),
                "cpu_s_per_s": round((_cpu_s() - began_cpu_s) / elapsed_s, 3),
            }
        )
    finally:
        for writer in writers:
            writer.stop()
        show.close()


def _show(arguments: argparse.Namespace, recording: Recording | None) -> Show:
    if recording is not None:
        return VideoShow(recording, size_px=arguments.size)
    return MatchShow(
        timeline(arguments.seconds, arguments.seed),
        size_px=arguments.size,
        fps=arguments.fps,
        truth=arguments.truth,
        cache=arguments.cache,
        has_marks=arguments.sync_marks,
    )


def _say(event: dict[str, Any]) -> None:
    """One line to whoever listens; nobody listening is no reason to stop playing."""
    try:
        print(json.dumps(event), flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the rest of the run


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _require_screen() -> None:
    """Qt aborts the process where it finds no screen; look first, to say it in words."""
    if os.environ.get("QT_QPA_PLATFORM", "xcb").split(":")[0] != "xcb" or os.environ.get("WAYLAND_DISPLAY"):
        return
    display = os.environ.get("DISPLAY", "")
    try:
        xcb: Any = ctypes.CDLL("libxcb.so.1")
    except OSError as exc:
        raise ScreenUnavailable(f"cannot load libxcb: {exc}; install libxcb1") from exc
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    is_refused = xcb.xcb_connection_has_error(connection) != 0
    xcb.xcb_disconnect(connection)
    if is_refused:
        raise ScreenUnavailable(
            f"cannot open the screen DISPLAY={display!r}; "
            "start an X server, or run this by packaging/virtual_desktop.py"
        )


def _size(text: str) -> tuple[int, int]:
    sides = re.fullmatch(r"([1-9]\d{1,3})x([1-9]\d{1,3})", text)
    if sides is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it like 1280x720")
    return int(sides[1]), int(sides[2])


def _seconds(text: str) -> float:
    try:
        timeline(float(text))
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    return float(text)


def _fps(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 120:
        raise argparse.ArgumentTypeError(f"{text!r} is no frame rate; give 1 to 120")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Plays the demo's input: a generated match, or a recording.")
    shows = parser.add_subparsers(dest="show", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--size", type=_size, default=(1280, 720), help="of the window (1280x720)")
    shared.add_argument(
        "--game-sink", default="game", help="PulseAudio sink of the game; '' is the default one"
    )
    shared.add_argument("--voice-sink", default="voice", help="PulseAudio sink of the streamer's voice")
    shared.add_argument("--no-sound", action="store_true", help="show the picture alone")
    shared.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input ends")
    match = shows.add_parser("match", parents=[shared], help="the generated match")
    match.add_argument("--seconds", type=_seconds, default=DEFAULT_DURATION_S, help="length (155)")
    match.add_argument("--seed", type=int, default=DEFAULT_SEED)
    match.add_argument("--fps", type=_fps, default=30)
    match.add_argument("--truth", type=Path, help="write what happens when to this JSON file")
    match.add_argument("--cache", type=Path, help="keep rendered speech in this folder")
    match.add_argument("--sync-marks", action="store_true", help="flash and beep each second, count frames")
    video = shows.add_parser("video", parents=[shared], help="a recording")
    video.add_argument("file", type=Path)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if arguments.until_stdin_closes:
        threading.Thread(target=_await_end_of_input, args=(stop,), name="stdin", daemon=True).start()
    try:
        # The file first: that it is missing matters more than that there is no screen to miss it on.
        recording = Recording(arguments.file) if arguments.show == "video" else None
        _require_screen()
        application = QApplication(sys.argv[:1])
        show = _show(arguments, recording)
        play(show, arguments, stop.is_set)
        del application
    except (ScreenUnavailable, SoundUnavailable, SpeechUnavailable, RecordingUnusable) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"cannot write {error.filename}: {error.strerror}; give another place", file=sys.stderr)
        return 1
    return 0


def _await_end_of_input(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
