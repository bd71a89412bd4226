"""What the command line does with jobs and queues, on the running installation's database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from coordinator.app.identity_commands import command_pool
from coordinator.app.installation import Installation
from coordinator.model.jobs import Queue

if TYPE_CHECKING:
    from coordinator.jobs.consumers import Unserved
    from coordinator.jobs.desk import Desk
    from coordinator.jobs.pauses import Pause
    from coordinator.jobs.placing import Served, SetPlacement
    from coordinator.model.accounts import Tier


def with_desk(installation: Installation, work: Callable[[Desk], Awaitable[None]]) -> None:
    """Run `work` at the desk. Raises as `command_pool`, and what `work` does."""
    from coordinator.app.working import give_up_effects
    from coordinator.jobs.desk import Desk
    from coordinator.pipeline.endings import reopen_by_queue
    from coordinator.store.rows import PostgresRows

    async def run() -> None:
        async with command_pool(installation) as pool:
            desk = Desk(pool, give_up=give_up_effects(pool), reopen=reopen_by_queue(PostgresRows(pool)))
            await work(desk)

    asyncio.run(run())


def pause_queue(
    installation: Installation, queue: Queue, *, owner: str, reason: str, for_s: float | None
) -> Pause:
    """Let a queue rest for the whole fleet. Raises as `command_pool` and `pauses.pause`."""
    from coordinator.jobs.connections import transaction
    from coordinator.jobs.pauses import pause

    async def run() -> Pause:
        async with command_pool(installation) as pool, transaction(pool, "pausing a queue") as connection:
            return await pause(connection, queue, owner=owner, reason=reason, for_s=for_s)

    return asyncio.run(run())


def resume_queue(installation: Installation, queue: Queue, *, owner: str, is_forced: bool) -> list[str]:
    """Lift an owner's pause, or everybody's; returns whose. Raises as `command_pool` and `pauses.resume`."""
    from coordinator.jobs.connections import transaction
    from coordinator.jobs.pauses import resume

    async def run() -> list[str]:
        async with command_pool(installation) as pool, transaction(pool, "resuming a queue") as connection:
            return await resume(connection, queue, owner=owner, is_forced=is_forced)

    return asyncio.run(run())


def unserved(installation: Installation) -> list[Unserved]:
    """Queues with jobs that are ready and no worker. Raises as `command_pool`."""
    from coordinator.jobs.connections import transaction
    from coordinator.jobs.consumers import unserved_queues

    async def run() -> list[Unserved]:
        async with command_pool(installation) as pool, transaction(pool, "looking at queues") as connection:
            return await unserved_queues(connection)

    return asyncio.run(run())


def list_placements(installation: Installation) -> tuple[list[SetPlacement], list[Served]]:
    """Where jobs of each tier go, and which places live workers serve. Raises as `command_pool`."""
    from coordinator.jobs.connections import transaction
    from coordinator.jobs.placing import placements, served_places

    async def run() -> tuple[list[SetPlacement], list[Served]]:
        async with (
            command_pool(installation) as pool,
            transaction(pool, "looking at placements") as connection,
        ):
            return await placements(connection), await served_places(connection)

    return asyncio.run(run())


def set_placement(installation: Installation, wanted: SetPlacement) -> None:
    """Let the jobs of a tier go elsewhere. Raises as `command_pool`."""
    from coordinator.jobs import placing
    from coordinator.jobs.connections import transaction

    async def run() -> None:
        async with command_pool(installation) as pool, transaction(pool, "placing a tier") as connection:
            await placing.set_placement(connection, wanted)

    asyncio.run(run())


def clear_placement(installation: Installation, tier: Tier, queue: Queue) -> bool:
    """Undo it; False: nobody had set one. Raises as `command_pool`."""
    from coordinator.jobs import placing
    from coordinator.jobs.connections import transaction

    async def run() -> bool:
        async with command_pool(installation) as pool, transaction(pool, "placing a tier") as connection:
            return await placing.clear_placement(connection, tier, queue)

    return asyncio.run(run())
