"""What the command line shows of what expires, and keeps of it, on the running installation's database."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

from coordinator.app.identity_commands import command_pool

if TYPE_CHECKING:
    from coordinator.app.installation import Installation

_NUM_DAYS = 7


def retention_state(installation: Installation) -> dict[str, Any]:
    """The rules, what is overdue, and what went of late. Raises as `command_pool`."""
    from coordinator.store.retention import PostgresExpiry

    hours = installation.config.retention.hours_by_tier

    async def run() -> dict[str, Any]:
        async with command_pool(installation) as pool:
            return {"hours": hours, **await PostgresExpiry(pool, hours).state(_NUM_DAYS)}

    return asyncio.run(run())


def retention_preview(installation: Installation, limit: int) -> dict[str, Any]:
    """What the next rounds would delete, by session, the oldest first. Raises as `command_pool`."""
    from coordinator.store.retention import PostgresExpiry

    async def run() -> dict[str, Any]:
        async with command_pool(installation) as pool:
            expiry = PostgresExpiry(pool, installation.config.retention.hours_by_tier)
            found = [dataclasses.asdict(one) for one in await expiry.preview(limit)]
        names = [name for name in (found[0] if found else ()) if name.startswith("num_")]
        for one in found:
            del one["is_finished"]
        return {
            "sessions": found,
            "total": {name: sum(one[name] for one in found) for name in names},
            "is_all": len(found) < limit,
        }

    return asyncio.run(run())


def keep_moment(installation: Installation, moment_id: str, *, is_kept: bool) -> dict[str, Any]:
    """Keep a moment with all that was made of it, or let it go, as its streamer does. Raises also NotFound."""
    from coordinator.taste.verdicts import PostgresTastes

    async def run() -> dict[str, Any]:
        async with command_pool(installation) as pool:
            session_id = await PostgresTastes(pool).judge(moment_id, "keep" if is_kept else "undo")
            return {"moment_id": moment_id, "session_id": session_id, "is_kept": is_kept}

    return asyncio.run(run())
