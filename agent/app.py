"""Composition root of the desktop app.

Boot order: log, Qt, bridge, window, tray; then the engine, if none answers. Closing or killing the app leaves the
engine recording: it is a process of its own.
"""

from __future__ import annotations

import subprocess
import sys

import structlog
from PySide6.QtWidgets import QApplication

from agent.control.client import ControlClient
from agent.errors import EngineNotRunning
from agent.log import configure_log
from agent.paths import AgentPaths, make_private
from agent.ui.bridge import Bridge
from agent.ui.theme import state_icon, stylesheet
from agent.ui.tray import Tray
from agent.ui.window import MainWindow

log = structlog.get_logger()


def start_engine_if_needed(paths: AgentPaths) -> None:
    """Start the engine as a process of its own unless one answers; its log goes to the data directory."""
    client = ControlClient(paths.control_socket)
    try:
        client.status()
        return
    except EngineNotRunning:
        pass
    finally:
        client.close()
    make_private(paths.data)
    command = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "agent"]
    with paths.log_file.open("ab") as out:
        subprocess.Popen(
            [*command, "--data", str(paths.data), "engine"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # the app's death must not be the engine's
        )
    log.info("engine_started_by_app")


def run_app(paths: AgentPaths) -> int:
    """Run until the user quits; returns the exit code."""
    configure_log()
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("Clippy")
    application.setWindowIcon(state_icon("ready"))
    application.setStyleSheet(stylesheet())
    start_engine_if_needed(paths)
    bridge = Bridge(paths.control_socket)
    window = MainWindow(bridge)
    tray = Tray(bridge)
    has_tray = tray.show()
    application.setQuitOnLastWindowClosed(not has_tray)

    def open_window() -> None:
        window.show()
        window.raise_()
        window.activateWindow()

    def stop_everything() -> None:
        bridge.stop_engine()
        application.quit()

    tray.open_wanted.connect(open_window)
    tray.quit_wanted.connect(application.quit)
    tray.stop_wanted.connect(stop_everything)
    bridge.start()
    window.show()
    code = application.exec()
    tray.hide()
    bridge.stop()
    return code
