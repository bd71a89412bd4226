"""The global hotkey, with real key presses on a real X server."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from agent.config import Config, Trigger
from agent.engine.desking import listen
from agent.errors import EnvironmentProblem, HotkeyTaken, InputUnusable
from agent.trigger.choose import open_hotkey
from agent.trigger.combination import parse_combination
from agent.trigger.hotkey_x11 import X11Hotkey
from protos.timebase import SECOND_NS
from tests.fakes.desk_here import DeskHere
from tests.fakes.desktop_here import load_packaging, wait_until

pytestmark = pytest.mark.desktop
HEARD_WITHIN_S = 10


@pytest.fixture(autouse=True)
def here(desktop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The desktop, with this process on it."""
    for name, value in desktop.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return desktop


@contextlib.contextmanager
def heard(text: str) -> Iterator[queue.Queue[int]]:
    """The presses of `text`, as they come."""
    presses: queue.Queue[int] = queue.Queue()
    hotkey = X11Hotkey(parse_combination(text))
    hotkey.start(presses.put)
    try:
        yield presses
    finally:
        hotkey.stop()


def run(*command: str) -> str:
    return subprocess.run(
        command, env=os.environ, capture_output=True, text=True, check=True, timeout=20
    ).stdout


def drain(presses: queue.Queue[int], desktop: Any) -> int:
    """How many presses came: ends with a press of its own, so that nothing is still on its way."""
    num_before = 0
    desktop.press_key("F8")
    ends = time.monotonic() + HEARD_WITHIN_S
    marker = presses.get(timeout=HEARD_WITHIN_S)
    while time.monotonic() < ends:
        num_before += 1
        try:
            marker = presses.get(timeout=0.3)
        except queue.Empty:
            return num_before - 1
    raise AssertionError(f"presses do not end; the last at {marker}")


def hotkey_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "hotkey"]


def test_a_press_is_heard_once_and_dated_when_it_happened(here: Any):
    with heard("F8") as presses:
        started_ns = here.press_key("F8")

        pressed_ns = presses.get(timeout=HEARD_WITHIN_S)

        # The server's clock counts whole milliseconds.
        assert started_ns - 1_000_000 <= pressed_ns <= time.monotonic_ns()
        assert drain(presses, here) == 0


def test_the_first_press_of_a_fresh_keyboard_is_not_lost():
    # xdotool's first key makes the server announce a new mapping (MappingNotify).
    with load_packaging("virtual_desktop.py").VirtualDesktop(has_sound=False, has_auth=False) as fresh:
        presses: queue.Queue[int] = queue.Queue()
        hotkey = X11Hotkey(parse_combination("Ctrl+Shift+F10"), fresh.environment["DISPLAY"])
        hotkey.start(presses.put)
        fresh.press_key("ctrl+shift+F10")

        assert presses.get(timeout=HEARD_WITHIN_S)
        hotkey.stop()


def test_a_held_key_is_one_press(here: Any):
    run("xset", "r", "rate", "150", "50")
    with heard("F8") as presses:
        run("xdotool", "keydown", "F8", "sleep", "0.5", "keyup", "F8")

        assert drain(presses, here) == 1


def test_a_held_key_is_one_press_and_one_release_dated_when_it_came_up(here: Any):
    run("xset", "r", "rate", "150", "50")
    events: queue.Queue[tuple[str, int]] = queue.Queue()
    hotkey = X11Hotkey(parse_combination("Ctrl+F8"))
    hotkey.start(lambda at_ns: events.put(("down", at_ns)), lambda at_ns: events.put(("up", at_ns)))
    try:
        # The modifier comes up first, as hands do it.
        run("xdotool", "keydown", "ctrl", "keydown", "F8", "sleep", "0.5", "keyup", "ctrl", "keyup", "F8")

        (down, down_ns), (up, up_ns) = (events.get(timeout=HEARD_WITHIN_S) for _ in range(2))
    finally:
        hotkey.stop()

    assert (down, up, events.qsize()) == ("down", "up", 0)
    assert 490_000_000 <= up_ns - down_ns <= time.monotonic_ns() - down_ns


@pytest.fixture
def pressed(here: Any, tmp_path: Path) -> Iterator[DeskHere]:
    """A desk that saves what the real key F8 says; the match is at its tenth second now."""
    desk = DeskHere(tmp_path, t0_ns=time.monotonic_ns() - 10 * SECOND_NS)
    with contextlib.ExitStack() as stack:
        stack.callback(desk.close)
        config = Config(trigger=Trigger(hotkey="F8"))
        assert listen(config, desk.desk.presses, stack, warn=pytest.fail) == "F8"
        yield desk


@pytest.mark.parametrize(
    ("keys", "start_s", "length_s"),
    [
        (["key", "F8"], None, 4.0),
        (["key", "--delay", "60", "F8", "F8"], None, 8.0),
        (["key", "--delay", "60", "F8", "F8", "F8"], 0.0, None),  # everything from the match's start on
        (["keydown", "F8", "sleep", "0.9", "keyup", "F8"], None, 0.9),
        (["key", "F8", "sleep", "0.9", "key", "F8"], None, 4.9),
    ],
    ids=["tap", "double", "triple", "hold", "extend"],
)
def test_real_keys_make_one_clip_of_the_right_length(
    pressed: DeskHere, keys: list[str], start_s: float | None, length_s: float | None
):
    run("xset", "r", "rate", "150", "50")

    run("xdotool", *keys)

    def is_right() -> bool:
        clips = pressed.library.clips()
        # Beside the sleeps, xdotool takes some milliseconds for each of its words.
        return (
            len(clips) == 1
            and (length_s is None or 0 <= (clips[0].end_ns - clips[0].start_ns) / SECOND_NS - length_s < 0.3)
            and (start_s is None or clips[0].start_ns / SECOND_NS == start_s)
        )

    assert wait_until(is_right), pressed.library.clips()
    assert pressed.sounds.count("heard") == keys.count("F8") - keys.count("keyup")


def test_each_of_three_presses_within_a_millisecond_counts(here: Any):
    with heard("F8") as presses:
        run("xdotool", "key", "--delay", "0", "F8", "F8", "F8")

        assert drain(presses, here) == 3


@pytest.mark.parametrize("lock", ["Caps_Lock", "Num_Lock"])
def test_the_key_works_while_a_lock_is_on(here: Any, lock: str):
    def is_on() -> bool:
        return f"{lock.replace('_', ' ')}: on" in " ".join(run("xset", "q").split())

    here.press_key(lock)
    assert wait_until(is_on)
    try:
        with heard("Shift+F8") as presses:
            here.press_key("shift+F8")

            assert presses.get(timeout=HEARD_WITHIN_S)
    finally:
        here.press_key(lock)


def test_other_keys_and_other_modifiers_are_not_heard(here: Any):
    with heard("F8") as presses:
        for keys in ("F7", "ctrl+F8", "shift+F8", "a"):
            here.press_key(keys)

        assert drain(presses, here) == 0


@pytest.mark.logs("hotkey_not_on_layout")
def test_a_key_that_moves_on_the_keyboard_is_followed(here: Any):
    with heard("F8") as presses:
        try:
            run("xmodmap", "-e", "keycode 74 = F7", "-e", "keycode 73 = F8")
            # The new place is grabbed a moment after the server announced it.
            assert wait_until(lambda: here.press_key("F8") and not presses.empty())
        finally:
            run("xmodmap", "-e", "keycode 73 = F7", "-e", "keycode 74 = F8")


def test_a_key_that_another_program_holds_is_named():
    with heard("Ctrl+F8"), pytest.raises(HotkeyTaken, match=r"Ctrl\+F8.*trigger\.hotkey"):
        X11Hotkey(parse_combination("Ctrl+F8")).start(lambda _pressed_ns: None)


def test_a_key_that_was_given_back_can_be_had_again(here: Any):
    with heard("F8"):
        pass

    with heard("F8") as presses:
        here.press_key("F8")
        assert presses.get(timeout=HEARD_WITHIN_S)


def test_a_key_that_no_keyboard_has_is_refused_by_name():
    with pytest.raises(InputUnusable, match="'Hyperspace'"):
        open_hotkey("Ctrl+Hyperspace").start(lambda _pressed_ns: None)


def test_a_key_is_found_however_its_name_is_written(here: Any):
    with heard("print") as presses:
        here.press_key("Print")

        assert presses.get(timeout=HEARD_WITHIN_S)


# python-xlib leaves the sockets it tried to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_display_that_does_not_answer_is_named():
    with pytest.raises(EnvironmentProblem, match=r":987.*clippy clip"):
        X11Hotkey(parse_combination("F8"), ":987").start(lambda _pressed_ns: None)


def test_without_a_display_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DISPLAY")

    with pytest.raises(EnvironmentProblem, match="clippy clip --last 30"):
        open_hotkey("F8")


def test_a_callback_that_fails_costs_no_further_press(here: Any):
    presses: queue.Queue[int] = queue.Queue()

    def fail_once(pressed_ns: int) -> None:
        presses.put(pressed_ns)
        if presses.qsize() == 1:
            raise RuntimeError("told to")

    hotkey = X11Hotkey(parse_combination("F8"))
    with structlog.testing.capture_logs() as lines:
        hotkey.start(fail_once)
        here.press_key("F8")
        here.press_key("F8")
        assert wait_until(lambda: presses.qsize() == 2)
        hotkey.stop()

    assert [line["event"] for line in lines] == ["press_failed"]


def test_stop_wakes_the_listener_and_may_be_called_twice():
    hotkey = X11Hotkey(parse_combination("F8"))
    hotkey.start(lambda _pressed_ns: None)

    hotkey.stop()
    hotkey.stop()

    assert hotkey_threads() == []


def test_a_server_that_dies_ends_the_listener_with_a_line_in_the_log():
    with (
        load_packaging("virtual_desktop.py").VirtualDesktop(has_sound=False, has_auth=False) as doomed,
        structlog.testing.capture_logs() as lines,
    ):
        hotkey = X11Hotkey(parse_combination("F8"), doomed.environment["DISPLAY"])
        hotkey.start(lambda _pressed_ns: None)
        doomed.stop()

        assert wait_until(lambda: not hotkey_threads())
        hotkey.stop()

    assert [line["event"] for line in lines] == ["hotkey_lost"]
