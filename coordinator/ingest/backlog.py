"""Looks, every few seconds, whose work waits, and tells the accounts: one query for all, never one a chunk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import structlog

from coordinator.errors import CoordinatorError
from coordinator.ingest.accounts import Accounts
from coordinator.model.accounts import WaitingWork

log = structlog.get_logger(__name__)

_TIDY_S = 60.0
# With a long backlog the question itself takes its time: it is asked for at most a twentieth of it.
_MIN_REST = 20.0

# Accounts by id; one that has little waiting may be left out.
Waiting: TypeAlias = "Callable[[], Awaitable[Mapping[str, WaitingWork]]]"


async def nothing_waits() -> Mapping[str, WaitingWork]:
    """For a process that knows of no workers."""
    return {}


async def watch_backlog(accounts: Accounts, waiting: Waiting, *, every_s: float) -> None:
    """Look every `every_s` or less often until cancelled. When it cannot be known, nobody is held up for it."""
    tidied_s = time.monotonic()
    while True:
        began_s = time.monotonic()
        try:
            accounts.set_waiting(await waiting())
        except CoordinatorError as exc:
            log.warning("backlog_unknown", problem=str(exc))
            accounts.set_waiting({})
        except Exception:  # the loop's outermost frame
            log.exception("backlog_failed")
            accounts.set_waiting({})
        took_s = time.monotonic() - began_s
        if time.monotonic() - tidied_s >= _TIDY_S:
            tidied_s = time.monotonic()
            await accounts.forget_idle()
        await asyncio.sleep(max(every_s, _MIN_REST * took_s))
