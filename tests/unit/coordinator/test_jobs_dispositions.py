"""What becomes of a job that raised, and when a scheduled one is due."""

from __future__ import annotations

import pytest

from coordinator.errors import (
    AudioUnusable,
    BytesAway,
    DatabaseUnavailable,
    DiskFull,
    JobFailed,
    MediaStalled,
    MediaTooCostly,
    ModelUnavailable,
    NotFound,
    StoreUnavailable,
)
from coordinator.jobs.dispositions import Disposition, problem_of
from coordinator.jobs.schedule import Scheduled, due_job
from coordinator.jobs.work import in_batches, one_by_one


@pytest.mark.parametrize(
    ("error", "disposition", "code"),
    [
        (ModelUnavailable("m"), Disposition.PAUSE, "model_unavailable"),
        (StoreUnavailable("m"), Disposition.PAUSE, "store_unavailable"),
        (DatabaseUnavailable("m"), Disposition.PAUSE, "database_unavailable"),
        (DiskFull("m"), Disposition.PAUSE, "disk_full"),
        (BytesAway("m"), Disposition.PUT_OFF, "bytes_away"),
        (MediaStalled("m"), Disposition.RETRY, "media_stalled"),
        (MediaTooCostly("m"), Disposition.FAIL, "media_too_costly"),
        (AudioUnusable("m"), Disposition.FAIL, "audio_unusable"),
        (NotFound("m"), Disposition.FAIL, "not_found"),
        (JobFailed("cut", "m", retryable=True), Disposition.RETRY, "job_failed"),
        (JobFailed("cut", "m"), Disposition.FAIL, "job_failed"),
        (TimeoutError(), Disposition.RETRY, "timeout"),
        (ZeroDivisionError("m"), Disposition.RETRY, "bug"),
    ],
)
def test_errors_are_judged_by_our_tree(error: Exception, disposition: Disposition, code: str):
    problem = problem_of(error, "export")

    assert (problem.disposition, problem.code) == (disposition, code)
    assert problem.reason


def test_a_failed_jobs_own_stage_and_reason_are_kept():
    problem = problem_of(JobFailed("loudness", "too quiet"), "export")

    assert (problem.stage, problem.reason) == ("loudness", "too quiet")


def test_reasons_are_bounded():
    assert len(problem_of(ValueError("x" * 10_000), "export").reason) == 500


def test_a_period_has_one_key():
    task = Scheduled(name="expire", every_s=60)

    assert due_job(task, 120.0).key == due_job(task, 179.9).key == "cleanup:expire:2"
    assert due_job(task, 180.0).key == "cleanup:expire:3"


def test_a_batch_holds_one_more_batch_ready_and_single_jobs_none():
    async def never(*_: object) -> object:
        raise AssertionError

    assert one_by_one(never, concurrency=3).slots == 3  # type: ignore[arg-type]
    assert in_batches(never, batch=16).slots == 32  # type: ignore[arg-type]
