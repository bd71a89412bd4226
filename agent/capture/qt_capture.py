"""Qt's screen capture on a thread of its own: the only module below the user interface that imports Qt.

Qt wants one QGuiApplication a process, made, run and ended on one thread, on which its objects live. The engine has
none, so `GUI` makes one on the thread `qt-screen` when a capture is first asked for. It ends where the display's server
went away, and the next call makes another, on the same thread.
"""

from __future__ import annotations

import atexit
import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import av
import numpy as np
import structlog

from agent.capture.qt_platform import check_platform_plugin, platform_name
from agent.errors import ScreenUnavailable
from agent.model.screen import Rectangle, ScreenArea

log = structlog.get_logger()
_CALL_S = 10.0
_NOTHING: Any = None  # Qt takes no sink, too; its type says otherwise


class GuiThread:
    """Owns the process's QGuiApplication. Other threads hand it functions to run; it alone touches Qt's objects."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._doorbell: Any = None
        self._captures: list[QtCapture] = []
        self._has_loaded = False
        self._is_ending = False

    def is_taken_by_another(self) -> bool:
        """Has another thread of this process loaded Qt? Qt takes that one for its main thread for good."""
        return "PySide6.QtCore" in sys.modules and not self._has_loaded

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function in Qt's thread and return what it returns.

        Raises:
            ScreenUnavailable: Qt does not run, or not in time; or what the function raises.
        """
        future: Future[Any] = Future()
        with self._lock:
            self._calls.put((function, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="qt-screen", daemon=True)
                self._thread.start()
            if self._doorbell is not None:
                self._doorbell.rung.emit()
        try:
            return future.result(timeout=_CALL_S)
        except FutureTimeout as exc:
            raise ScreenUnavailable(f"Qt did not answer within {_CALL_S:g} s; restart the engine") from exc

    def add(self, capture: QtCapture) -> None:
        """A capture to be ended with the application. In Qt's thread."""
        self._captures.append(capture)

    def remove(self, capture: QtCapture) -> None:
        """It has ended. In Qt's thread."""
        self._captures.remove(capture)

    def _run(self) -> None:
        """One application after another: one that lost its display ends, and the next call makes a new one."""
        while not self._is_ending:
            function, future = self._calls.get()
            try:
                application = self._start_application()
            except ScreenUnavailable as exc:
                future.set_exception(exc)
                continue
            _answer(function, future)
            self._serve()
            application.exec()
            self._end_application(application)

    def _start_application(self) -> Any:
        check_platform_plugin()
        is_first = not self._has_loaded
        self._has_loaded = True
        from PySide6.QtCore import QObject, Qt, Signal, qInstallMessageHandler
        from PySide6.QtGui import QGuiApplication

        class Doorbell(QObject):
            rung = Signal()

        if is_first:
            # After Qt's own was: the last to be registered is the first to run.
            atexit.register(self._finish)
        qInstallMessageHandler(_log_message)
        application = QGuiApplication(["clippy", "-platform", platform_name()])
        application.setQuitOnLastWindowClosed(False)
        doorbell = Doorbell()
        # Queued to this thread, whoever rings.
        doorbell.rung.connect(self._serve, Qt.ConnectionType.QueuedConnection)
        with self._lock:
            self._doorbell = doorbell
        return application

    def _serve(self) -> None:
        while True:
            try:
                function, future = self._calls.get_nowait()
            except queue.Empty:
                return
            _answer(function, future)

    def _end_application(self, application: Any) -> None:
        for capture in list(self._captures):
            capture.end("Qt lost the display; it is opened again when it is back")
        with self._lock:
            self._doorbell = None
        application.shutdown()

    def _finish(self) -> None:
        """Before the interpreter goes: an application that is still there then is torn down by the wrong thread."""
        self._is_ending = True
        thread = self._thread

        def leave() -> None:
            from PySide6.QtCore import QCoreApplication

            QCoreApplication.quit()

        if thread is not None and self._doorbell is not None:
            with contextlib.suppress(ScreenUnavailable):
                self.call(leave)
            thread.join(2.0)


GUI = GuiThread()


def _answer(function: Callable[[], Any], future: Future[Any]) -> None:
    try:
        future.set_result(function())
    except Exception as exc:  # noqa: BLE001 - handed to the caller's thread
        future.set_exception(exc)


class QtCapture:
    """One running capture. Made, kept and ended in Qt's thread; `newest` and `problem` may be read from any."""

    def __init__(self, area: ScreenArea) -> None:
        from PySide6.QtCore import QObject, QTimer, Slot
        from PySide6.QtMultimedia import QMediaCaptureSession, QVideoFrame, QVideoSink

        self.newest: Any = None
        self.problem = ""
        self.is_ended = False
        self._has_picture = threading.Event()
        capture = self

        class Receiver(QObject):
            @Slot(QVideoFrame)
            def take(self, frame: Any) -> None:
                # Throttled here: a picture that nobody asks for is neither mapped nor copied.
                if frame.isValid():
                    capture.newest = QVideoFrame(frame)
                    capture._has_picture.set()

        self._source = _make_source(area)
        self._session = QMediaCaptureSession()
        self._sink = QVideoSink()
        self._receiver = Receiver()
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.end)
        self._sink.videoFrameChanged.connect(self._receiver.take)
        self._source.errorOccurred.connect(self._fail)
        if area.kind == "window":
            self._session.setWindowCapture(self._source)
        else:
            self._session.setScreenCapture(self._source)
        self._session.setVideoSink(self._sink)
        GUI.add(self)
        self._source.setActive(True)

    def wait_for_picture(self, timeout_s: float) -> Any:
        """The newest picture, once there is one. Any thread but Qt's.

        Raises:
            ScreenUnavailable: It failed, or none came in time.
        """
        self._has_picture.wait(timeout_s)
        if self.problem:
            raise ScreenUnavailable(self.problem)
        if self.newest is None:
            raise ScreenUnavailable(f"Qt gave no picture of the screen within {timeout_s:g} s")
        return self.newest

    def keep(self) -> None:
        """Go on after `let_go`; ended in the meantime, it says so in `problem`. Any thread but Qt's."""
        GUI.call(lambda: None if self.is_ended else self._timer.stop())

    def let_go(self, linger_s: float) -> None:
        """End after a while, unless `keep` comes first. Any thread but Qt's."""
        GUI.call(lambda: None if self.is_ended else self._timer.start(round(linger_s * 1000)))

    def end(self, problem: str = "the capture was closed") -> None:
        """Stop, and delete Qt's objects in order. Twice is once. In Qt's thread."""
        if self.is_ended:
            return
        import shiboken6

        self.is_ended = True
        self.problem = self.problem or problem
        self._has_picture.set()
        GUI.remove(self)
        self._source.setActive(False)
        self._session.setVideoSink(_NOTHING)
        for thing in (self._timer, self._source, self._session, self._sink, self._receiver):
            shiboken6.delete(thing)

    def _fail(self, _error: Any, words: str) -> None:
        self.problem = f"Qt cannot record the screen: {words or 'it gives no reason'}; it is opened again"
        self._has_picture.set()


def _make_source(area: ScreenArea) -> Any:
    """A QWindowCapture or QScreenCapture of the area. In Qt's thread."""
    from PySide6.QtGui import QGuiApplication
    from PySide6.QtMultimedia import QScreenCapture, QWindowCapture

    if area.kind == "window":
        for window in QWindowCapture.capturableWindows():
            if area.window.casefold() in window.description().casefold():
                by_window = QWindowCapture()
                by_window.setWindow(window)
                return by_window
        raise ScreenUnavailable(
            f"no window's title holds {area.window!r}; open it, or set capture.window to another"
        )
    screens = QGuiApplication.screens()
    screen: Any = QGuiApplication.primaryScreen()
    if area.kind == "monitor":
        named = {str(number): found for number, found in enumerate(screens, start=1)}
        named |= {found.name().casefold(): found for found in screens}
        screen = named.get(area.monitor.casefold())
    if screen is None:
        known = ", ".join(f"{number} ({found.name()})" for number, found in enumerate(screens, start=1))
        raise ScreenUnavailable(f"no monitor is called {area.monitor!r}; there are {known or 'none'}")
    by_screen = QScreenCapture()
    by_screen.setScreen(screen)
    return by_screen


def copy_picture(frame: Any, part: Rectangle) -> av.VideoFrame:
    """A part of a QVideoFrame, in memory of its own. Any thread.

    Raises:
        ScreenUnavailable: The picture is no longer there.
    """
    from PySide6.QtGui import QImage
    from PySide6.QtMultimedia import QVideoFrame

    name = _FORMATS.get(frame.pixelFormat().name.removesuffix("_Premultiplied"))
    if name is None:
        image = frame.toImage().convertToFormat(QImage.Format.Format_RGB32)
        pixels = _pixels(image.constBits(), image.bytesPerLine(), part)
        return av.VideoFrame.from_numpy_buffer(pixels, format="bgra")
    if not frame.map(QVideoFrame.MapMode.ReadOnly):
        raise ScreenUnavailable("Qt's picture cannot be read; it is opened again")
    try:
        pixels = _pixels(frame.bits(0), frame.bytesPerLine(0), part)
    finally:
        frame.unmap()
    return av.VideoFrame.from_numpy_buffer(pixels, format=name)


_FORMATS = {
    "Format_BGRA8888": "bgra",
    "Format_BGRX8888": "bgra",
    "Format_RGBA8888": "rgba",
    "Format_RGBX8888": "rgba",
    "Format_ARGB8888": "argb",
    "Format_XRGB8888": "argb",
    "Format_ABGR8888": "abgr",
    "Format_XBGR8888": "abgr",
}


def _pixels(bits: Any, bytes_per_line: int, part: Rectangle) -> np.ndarray:
    rows = np.frombuffer(bits, np.uint8)
    rows = rows[: rows.size // bytes_per_line * bytes_per_line].reshape(-1, bytes_per_line)
    right, bottom = part.left_px + part.width_px, part.top_px + part.height_px
    copied = rows[part.top_px : bottom, part.left_px * 4 : right * 4].copy()
    return copied.reshape(part.height_px, part.width_px, 4)


def _log_message(_kind: Any, _context: Any, text: str) -> None:
    log.debug("qt_said", pii_text=text)
