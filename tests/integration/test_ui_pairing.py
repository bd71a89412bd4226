"""The coordinator's page: the right one is asked for, a code is shown, and what fails says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from agent.config import Config
from agent.engine.pairing import Pairings
from agent.paths import AgentPaths
from agent.ui.bridge import Bridge
from agent.ui.pairing_words import shown_fingerprint
from agent.ui.window import MainWindow
from protos.clippy.v1 import control_pb2
from tests.fakes.app_window import says, served_bridge, shown_window, texts
from tests.fakes.coordinator_here import CoordinatorHere
from tests.fakes.link_parts import make_certificates
from tests.fakes.told_recorder import ToldRecorder


class ToldPairings:
    """The real desk; what it did is in the told engine's next status."""

    def __init__(self, paths: AgentPaths, engine: ToldRecorder) -> None:
        self._desk = Pairings(paths, Config())
        self._engine = engine

    def pair(
        self, request: control_pb2.PairCoordinatorRequest, *, is_wanted: Callable[[], bool]
    ) -> Iterator[control_pb2.PairingProgress]:
        for progress in self._desk.pair(request, is_wanted=is_wanted):
            if progress.step == "paired":
                uplink = self._engine.state.uplink
                uplink.pairing.CopyFrom(progress.pairing)
                uplink.coordinator, uplink.state = progress.pairing.coordinator, "connected"
                uplink.held_back.append("on a metered line: 12 chunks of desktop wait")
                self._engine.tell_change()
            yield progress

    def unpair(self) -> control_pb2.UnpairCoordinatorResponse:
        done = self._desk.unpair()
        self._engine.state.uplink.Clear()
        self._engine.tell_change()
        return done


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[CoordinatorHere]:
    (tmp_path / "tls").mkdir()
    with CoordinatorHere(make_certificates(tmp_path / "tls")) as running:
        yield running


@pytest.fixture
def bridge(qapp: object, tmp_path: Path) -> Iterator[Bridge]:
    paths = AgentPaths(data=tmp_path / "agent")
    paths.data.mkdir()
    engine = ToldRecorder(tmp_path)
    engine.state.uplink.Clear()
    with served_bridge(engine, tmp_path, pairing=ToldPairings(paths, engine)) as bridge:
        yield bridge


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge) -> MainWindow:
    window = shown_window(qtbot, bridge)
    window.show_tab("Coordinator")
    window.pairing.in_file.setChecked(True)
    qtbot.waitUntil(says(window.pairing, "Not paired", "Nothing leaves this PC"))
    return window


def test_a_code_is_sent_only_after_the_fingerprint_was_confirmed(
    qtbot: QtBot, window: MainWindow, coordinator: CoordinatorHere
):
    page = window.pairing
    coordinator.codes.append("ABCD-2345")
    page.address.setText(coordinator.address)
    page.code.setText("abcd2345")
    page.pair.click()

    qtbot.waitUntil(says(page, "Is it the right one?", shown_fingerprint(coordinator.fingerprint)))
    assert coordinator.calls == ["Describe"]
    page.confirm.click()

    qtbot.waitUntil(says(page, "Paired with Here", "of Ada (pro)", "Connected.", "12 chunks of desktop wait"))
    qtbot.waitUntil(page.unpair.isVisible)
    assert not page.address.isVisible()

    page.unpair.click()
    assert says(page, "what still waits is dropped")()
    page.sure.click()
    qtbot.waitUntil(says(page, "Not paired", "Unpaired; 0 chunks"))
    assert coordinator.devices == []


def test_who_does_not_confirm_sends_nothing(qtbot: QtBot, window: MainWindow, coordinator: CoordinatorHere):
    page = window.pairing
    page.address.setText(coordinator.address)
    page.pair.click()
    qtbot.waitUntil(says(page, "Is it the right one?"))
    page.refuse.click()

    assert page.address.isVisible() and page.pair.isEnabled()
    assert coordinator.calls == ["Describe"]


def test_without_a_code_one_is_shown_until_it_is_approved_or_given_up(
    qtbot: QtBot, window: MainWindow, coordinator: CoordinatorHere
):
    page = window.pairing
    coordinator.num_refusals = 1000
    page.address.setText(coordinator.address)
    page.pair.click()
    qtbot.waitUntil(says(page, "Is it the right one?"))
    page.confirm.click()
    qtbot.waitUntil(says(page, "WXYZ-2345", "approved at Here", "10 min"))
    page.give_up.click()
    assert page.address.isVisible()

    coordinator.num_refusals = 0
    page.pair.click()
    qtbot.waitUntil(says(page, "Is it the right one?"), timeout=8000)
    page.confirm.click()
    qtbot.waitUntil(says(page, "Paired with Here"), timeout=8000)


@pytest.mark.parametrize(
    ("address", "words"),
    [("", "Write where the coordinator is"), ("http://a", "https"), ("localhost:1", "nobody answers")],
)
def test_what_fails_says_why_and_the_form_is_there_again(
    qtbot: QtBot, window: MainWindow, address: str, words: str
):
    page = window.pairing
    page.address.setText(address)
    page.pair.click()

    qtbot.waitUntil(lambda: words in texts(page.message))
    qtbot.waitUntil(page.pair.isEnabled)
    assert page.address.isVisible()
