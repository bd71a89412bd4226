"""When a step is taken and when it is given back: tables, no clock, no thread."""

from __future__ import annotations

import itertools

import pytest

from agent.encode.ladder import MAX_PATIENCE_NS, LadderState, Tally, next_state
from agent.encode.quality import Quality, fitted_size, plans_of
from protos.timebase import SECOND_NS

RATE = 30
NUM_STEPS = 3


class Machine:
    """A ladder that is looked at once a second of its own clock."""

    def __init__(self) -> None:
        self.state = LadderState()
        self.num_ticks = self.num_lost = self.second = 0
        self.levels: list[tuple[int, int]] = []  # (second, level) of each change

    def run(self, seconds, *, lost_a_second=0, ticks_a_second=RATE, look_s=1):
        """Let time pass; returns itself."""
        for _ in range(seconds):
            self.second += look_s
            self.num_ticks += ticks_a_second
            self.num_lost += lost_a_second
            tally = Tally(at_ns=self.second * SECOND_NS, num_ticks=self.num_ticks, num_lost=self.num_lost)
            before = self.state.level
            self.state = next_state(self.state, tally, num_steps=NUM_STEPS)
            if self.state.level != before:
                self.levels.append((self.second, self.state.level))
        return self

    @property
    def level(self):
        return self.state.level


@pytest.mark.parametrize(
    ("lost_a_second", "expected_level"),
    [
        (0, 0),
        (0.5, 0),  # 1.7 %
        (0.7, 1),  # 2.3 %
        (30, 1),  # everything; still one step
    ],
)
def test_more_than_two_percent_over_five_seconds_cost_one_step(lost_a_second, expected_level):
    assert Machine().run(7, lost_a_second=lost_a_second).level == expected_level


def test_less_than_five_seconds_are_not_judged():
    assert Machine().run(5, lost_a_second=10).level == 0


def test_a_machine_that_stays_too_slow_takes_a_step_each_five_seconds_down_to_the_last():
    machine = Machine().run(40, lost_a_second=5)

    assert machine.levels == [(6, 1), (11, 2), (16, 3)]


@pytest.mark.parametrize("bad_seconds", [1, 2])
def test_one_stroke_costs_no_step_however_much_it_lost(bad_seconds):
    assert Machine().run(20).run(bad_seconds, lost_a_second=RATE).run(10).level == 0


def test_the_reason_says_how_much_was_lost():
    assert Machine().run(6, lost_a_second=3).state.reason == "10.0% of the ticks were lost over 5 s"


def test_a_step_comes_back_after_sixty_clean_seconds_and_the_next_after_sixty_more():
    machine = Machine().run(11, lost_a_second=5)
    assert machine.level == 2

    machine.run(130)

    assert machine.levels[2:] == [(71, 1), (131, 0)]
    assert machine.state.reason == ""


def test_loss_between_one_and_two_percent_neither_takes_nor_gives():
    machine = Machine().run(6, lost_a_second=5).run(200, lost_a_second=0.45)

    assert machine.level == 1


def test_one_bad_second_starts_the_sixty_anew():
    machine = Machine().run(6, lost_a_second=5).run(50).run(1, lost_a_second=2.5).run(55)
    assert machine.level == 1

    machine.run(15)

    assert machine.level == 0


def test_a_step_that_had_to_be_taken_again_waits_twice_as_long_each_time():
    machine = Machine()
    # a machine that never manages more than level 1: whenever the step is given back, it is slow again
    for _ in range(3600):
        machine.run(1, lost_a_second=0 if machine.level else 3)

    given_back = [second for second, level in machine.levels if level == 0]
    waits = [later - earlier for earlier, later in itertools.pairwise(given_back)]
    assert waits == sorted(waits)
    assert [round(wait / 60) for wait in waits[:3]] == [2, 4, 8]


def test_the_wait_has_an_end():
    machine = Machine()
    machine.state = LadderState(patience_ns=MAX_PATIENCE_NS, given_back_ns=SECOND_NS)

    machine.run(6, lost_a_second=3)

    assert machine.state.patience_ns == MAX_PATIENCE_NS


def test_a_step_taken_long_after_the_last_was_given_back_waits_the_usual_time():
    machine = Machine().run(6, lost_a_second=5).run(60)
    assert machine.level == 0

    machine.run(1000).run(3, lost_a_second=5)
    assert machine.level == 1
    machine.run(65)

    assert machine.level == 0


def test_a_screen_that_is_away_is_neither_lost_nor_clean():
    machine = Machine().run(6, lost_a_second=5).run(500, ticks_a_second=0)

    assert (machine.level, machine.state.loss) == (1, 0.0)


def test_what_passed_while_the_machine_slept_is_not_judged():
    machine = Machine().run(4).run(1, lost_a_second=300, ticks_a_second=300, look_s=10).run(3)

    assert machine.level == 0


def test_fewer_steps_than_were_taken_bring_the_ladder_back_onto_itself():
    machine = Machine().run(17, lost_a_second=5)

    state = next_state(machine.state, Tally(at_ns=99 * SECOND_NS, num_ticks=9999, num_lost=0), num_steps=1)

    assert state.level == 1


@pytest.mark.parametrize(
    ("quality", "size", "steps"),
    [
        # the default: nothing but the size can go
        (Quality(), (1920, 1080), ["720p instead of 1080p"]),
        (Quality(), (1280, 720), []),
        (Quality(frame_rate=60), (1920, 1080), ["30 fps instead of 60", "720p instead of 1080p"]),
        # in this order: preset, proxy, frame rate, size
        (
            Quality(frame_rate=60, preset="veryfast", has_proxy=True, tier="business"),
            (3840, 2160),
            [
                "preset superfast instead of veryfast",
                "preset ultrafast instead of superfast",
                "no proxy",
                "30 fps instead of 60",
                "1080p instead of 2160p",
                "720p instead of 1080p",
            ],
        ),
        # a tier's bound is where the ladder begins
        (Quality(tier="free"), (3840, 2160), []),
        (Quality(frame_rate=60, can_step_down=False), (1920, 1080), []),
    ],
)
def test_the_ladder_has_the_steps_that_there_are(quality, size, steps):
    plans = plans_of(quality, *size)

    assert [list(plan.taken) for plan in plans] == [steps[:count] for count in range(len(steps) + 1)]


@pytest.mark.parametrize(
    ("size", "bound", "expected"),
    [
        ((1920, 1080), None, (1920, 1080)),
        ((1921, 1081), None, (1920, 1080)),  # 4:2:0 has no odd sizes
        ((3840, 2160), (1920, 1080), (1920, 1080)),
        ((2560, 1440), (1920, 1080), (1920, 1080)),
        ((1366, 768), (1280, 720), (1280, 720)),
        ((3440, 1440), (1920, 1080), (1920, 804)),  # ultra-wide keeps its shape
        ((1024, 768), (1280, 720), (960, 720)),
        ((640, 480), (1280, 720), (640, 480)),  # never enlarged
        ((1080, 1920), (1280, 720), (720, 1280)),  # an upright screen, turned
        ((4000, 3), (1280, 720), (1280, 2)),
    ],
)
def test_a_picture_is_fitted_into_its_bound_with_its_shape_kept(size, bound, expected):
    assert fitted_size(*size, bound) == expected
