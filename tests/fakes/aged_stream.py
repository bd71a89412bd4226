"""Streams of accounts of a tier, made older at will, and the rounds that let them expire."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import asyncpg

from coordinator.ingest.roll_up import RollUp, RollUpSettings
from coordinator.ingest.server import LinkServer
from coordinator.model.jobs import Job, NewJob, Queue
from coordinator.model.sessions import Said
from coordinator.pipeline.expire import TASK, Expiring
from coordinator.search.index import PostgresUtterances
from coordinator.store.retention import PostgresExpiry
from coordinator.store.tombstones import PostgresTombstones
from protos.timebase import SECOND_NS
from tests.fakes.forgettable_stream import ForgettableStream
from tests.fakes.link_parts import Site

HOURS = {"free": 12.0, "pro": 48.0, "business": 168.0}
# All that `ForgettableStream` holds; words and tracks go with their chunks.
CHUNKS = [f"{kind}-{seq}" for kind in ("chunk", "word", "track") for seq in range(12)]
MOMENTS = ["moment-5", "moment-45", "moment-95"]

EVERYTHING = [*CHUNKS, *MOMENTS, "press-60"]
# A press is kept, with what was said in its clip.
PRESSED = ["press-60", "chunk-6", "word-6", "track-6"]


async def aged_stream(
    site: Site, server: LinkServer, *, user_id: str = "u1", tier: str = "free", hours: float = 13.0
) -> ForgettableStream:
    """A session that is over and was rolled up, and ended so long ago."""
    stream = ForgettableStream(site=site)
    await stream.fill(server)
    settings = RollUpSettings(max_age_s=0.0, drained_age_s=0.0)
    await RollUp(site.pool, server.spool, site.objects, settings=settings).run_once()
    await site.pool.execute(
        "insert into accounts (user_id, tier) values ($1, $2) on conflict (user_id) do update set tier = $2",
        user_id, tier,
    )  # fmt: skip
    await site.pool.execute(
        "update sessions set user_id = $2, is_over = true, is_live = false where session_id = $1",
        stream.session_id, user_id,
    )  # fmt: skip
    # Its wishes were answered, and are over.
    await site.pool.execute(
        "update source_requests set expires_at = now() where session_id = $1", stream.session_id
    )
    await make_older(site.pool, stream.session_id, hours)
    return stream


async def make_older(pool: asyncpg.Pool, session_id: str, hours: float) -> None:
    """Everything of a session happened so many hours earlier; no clock is touched."""
    age = f"interval '{hours} hours'"
    for statement in (
        f"update sessions set ended_at = coalesce(ended_at, now()) - {age}, expiry_look_at = now()"
        " where session_id = $1",
        f"update chunks set received_at = received_at - {age} where session_id = $1",
        f"update source_requests set expires_at = expires_at - {age}, updated_at = updated_at - {age}"
        " where session_id = $1",
        f"update exports e set created_at = e.created_at - {age}, ready_at = e.ready_at - {age},"
        f" updated_at = e.updated_at - {age} from clips c where c.clip_id = e.clip_id and c.session_id = $1",
        f"update clips set created_at = created_at - {age} where session_id = $1",
    ):
        await pool.execute(statement, session_id)


@dataclasses.dataclass(slots=True, kw_only=True)
class Rounds:
    """Rounds of one process."""

    site: Site
    hours: dict[str, float] = dataclasses.field(default_factory=lambda: dict(HOURS))
    expiry: Any = None
    objects: Any = None
    store_s: float = 60.0
    clock_s: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.expiry = self.expiry or PostgresExpiry(self.site.pool, self.hours)

    async def once(self, *, part: int = 0) -> list[NewJob]:
        """One job of it; returns what it puts behind itself."""
        expiring = Expiring(
            expiry=self.expiry,
            tombstones=PostgresTombstones(self.site.pool),
            objects=self.objects or self.site.objects,
            store_s=self.store_s,
            clock_s=self.clock_s,
        )
        payload: Any = {"task": TASK, "part": part}
        job = Job(job_id=1, queue=Queue.CLEANUP, key="cleanup:retention:7", payload=payload, runs=1)
        effect = await expiring.handle(job)
        async with self.site.pool.acquire() as connection, connection.transaction():
            return list(await effect(connection))


async def say(stream: ForgettableStream, seq: int, text: str) -> None:
    """What was said in a chunk, as the search knows it."""
    said = Said(start_ns=seq * 10 * SECOND_NS, end_ns=(seq + 1) * 10 * SECOND_NS, text=text)
    async with stream.pool.acquire() as connection, connection.transaction():
        await PostgresUtterances().add(connection, stream.session_id, 1, seq, [said])


async def there(stream: ForgettableStream) -> set[str]:
    """What is found of a stream, in rows and in objects.

    Drained segments of the spool are not asked, nor what was said of moments: a taste is learnt from that.
    """
    found = await stream.all_found(EVERYTHING)
    return {
        name
        for name, places in found.items()
        if any(not place.startswith("spool") and place != "verdicts" for place in places)
    }


async def objects_of(stream: ForgettableStream) -> set[str]:
    """Files in the store that belong to its session."""
    folder = stream.site.folder / "objects"
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and stream.session_id in str(path)
    }


async def named_objects(pool: asyncpg.Pool, session_id: str) -> set[str]:
    """Objects that rows of a session name."""
    rows = await pool.fetch(
        "select distinct substring(place from '^object:(.*)/[0-9]+/[0-9]+$') from chunks where session_id = $1"
        " union select object_key from source_requests where session_id = $1 and state = 'uploaded'"
        " union select object_key from clips where session_id = $1"
        " union select e.object_key from exports e join clips using (clip_id) where session_id = $1",
        session_id,
    )
    return {row[0] for row in rows}


async def check_agree(stream: ForgettableStream) -> None:
    """No row points to nothing, and no object is left that no row names."""
    assert await objects_of(stream) == await named_objects(stream.pool, stream.session_id)
    assert await stream.pool.fetchval("select count(*) from expired_objects where not is_gone") == 0
    assert await stream.held() == [
        row["seq"]
        for row in await stream.pool.fetch(
            "select seq from chunks where session_id = $1 order by seq", stream.session_id
        )
    ]
