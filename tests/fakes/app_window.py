"""The app's window over a real control server, and what a person sees in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget
from pytestqt.qtbot import QtBot

from agent.control.server import ControlServer, Desks
from agent.paths import AgentPaths
from agent.ui.bridge import Bridge
from agent.ui.theme import stylesheet
from agent.ui.window import MainWindow
from agent.uplink_ports import PairingDesk


@contextlib.contextmanager
def served_bridge(engine: Any, folder: Path, *, pairing: PairingDesk | None = None) -> Iterator[Bridge]:
    """A bridge, not started, to `engine` (all of its ports in one) and `pairing` behind a control server."""
    socket_path = AgentPaths(data=folder).control_socket
    desks = Desks(sound=engine, recovery=engine, forgetter=engine, pairing=pairing)
    server = ControlServer(engine, engine, socket_path, desks=desks)
    server.start()
    bridge = Bridge(socket_path)
    yield bridge
    bridge.stop()
    server.stop()


def shown_window(qtbot: QtBot, bridge: Bridge) -> MainWindow:
    """A window on a started bridge."""
    window = MainWindow(bridge)
    window.setStyleSheet(stylesheet())
    qtbot.addWidget(window)
    bridge.start()
    window.show()
    return window


def texts(widget: QWidget) -> str:
    """Everything a person can read in it."""
    parts: list[QLabel | QAbstractButton] = [
        *widget.findChildren(QLabel),
        *widget.findChildren(QAbstractButton),
    ]
    return "\n".join(part.text() for part in parts if part.isVisible())


def says(widget: QWidget, *words: str) -> Callable[[], bool]:
    """Does it show all of these?"""
    return lambda: all(word in texts(widget) for word in words)


def button(widget: QWidget, text: str) -> QAbstractButton:
    """The button with this text, one that can be seen before one that cannot."""
    found = [child for child in widget.findChildren(QAbstractButton) if child.text() == text]
    return next((child for child in found if child.isVisible()), found[0])
