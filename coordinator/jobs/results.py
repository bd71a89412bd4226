"""Waiting for how a job ends, with a deadline."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING

from coordinator.errors import DatabaseUnavailable, WaitTimeout
from coordinator.jobs.connections import transaction
from coordinator.model.jobs import Progress, untold
from coordinator.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.jobs", "desk.sql")
RESULT_TIMEOUT_S = 30.0
# Most jobs that somebody waits for end soon; a long one costs one look a second.
_FIRST_LOOK_S = 0.05
_SLOWEST_LOOK_S = 1.0
_SLOWER = 1.5
_ENDED = ("done", "failed", "cancelled")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How a job ended: done, failed or cancelled; where, why and by which code, if it did not end well."""

    key: str
    state: str
    stage: str
    reason: str
    code: str


async def wait_for_result(
    pool: asyncpg.Pool, key: str, *, timeout_s: float = RESULT_TIMEOUT_S, on_progress: Progress = untold
) -> JobResult:
    """Wait until the job of `key` has ended, whoever works it.

    Args:
        on_progress: told each time that the job is further, while it is waited for.

    Raises:
        WaitTimeout: It has not ended within `timeout_s`; it goes on, and the message says how far it is.
    """
    deadline = time.monotonic() + timeout_s
    delay_s, seen, found = _FIRST_LOOK_S, (None, ""), "nobody has started it"
    while True:
        try:
            async with transaction(pool, "waiting for a job") as connection:
                row = await connection.fetchrow(SQL["result"], key)
        except DatabaseUnavailable as exc:
            # A server that starts again keeps what it knew.
            row, found = None, str(exc)
        if row is not None:
            if row["state"] in _ENDED:
                return JobResult(
                    key=key, state=row["state"], stage=row["stage"], reason=row["reason"], code=row["code"]
                )
            present = (row["progress"], row["progress_words"])
            found = f"it is {row['state']}{f': {present[1]}' if present[1] else ''}"
            if present != seen and present[0] is not None:
                on_progress(*present)
            seen = present
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise WaitTimeout(f"job {key} has not ended after {timeout_s:g} s: {found}; wait for it again")
        await asyncio.sleep(min(delay_s, left_s))
        delay_s = min(delay_s * _SLOWER, _SLOWEST_LOOK_S)
