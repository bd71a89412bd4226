"""Which screen source is taken: by cost, by what is remembered, and what happens when that no longer holds."""

from __future__ import annotations

import json

import pytest

from agent.capture import choose_screen
from agent.capture.choose_screen import groups, list_screens, open_screen
from agent.capture.generated import GeneratedScreen
from agent.capture.screen_cost import ScreenCost, measure, rank
from agent.capture.screen_memory import CostMemory
from agent.errors import ScreenUnavailable
from agent.model.media import CapturedFrame
from protos.timebase import SECOND_NS


def cost(ms: float, *, num_frames: int = 30, num_unique: int = 1) -> ScreenCost:
    return ScreenCost(
        size="64x36", ms_per_frame=ms, num_frames=num_frames, num_expected=30, num_unique=num_unique
    )


@pytest.mark.parametrize(
    ("costs", "order"),
    [
        # the cheapest first
        ({"x11grab": cost(4.0), "mss": cost(1.0)}, ["mss", "x11grab"]),
        # within half a millisecond, or a quarter, the preference decides
        ({"x11grab": cost(1.4), "mss": cost(1.0)}, ["x11grab", "mss"]),
        ({"x11grab": cost(12.0), "mss": cost(10.0)}, ["x11grab", "mss"]),
        # one that gives too few frames comes last, however cheap
        ({"x11grab": cost(0.1, num_frames=20), "mss": cost(9.0)}, ["mss", "x11grab"]),
        # so does one that repeats its pictures where another saw twice as many
        ({"x11grab": cost(1.0, num_unique=10), "mss": cost(9.0, num_unique=29)}, ["mss", "x11grab"]),
        # a still desktop says nothing about that
        ({"x11grab": cost(1.0, num_unique=1), "mss": cost(9.0, num_unique=1)}, ["x11grab", "mss"]),
        ({}, []),
    ],
)
def test_sources_are_ranked_by_cost_then_by_preference(costs, order):
    assert rank(costs, ("x11grab", "mss", "qt")) == order


@pytest.mark.parametrize(
    ("platform", "order"),
    [
        ("linux", (("x11grab", "mss"), ("qt",))),
        ("win32", (("ddagrab",), ("qt",), ("mss",))),
        ("darwin", (("avfoundation",), ("qt",), ("mss",))),
    ],
)
def test_each_platform_has_its_sources_in_the_order_to_try_them(platform, order):
    assert groups(platform) == order


class Ticking:
    """A clock that a sleep moves on."""

    now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep(self, duration_s: float) -> None:
        self.now_ns += round(duration_s * SECOND_NS)


def test_the_self_test_counts_frames_and_the_unique_ones_among_them():
    clock = Ticking()
    moving = GeneratedScreen(64, 36, monotonic_ns=clock.monotonic_ns)

    found = measure(moving, duration_s=1.0, monotonic_ns=clock.monotonic_ns, sleep=clock.sleep)

    assert (found.size, found.num_frames, found.num_expected, found.num_unique) == ("64x36", 30, 30, 30)
    assert found.ms_per_frame >= 0
    with pytest.raises(ScreenUnavailable):
        moving.grab()


class StillScreen(GeneratedScreen):
    """Shows the same picture for ever."""

    def grab(self) -> CapturedFrame:
        self._number = 0
        return CapturedFrame(monotonic_ns=super().grab().monotonic_ns, picture=self.picture)

    def open(self):
        size = super().open()
        self.picture = super().grab().picture
        return size


def test_a_still_picture_is_one_unique_frame():
    clock = Ticking()
    still = StillScreen(64, 36, monotonic_ns=clock.monotonic_ns)

    assert measure(still, duration_s=1.0, monotonic_ns=clock.monotonic_ns, sleep=clock.sleep).num_unique == 1


class CountedScreen(GeneratedScreen):
    """Counts how often it was opened; fails on demand."""

    def __init__(self, name: str) -> None:
        super().__init__(64, 36)
        self.name = name
        self.num_grabs = 0
        self.problem = ""
        self.says = ""

    def probe(self) -> str:
        return self.says

    def open(self):
        if self.problem:
            raise ScreenUnavailable(self.problem)
        return super().open()

    def grab(self):
        self.num_grabs += 1
        return super().grab()


@pytest.fixture
def screens(monkeypatch):
    made = {name: CountedScreen(name) for name in ("x11grab", "mss", "qt")}
    monkeypatch.setattr(
        choose_screen,
        "_makers",
        lambda _area, _is_cursor_shown: {name: lambda screen=screen: screen for name, screen in made.items()},
    )
    monkeypatch.setattr(choose_screen, "groups", lambda: (("x11grab", "mss"), ("qt",)))
    monkeypatch.setattr(choose_screen, "SELF_TEST_S", 0.1)
    monkeypatch.setattr(
        choose_screen, "machine_facts", lambda _area, is_cursor_shown: {"cursor": str(is_cursor_shown)}
    )
    return made


def remember(path, ms: dict[str, float]) -> None:
    CostMemory(path, {"cursor": "True"}).remember({name: cost(value) for name, value in ms.items()})


def test_the_first_start_measures_and_remembers(screens, tmp_path):
    chosen = open_screen(memory_file=tmp_path / "screens.json")

    kept = json.loads((tmp_path / "screens.json").read_text())
    assert chosen.name in ("x11grab", "mss")
    assert set(kept["costs"]) == {"x11grab", "mss"}
    assert screens["qt"].num_grabs == 0


def test_what_is_remembered_is_tried_once_and_taken(screens, tmp_path):
    remember(tmp_path / "screens.json", {"x11grab": 9.0, "mss": 1.0})

    assert open_screen(memory_file=tmp_path / "screens.json").name == "mss"
    assert (screens["mss"].num_grabs, screens["x11grab"].num_grabs) == (1, 0)


def test_another_machine_or_setting_is_measured_anew(screens, tmp_path):
    remember(tmp_path / "screens.json", {"x11grab": 9.0, "mss": 1.0})

    open_screen(memory_file=tmp_path / "screens.json", is_cursor_shown=False)

    assert min(screens["mss"].num_grabs, screens["x11grab"].num_grabs) > 1


def test_a_remembered_source_that_fails_is_measured_against_the_others_again(screens, tmp_path):
    remember(tmp_path / "screens.json", {"x11grab": 9.0, "mss": 1.0})
    screens["mss"].problem = "no permission"

    assert open_screen(memory_file=tmp_path / "screens.json").name == "x11grab"
    assert screens["x11grab"].num_grabs > 1


@pytest.mark.parametrize("content", [b"", b"{", b'{"facts": 3}', b"\xff\xfe"])
def test_a_memory_that_cannot_be_read_is_made_anew(screens, tmp_path, content):
    (tmp_path / "screens.json").write_bytes(content)

    open_screen(memory_file=tmp_path / "screens.json")

    assert json.loads((tmp_path / "screens.json").read_text())["costs"]


def test_a_memory_that_cannot_be_written_stops_nobody(screens, tmp_path):
    assert open_screen(memory_file=tmp_path / "missing" / "screens.json").name in ("x11grab", "mss")


def test_qt_is_the_last_resort(screens):
    screens["x11grab"].says = "this is XWayland"
    screens["mss"].says = "this is XWayland"

    assert open_screen().name == "qt"


def test_where_nothing_works_each_says_why(screens):
    screens["x11grab"].says = "this is XWayland"
    screens["mss"].problem = "no permission"
    screens["qt"].says = "no portal"

    with pytest.raises(
        ScreenUnavailable, match=r"x11grab: this is XWayland; mss: no permission; qt: no portal"
    ):
        open_screen()


def test_devices_show_what_each_costs_and_why_one_does_not_work(screens, tmp_path):
    remember(tmp_path / "screens.json", {"x11grab": 1.0, "mss": 3.0})
    screens["mss"].problem = "no permission"

    listed = {screen.name: screen for screen in list_screens(memory_file=tmp_path / "screens.json")}

    assert listed["x11grab"].cost_ms == 1.0 and "1.0 ms of CPU a frame" in listed["x11grab"].detail
    assert listed["x11grab"].is_default
    assert listed["mss"].problem == "no permission"
    assert listed["qt"].is_usable and "not measured" in listed["qt"].detail
    assert screens["qt"].num_grabs == 0


def test_qt_is_measured_where_it_is_the_one_wanted(screens):
    listed = {screen.name: screen for screen in list_screens("qt")}

    assert "64x36" in listed["qt"].detail
    assert screens["qt"].num_grabs > 1
