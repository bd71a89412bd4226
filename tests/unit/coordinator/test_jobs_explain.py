"""Any job in words, and what to do about each way to fail."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from coordinator.errors import CoordinatorError
from coordinator.jobs.explain import JobFacts, LineFacts, Rest, explain, explain_line, span
from coordinator.jobs.numbers import behind_s, is_press, priority_of, top_of
from coordinator.jobs.pauses import Pause
from coordinator.model.jobs import Priority, Queue
from coordinator.policy.remedies import REMEDIES, remedy_of

NOW = datetime.datetime(2026, 3, 14, 13, 30, tzinfo=datetime.UTC)
SERVED: dict[str, Any] = {"queue": "transcription", "num_workers": 2, "num_ready": 120, "oldest_age_s": 14.2}


def paused(owner: str, reason: str, minutes: float | None) -> Pause:
    until = None if minutes is None else NOW + datetime.timedelta(minutes=minutes)
    return Pause(queue=Queue.TRANSCRIPTION, owner=owner, reason=reason, paused_at=NOW, until=until)


def job(state: str, **more: Any) -> JobFacts:
    return JobFacts(**{"key": "stt:1", "state": state, "queue": "transcription", **more})


@pytest.mark.parametrize(
    ("facts", "line", "words"),
    [
        (job("waiting", place_in_line=3), SERVED, "waiting: third in line of 120, oldest 14 s"),
        (job("waiting", place_in_line=112), SERVED, "waiting: 112th in line of 120, oldest 14 s"),
        (job("waiting", place_in_line=22), SERVED, "waiting: 22nd in line of 120, oldest 14 s"),
        (job("waiting"), SERVED, "waiting: in a line of 120, oldest 14 s"),
        (job("waiting", due_in_s=60), SERVED, "waiting: due in 60 s"),
        (
            job("waiting", due_in_s=45, is_low=True, tier="free"),
            SERVED,
            "waiting: due in 45 s, put off while its queue is busy",
        ),
        (
            job("waiting", place_in_line=3, behind_s=90),
            SERVED,
            "waiting: third in line of 120, oldest 14 s, 90 s behind because its account asks for much",
        ),
        (
            job("waiting", route="transcription@small", is_served=False),
            SERVED,
            "waiting: no worker serves transcription@small",
        ),
        (job("waiting"), {**SERVED, "num_workers": 0}, "waiting: no worker serves transcription"),
        (
            job("waiting"),
            {**SERVED, "rest": Rest(reason="no speech model", resumes_in_s=14.0)},
            "waiting: no speech model, resumes in 14 s",
        ),
        (
            job("waiting"),
            {**SERVED, "rest": Rest(reason="no speech model", resumes_in_s=-3.0)},
            "waiting: no speech model, tried again now",
        ),
        (
            job("waiting"),
            {**SERVED, "pauses": [paused("system:limit:groq", "groq limit", 14 / 60)]},
            "waiting: groq limit, resumes in 14 s",
        ),
        (
            job("waiting"),
            {**SERVED, "pauses": [paused("operator:ann", "maintenance", 35)]},
            "waiting: queue paused by operator:ann (maintenance), until 14:05",
        ),
        (
            job("waiting"),
            {**SERVED, "pauses": [paused("operator:ann", "", 24 * 60)]},
            "waiting: queue paused by operator:ann, until 2026-03-15 13:30",
        ),
        (
            job("waiting"),
            {**SERVED, "pauses": [paused("operator:ann", "", None)]},
            "waiting: queue paused by operator:ann, until it is resumed",
        ),
        (
            job("waiting", due_in_s=8, attempts=3, code="timeout", reason="it took too long"),
            SERVED,
            "put off 8 s after attempt 2 of 4: timeout",
        ),
        (
            job("waiting", due_in_s=8, attempts=2, code="bug", reason="ValueError: x", tier="business"),
            SERVED,
            "put off 8 s after attempt 1 of 5: ValueError: x",
        ),
        (
            job("waiting", due_in_s=15, attempts=1, code="bytes_away", reason="node n2 is silent"),
            SERVED,
            "put off 15 s: node n2 is silent",
        ),
        (
            job("running", age_s=12, worker="node-1", progress=0.4, progress_words="cutting", runs=1),
            SERVED,
            "running for 12 s on node-1, 40 %: cutting",
        ),
        (job("running", age_s=12, runs=1), SERVED, "running for 12 s"),
        (
            job("running", age_s=12, runs=3, attempts=1, worker="n", silent_s=20),
            SERVED,
            "running for 12 s on n; its worker died 2 times before; its worker was last heard of 20 s ago, "
            "another takes it when the lease is over",
        ),
        (
            job("failed", stage="cut", attempts=4, reason="it is empty", code="media_unusable"),
            SERVED,
            f"failed at cut after 4 attempts: it is empty; {remedy_of('media_unusable')}",
        ),
        (
            job("failed", attempts=1, reason="silent", code="audio_unusable"),
            SERVED,
            f"failed at transcription: silent; {remedy_of('audio_unusable')}",
        ),
        (job("done", age_s=180), SERVED, "done 3 min ago"),
        (job("cancelled", age_s=5, cancelled_by="operator:ann"), SERVED, "cancelled by operator:ann 5 s ago"),
        (
            job("lost"),
            SERVED,
            "waiting: it has lost its place in the queue, and gets another within a minute if its rows want it",
        ),
        (job("unknown"), SERVED, "nobody ever asked for this key"),
    ],
)
def test_a_job_is_told_in_words(facts: JobFacts, line: dict[str, Any], words: str):
    assert explain(facts, LineFacts(**line), NOW) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"queue": "export"}, ""),  # empty: that nobody works it keeps nothing
        ({"queue": "export", "num_ready": 1}, "no worker serves export"),
        ({"queue": "export", "num_ready": 1, "num_workers": 1}, ""),
        (
            {"queue": "export", "pauses": [paused("operator:ann", "x", None)]},
            "queue paused by operator:ann (x), until it is resumed",
        ),
    ],
)
def test_a_queue_says_what_keeps_it(line: dict[str, Any], words: str):
    assert explain_line(LineFacts(**line), NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (3 * 86_400, "3 days")],
)
def test_a_length_of_time_is_told_as_people_say_it(seconds: float, words: str):
    assert span(seconds) == words


def tree(error: type[CoordinatorError]) -> set[str]:
    return {error.code}.union(*(tree(child) for child in error.__subclasses__()))


def test_every_error_that_can_end_a_job_has_a_remedy():
    # Beside the tree: what job keeping itself says of a job.
    codes = tree(CoordinatorError) | {"timeout", "poison", "stopping"}

    assert codes - set(REMEDIES) == set()


def test_a_code_of_a_newer_version_has_a_remedy_too():
    assert "jobs retry" in remedy_of("from_the_future")


def test_what_goes_after_presses_is_critical_and_behind_every_press_there_will_be():
    years = [datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2026, 2041)]
    first, last = [math.floor(moment.timestamp()) for moment in years]
    after = top_of(Priority.CRITICAL, is_after_presses=True) - first

    assert top_of(Priority.CRITICAL, 3600.0) - last > after > top_of(Priority.HIGH) - first
    assert priority_of(after) is priority_of(after - (last - first)) is Priority.CRITICAL
    assert [is_press(number) for number in (top_of(Priority.CRITICAL, 3600.0) - last, after)] == [True, False]
    assert behind_s(after, years[0]) == 0.0


@pytest.mark.parametrize("year", [2026, 2033, 2040])
@pytest.mark.parametrize("behind", [0.0, 40.0, 3600.0])
def test_the_engines_numbers_come_back_as_our_priorities_and_what_was_put_behind(year: int, behind: float):
    created = datetime.datetime(year, 7, 1, 12, 30, 15, 999_000, tzinfo=datetime.UTC)
    numbers = {priority: top_of(priority, behind) - math.floor(created.timestamp()) for priority in Priority}

    assert {priority: priority_of(number) for priority, number in numbers.items()} == {
        priority: priority for priority in Priority
    }
    assert {behind_s(number, created) for number in numbers.values()} == {behind}
    assert all(-(2**31) <= number < 2**31 for number in numbers.values())
    assert sorted(numbers, key=lambda priority: -numbers[priority]) == sorted(Priority)
