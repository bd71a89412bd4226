"""What becomes of a job that raised. Pure."""

from __future__ import annotations

import dataclasses
import enum

from coordinator.errors import (
    BytesAway,
    CoordinatorError,
    EnvironmentProblem,
    JobFailed,
    SpeechBusy,
    WordsLate,
)

MAX_REASON_CHARACTERS = 500


class Disposition(enum.Enum):
    """What is done with the job."""

    PAUSE = enum.auto()  # what it depends on is down: the queue rests, no attempt is burnt
    PUT_OFF = enum.auto()  # what this one job needs is away: it alone waits, no attempt is burnt
    RETRY = enum.auto()  # another attempt, later
    FAIL = enum.auto()  # no attempt can help


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a job did not end well.

    Attributes:
        code: the error's stable name.
        rest_s: how long its queue rests at least, or how long this one job is put off; 0: as is usual.
    """

    disposition: Disposition
    stage: str
    reason: str
    code: str
    rest_s: float = 0.0


def problem_of(error: BaseException, stage: str) -> Problem:
    """Judge an error by our tree; what is not in it may be a passing fault, and is tried again."""
    reason = str(error).strip()
    code = getattr(error, "code", "bug") if isinstance(error, CoordinatorError) else "bug"
    if isinstance(error, EnvironmentProblem):
        disposition = Disposition.PAUSE
    elif isinstance(error, BytesAway):
        disposition = Disposition.PUT_OFF
    elif isinstance(error, CoordinatorError):
        disposition = Disposition.RETRY if error.retryable else Disposition.FAIL
    elif isinstance(error, TimeoutError):
        disposition, code = Disposition.RETRY, "timeout"
        reason = f"it took too long{': ' + reason if reason else ''}"
    else:
        disposition = Disposition.RETRY
        reason = f"{type(error).__name__}: {reason}"
    if isinstance(error, JobFailed):
        stage, reason = error.stage, error.reason
    return Problem(
        disposition=disposition,
        stage=stage,
        reason=(reason or type(error).__name__)[:MAX_REASON_CHARACTERS],
        code=code,
        rest_s=error.retry_after_s if isinstance(error, SpeechBusy | WordsLate) else 0.0,
    )
