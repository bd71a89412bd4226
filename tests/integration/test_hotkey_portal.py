"""The hotkey of a Wayland desktop, against a portal that answers as the specification says. No real desktop ran it."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import EnvironmentProblem, InputUnusable
from agent.trigger.choose import FirstHotkey
from agent.trigger.combination import parse_combination
from agent.trigger.hotkey_macos import key_code
from agent.trigger.hotkey_portal import PortalHotkey, portal_trigger
from agent.trigger.hotkey_windows import virtual_key
from tests.fakes.desktop_here import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="D-Bus")
portal = pytest.importorskip("tests.fakes.portal") if sys.platform == "linux" else None
needs_bus = pytest.mark.skipif(portal is None or portal.MISSING_DAEMON, reason="not installed: dbus-daemon")


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    with portal.PrivateBus(tmp_path) as running:
        yield running.address


@needs_bus
def test_the_portals_key_is_heard_down_and_up_and_no_other(bus: str):
    events: queue.Queue[tuple[str, int]] = queue.Queue()
    with portal.Portal(bus) as desktop:
        hotkey = PortalHotkey(parse_combination("Ctrl+Shift+F10"), bus)
        hotkey.start(lambda at_ns: events.put(("down", at_ns)), lambda at_ns: events.put(("up", at_ns)))
        assert desktop.bound.wait(10)
        now_ms = time.monotonic_ns() // 1_000_000
        desktop.tell("Activated", now_ms, shortcut="another")
        desktop.tell("Activated", now_ms - 40)
        desktop.tell("Deactivated", 5)  # a desktop with another clock

        heard = [events.get(timeout=10) for _ in range(2)]
        hotkey.stop()

    assert [kind for kind, _ in heard] == ["down", "up"]
    assert abs(heard[0][1] // 1_000_000 - (now_ms - 40)) <= 1
    assert now_ms <= heard[1][1] // 1_000_000
    assert desktop.wanted[0][1]["preferred_trigger"] == ("s", "CTRL+SHIFT+F10")
    assert events.empty()


@needs_bus
@pytest.mark.logs("hotkey_refused")
def test_a_key_that_the_user_does_not_grant_is_told(bus: str, no_unannounced_warning):
    with portal.Portal(bus, is_granted=False) as desktop:
        hotkey = PortalHotkey(parse_combination("F8"), bus)
        hotkey.start(lambda _at_ns: None)
        assert desktop.bound.wait(10)

        assert wait_until(lambda: no_unannounced_warning.names == ["hotkey_refused"])
        hotkey.stop()


@needs_bus
@pytest.mark.logs("hotkey_lost")
def test_a_desktop_that_goes_away_is_told(tmp_path: Path, no_unannounced_warning):
    with portal.PrivateBus(tmp_path) as running, portal.Portal(running.address) as desktop:
        hotkey = PortalHotkey(parse_combination("F8"), running.address)
        hotkey.start(lambda _at_ns: None)
        assert desktop.bound.wait(10)

    assert wait_until(lambda: no_unannounced_warning.names == ["hotkey_lost"])
    hotkey.stop()


@needs_bus
def test_a_desktop_without_the_portal_is_told_with_what_to_do(bus: str):
    with pytest.raises(EnvironmentProblem, match=r"no portal for global hotkeys.*clippy clip"):
        PortalHotkey(parse_combination("F8"), bus).start(lambda _at_ns: None)


def test_without_a_bus_the_message_says_what_to_do(tmp_path: Path):
    with pytest.raises(EnvironmentProblem, match="clippy clip"):
        PortalHotkey(parse_combination("F8"), f"unix:path={tmp_path / 'none'}").start(lambda _at_ns: None)


class Told:
    """A hotkey that starts, or says why not."""

    def __init__(self, *, has_release: bool, problem: str = "") -> None:
        self.has_release = has_release
        self.problem = problem
        self.is_started = False

    def start(self, on_press, on_release=None) -> None:
        if self.problem:
            raise EnvironmentProblem(self.problem)
        self.is_started = True

    def stop(self) -> None:
        self.is_started = False


@pytest.mark.logs("hotkey_heard_in_x11_windows_only")
def test_the_next_hotkey_is_taken_where_the_first_cannot_be_had():
    second = Told(has_release=False)
    hotkey = FirstHotkey([Told(has_release=True, problem="no portal"), second])

    hotkey.start(lambda _at_ns: None)

    assert (second.is_started, hotkey.has_release) == (True, False)
    hotkey.stop()
    assert not second.is_started


@pytest.mark.parametrize(
    ("text", "trigger", "windows", "mac"),
    [
        ("Ctrl+Shift+F10", "CTRL+SHIFT+F10", 0x79, 0x6D),
        ("Super+s", "LOGO+s", 0x53, 0x01),
        ("Alt+Home", "ALT+Home", 0x24, 0x73),
        ("F20", "F20", 0x83, 0x5A),
        ("Ctrl+0", "CTRL+0", 0x30, 0x1D),
    ],
)
def test_a_combination_has_its_name_on_each_desktop(text: str, trigger: str, windows: int, mac: int):
    combination = parse_combination(text)

    assert portal_trigger(combination) == trigger
    assert virtual_key(combination.key) == windows
    assert key_code(combination.key) == mac


@pytest.mark.parametrize("find", [virtual_key, key_code])
def test_a_key_that_no_keyboard_has_is_refused_by_name(find):
    with pytest.raises(InputUnusable, match="'Hyperspace'"):
        find("Hyperspace")
