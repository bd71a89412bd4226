"""Composition root of the desktop app.

Boot order: log, Qt, the engine if none answers, bridge, window, tray. Closing or killing the app leaves the engine
recording: it is a process of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import structlog
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from agent.errors import AgentError, EnvironmentProblem
from agent.log import configure_log
from agent.paths import AgentPaths
from agent.ui.bridge import Bridge
from agent.ui.engine_process import EngineProcess
from agent.ui.theme import state_icon, stylesheet
from agent.ui.tray import Tray
from agent.ui.window import MainWindow

log = structlog.get_logger()


def run_app(paths: AgentPaths, engine_command: Sequence[str] | None = None) -> int:
    """Run until the user quits; returns the exit code.

    Args:
        engine_command: starts the engine where none answers; None is `clippy engine`.

    Raises:
        EnvironmentProblem: There is no desktop to show a window on, or no engine can be started.
    """
    configure_log()
    application = _make_application()
    engine = EngineProcess(paths, engine_command)
    engine.start_if_needed()
    bridge = Bridge(paths.control_socket, engine.explain)
    window = MainWindow(bridge)
    tray = Tray(bridge)
    has_tray = tray.show()
    application.setQuitOnLastWindowClosed(not has_tray)

    def open_window() -> None:
        window.show()
        window.raise_()
        window.activateWindow()

    def open_forget() -> None:
        open_window()
        window.forget.ask()

    def start_engine() -> None:
        try:
            engine.start()
        except AgentError as exc:
            window.state_panel.show_lost(str(exc))
        else:
            window.state_panel.show_starting()

    tray.open_wanted.connect(open_window)
    tray.forget_wanted.connect(open_forget)
    # Where there is no tray, the taskbar's entry asks for attention.
    tray.alarm_raised.connect(lambda _alarm: application.alert(window))
    tray.quit_wanted.connect(application.quit)
    # Only once the engine has heard it: quitting at once would take the call back.
    tray.stop_wanted.connect(bridge.stop_engine)
    bridge.engine_stopped.connect(application.quit)
    window.start_wanted.connect(start_engine)
    # Python sees a signal when it next runs; the bridge's signals make sure that this is within a second.
    signal.signal(signal.SIGINT, lambda *_: application.quit())
    bridge.start()
    window.show()
    QTimer.singleShot(0, lambda: log.info("app_opened"))
    code = application.exec()
    tray.hide()
    bridge.stop()
    log.info("app_closed")
    return code


def _make_application() -> QApplication:
    """Qt itself aborts the process where there is no desktop, so look before.

    Raises:
        EnvironmentProblem: There is none.
    """
    has_display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform.startswith("linux") and not has_display:
        raise EnvironmentProblem(
            "no desktop to show a window on (DISPLAY and WAYLAND_DISPLAY are not set); "
            "`clippy engine` records and `clippy clip` saves without one"
        )
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("Clippy")
    application.setWindowIcon(state_icon("ready"))
    application.setStyleSheet(stylesheet())
    return application
