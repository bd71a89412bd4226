"""The thread that repeats one step."""

from __future__ import annotations

import threading

import pytest

from agent.errors import AgentError, Bug, ScreenUnavailable
from agent.worker import Worker

DEADLINE_S = 5.0


class Counting(Worker):
    """Counts its steps; raises `failure` at the third."""

    def __init__(self, failure=None, on_problem=lambda problem: None):
        super().__init__("counting", on_problem=on_problem)
        self.failure = failure
        self.steps = 0
        self.calls = []
        self.has_stepped = threading.Event()
        self.is_over = threading.Event()

    def set_up(self):
        self.calls.append("set_up")

    def step(self):
        self.steps += 1
        self.has_stepped.set()
        if self.failure is not None and self.steps == 3:
            raise self.failure
        self.wait(60.0 if self.failure is None else 0)

    def tear_down(self):
        self.calls.append("tear_down")
        self.is_over.set()


def test_stop_wakes_a_worker_that_waits_for_a_minute():
    worker = Counting()
    worker.start()
    assert worker.has_stepped.wait(DEADLINE_S)

    assert worker.stop(DEADLINE_S)
    assert not worker.is_running


def test_one_step_runs_without_a_thread():
    worker = Counting()
    worker.request_stop()

    worker.step()

    assert worker.steps == 1


def test_a_worker_tears_down_after_its_last_step():
    worker = Counting()
    worker.start()
    assert worker.has_stepped.wait(DEADLINE_S)
    worker.stop(DEADLINE_S)

    assert worker.calls == ["set_up", "tear_down"]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (ScreenUnavailable("no screen"), ScreenUnavailable),  # ours arrives as it is
        (ZeroDivisionError("oops"), Bug),  # a foreign one is a bug of ours
    ],
)
@pytest.mark.logs("worker_failed")
def test_what_a_step_raises_ends_the_worker_and_reaches_its_owner(failure, expected):
    problems: list[AgentError] = []
    worker = Counting(failure, problems.append)
    worker.start()
    assert worker.is_over.wait(DEADLINE_S)
    worker.stop(DEADLINE_S)

    assert [type(problem) for problem in problems] == [expected]


def test_a_second_start_is_a_bug():
    worker = Counting()
    worker.start()
    try:
        with pytest.raises(Bug, match="counting was started twice"):
            worker.start()
    finally:
        worker.stop(DEADLINE_S)


def test_stop_before_start_is_quiet():
    assert Counting().stop(DEADLINE_S)
