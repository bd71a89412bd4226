"""Is the line metered? As NetworkManager says it, over a real D-Bus daemon; and the watch that tells of changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent.engine.line_watch import LineWatch, look_at_line
from agent.uplink.metered import is_metered
from agent.uplink.thrift import LineState

portal = pytest.importorskip("tests.fakes.portal") if sys.platform == "linux" else None
needs_bus = pytest.mark.skipif(portal is None or portal.MISSING_DAEMON, reason="not installed: dbus-daemon")


@needs_bus
@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, None), (1, True), (2, False), (3, True), (4, False), (None, None)],
    ids=["unknown", "yes", "no", "guessed yes", "guessed no", "an error"],
)
def test_network_manager_is_believed(tmp_path: Path, value: int | None, expected: bool | None):
    from tests.fakes.network_manager import NetworkManagerHere

    with portal.PrivateBus(tmp_path) as bus, NetworkManagerHere(bus.address, value):
        assert is_metered("linux", bus=bus.address) is expected


@needs_bus
def test_without_network_manager_nobody_knows(tmp_path: Path):
    with portal.PrivateBus(tmp_path) as bus:
        assert is_metered("linux", bus=bus.address) is None


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_without_a_bus_nobody_knows(tmp_path: Path, platform: str):
    assert is_metered(platform, bus=f"unix:path={tmp_path / 'nobody'}") is None


def test_what_the_user_says_of_the_line_counts():
    assert look_at_line("yes").is_metered
    assert not look_at_line("no").is_metered


def test_the_watch_tells_the_first_look_and_then_only_changes():
    looks = iter([LineState(), LineState(), LineState(is_metered=True)])
    told: list[LineState] = []
    watch = LineWatch("auto", told.append, look=lambda _metered: next(looks))
    watch.request_stop()  # its waits end at once

    for _ in range(3):
        watch.step()

    assert told == [LineState(), LineState(is_metered=True)]
