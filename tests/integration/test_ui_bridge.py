"""The bridge between the control API and Qt: bounded, and gone when the app is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog.testing
from pytestqt.qtbot import QtBot

from agent.control.server import ControlServer
from agent.paths import AgentPaths
from agent.ui.bridge import Bridge
from tests.fakes.desktop_here import wait_until
from tests.fakes.told_engine import ToldEngine


class SlowEngine(ToldEngine):
    """Saves only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_save = threading.Event()

    def save(self, **wanted: object) -> object:
        self.may_save.wait(20)
        return super().save(**wanted)


@pytest.fixture
def engine() -> Iterator[SlowEngine]:
    engine = SlowEngine()
    yield engine
    engine.may_save.set()


@pytest.fixture
def socket_path(engine: SlowEngine, tmp_path: Path) -> Iterator[Path]:
    server = ControlServer(engine, engine, AgentPaths(data=tmp_path).control_socket)
    server.start()
    yield AgentPaths(data=tmp_path).control_socket
    engine.may_save.set()
    server.stop()


def bridge_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("bridge")]


def test_stop_leaves_no_thread_even_in_the_middle_of_a_save(qtbot: QtBot, socket_path: Path):
    bridge = Bridge(socket_path)
    bridge.start()
    with structlog.testing.capture_logs() as lines:
        with qtbot.waitSignal(bridge.status_changed):
            bridge.save(0)
        bridge.stop()

        assert wait_until(lambda: not bridge_threads(), 5)
    assert [line for line in lines if line["log_level"] in ("warning", "error")] == []


def test_without_an_engine_it_stops_as_well(qtbot: QtBot, tmp_path: Path):
    bridge = Bridge(tmp_path / "none.sock")
    with qtbot.waitSignal(bridge.engine_lost):
        bridge.start()

    bridge.stop()
    bridge.stop()

    assert wait_until(lambda: not bridge_threads(), 5)


def test_a_bridge_that_was_never_started_stops(qapp: object, tmp_path: Path):
    Bridge(tmp_path / "none.sock").stop()

    assert bridge_threads() == []


def test_more_saves_than_it_can_hold_are_refused_with_a_reason(qtbot: QtBot, socket_path: Path):
    bridge = Bridge(socket_path)
    bridge.start()

    with qtbot.waitSignal(bridge.save_failed) as failed:
        for _ in range(9):
            bridge.save(0)

    assert "8 saves are under way" in failed.args[0]
    bridge.stop()


def test_an_engine_that_is_about_to_start_is_not_called_lost(qtbot: QtBot, tmp_path: Path):
    bridge = Bridge(tmp_path / "none.sock", explain_lost=lambda _why: None)

    with qtbot.waitSignal(bridge.engine_starting), qtbot.assertNotEmitted(bridge.engine_lost):
        bridge.start()

    bridge.stop()


def test_a_fifth_watcher_is_told_why_it_is_refused(qtbot: QtBot, socket_path: Path):
    bridges = [Bridge(socket_path) for _ in range(5)]
    for bridge in bridges[:4]:
        with qtbot.waitSignal(bridge.status_changed):
            bridge.start()

    with qtbot.waitSignal(bridges[4].engine_lost) as lost:
        bridges[4].start()

    assert "watchers" in lost.args[0]
    for bridge in bridges:
        bridge.stop()
