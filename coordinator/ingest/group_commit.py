"""One writer that makes chunks durable in groups: append all, one fdatasync, one transaction, then the acks.

A chunk's outcome is told only after its rows are committed. Owned by the loop: `submit` and the callbacks run
there; the disk is written in a thread of its own, one group at a time, so the order of an account's chunks is kept.
Accounts take turns, and while several send, none fills a group by itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import asyncpg
import structlog

from coordinator.errors import DatabaseUnavailable, EnvironmentProblem
from coordinator.ingest.chunk_rows import (
    FORGOTTEN,
    TAKEN,
    ChunkKey,
    ChunkRows,
    KnownChunk,
    Outcome,
    judge,
    key_of,
    known_chunks,
)
from coordinator.ingest.database import HeldConnection
from coordinator.ingest.erasing import erase
from coordinator.ingest.fair_queue import FairQueue
from coordinator.ingest.places import SpoolPlace
from coordinator.ingest.records import Record
from coordinator.ingest.spool import Spool
from coordinator.model.accounts import Owner
from coordinator.model.chunks import ChunkRow
from protos.clippy.v1 import media_pb2

log = structlog.get_logger(__name__)

OnDone = Callable[[Outcome], None]
_T = TypeVar("_T")
_LEAST_SHARE_CHUNKS = 4
_LEAST_SHARE_BYTES = 1_310_720
_ACTIVE_S = 2.0
_NOBODY = Owner()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """How long a group gathers and how big it grows; how long a down database is waited for."""

    gather_s: float = 0.015
    max_group_bytes: int = 8 * 1024 * 1024
    max_group_chunks: int = 512
    max_waiting: int = 4096
    patience_s: float = 20.0


@dataclasses.dataclass(slots=True, kw_only=True)
class _Waiting:
    chunk: media_pb2.Chunk
    on_done: OnDone
    owner: Owner
    is_fresh: bool
    is_told: bool = False

    @property
    def key(self) -> ChunkKey:
        return self.chunk.session_id, self.chunk.lane, self.chunk.seq


class _Shares:
    """How much of a group each account has; a group of one account's flood would keep all others waiting."""

    def __init__(self, settings: GroupSettings, num_active: int) -> None:
        self._max_chunks = max(_LEAST_SHARE_CHUNKS, settings.max_group_chunks // max(1, num_active))
        self._max_bytes = max(_LEAST_SHARE_BYTES, settings.max_group_bytes // max(1, num_active))
        self._chunks: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self.used_up: set[str] = set()

    def count(self, owner: str, num_bytes: int) -> None:
        """One more of this account is in the group."""
        self._chunks[owner] = self._chunks.get(owner, 0) + 1
        self._bytes[owner] = self._bytes.get(owner, 0) + num_bytes
        if self._chunks[owner] >= self._max_chunks or self._bytes[owner] >= self._max_bytes:
            self.used_up.add(owner)


@dataclasses.dataclass(slots=True, kw_only=True)
class GroupCounters:
    """What the writer has done; plain numbers for the metrics."""

    num_groups: int = 0
    num_chunks: int = 0
    num_duplicates: int = 0
    num_refused: int = 0
    num_delayed: int = 0
    num_bytes: int = 0


class GroupCommit:
    """The writer. `submit` from the loop; every callback is called exactly once."""

    def __init__(
        self, pool: asyncpg.Pool, spool: Spool, rows: ChunkRows, *, settings: GroupSettings | None = None
    ) -> None:
        self._connection = HeldConnection(pool)
        self._spool = spool
        self._rows = rows
        self._settings = settings or GroupSettings()
        self._queue: FairQueue[_Waiting] = FairQueue()
        self._seen_s: OrderedDict[str, float] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self.counters = GroupCounters()

    def start(self) -> None:
        """Start the writer's task."""
        self._task = asyncio.create_task(self._run(), name="group-commit")

    async def stop(self) -> None:
        """Finish what was submitted, then stop. Twice is once."""
        self._is_stopping = True
        if self._task is not None:
            self._queue.wake()
            await self._task
            self._task = None
        await self._connection.give_back()
        self._thread.shutdown(wait=True)

    def submit(
        self, chunk: media_pb2.Chunk, on_done: OnDone, *, owner: Owner | None = None, is_fresh: bool = False
    ) -> None:
        """Make a checked chunk of `owner` durable; `on_done` is called on the loop when its outcome is known.

        Args:
            is_fresh: nothing speaks for it being here already, so it is written without asking. Should it be here all
                the same, its outcome is right, and its bytes lie in the spool twice.
        """
        if self._task is None or self._is_stopping or self._task.done():
            on_done(Outcome(kind="later", reason="the coordinator is stopping"))
            return
        owner = owner or _NOBODY
        newcomer = _Waiting(chunk=chunk, on_done=on_done, owner=owner, is_fresh=is_fresh)
        if len(self._queue) >= self._settings.max_waiting:
            full = Outcome(kind="later", reason=f"{len(self._queue)} chunks wait already")
            displaced = self._queue.pop_longest(owner.user_id)
            self._tell(displaced or newcomer, full)
            if displaced is None:
                return
        self._queue.put(owner.user_id, newcomer)

    async def _run(self) -> None:
        is_open = True
        while is_open:
            group, is_open = await self._gather()
            if not group:
                continue
            try:
                await self._commit(group)
            except Exception as exc:
                # Nothing was acknowledged: the agents still hold it all.
                log.exception("group_failed", num_chunks=len(group))
                self._finish(group, Outcome(kind="later", reason=f"internal error: {type(exc).__name__}"))

    async def _gather(self) -> tuple[list[_Waiting], bool]:
        await self._queue.wait()
        group: list[_Waiting] = []
        size_bytes = 0
        deadline_s = time.monotonic() + self._settings.gather_s
        shares = _Shares(self._settings, self._num_active())
        while size_bytes < self._settings.max_group_bytes and len(group) < self._settings.max_group_chunks:
            taken = self._queue.take(shares.used_up)
            if taken is not None:
                owner, item = taken
                group.append(item)
                size_bytes += len(item.chunk.payload)
                shares.count(owner, len(item.chunk.payload))
                self._seen_s[owner] = deadline_s
                self._seen_s.move_to_end(owner)
                continue
            if self._is_stopping:
                return group, len(self._queue) > 0
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0:
                break
            await asyncio.sleep(remaining_s)
        return group, True

    def _num_active(self) -> int:
        """Accounts that wait here or did a moment ago."""
        oldest_s = time.monotonic() - _ACTIVE_S
        while self._seen_s and next(iter(self._seen_s.values())) < oldest_s:
            self._seen_s.popitem(last=False)
        return max(len(self._seen_s), self._queue.num_owners)

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        firsts: dict[ChunkKey, _Waiting] = {}
        copies: list[_Waiting] = []
        for item in group:
            if firsts.setdefault(item.key, item) is not item:
                copies.append(item)
        outcomes = await self._outcomes(firsts)
        self.counters.num_groups += 1
        for key, item in firsts.items():
            self._tell(item, outcomes[key])
        for item in copies:
            # The same number twice at once: what became of the first holds for the second, if it is the same.
            is_same = item.chunk.sha256 == firsts[item.key].chunk.sha256
            self._tell(item, outcomes[item.key] if is_same else TAKEN)

    async def _outcomes(self, firsts: dict[ChunkKey, _Waiting]) -> dict[ChunkKey, Outcome]:
        try:
            asked = [key for key, item in firsts.items() if not item.is_fresh]
            known = await self._patiently(lambda: self._known(asked)) if asked else {}
            living = self._rows.living_nodes()
            outcomes: dict[ChunkKey, Outcome] = {}
            fresh: list[_Waiting] = []
            for key, item in firsts.items():
                verdict = judge(known.get(key), item.chunk.sha256, living)
                if verdict is None:
                    fresh.append(item)
                else:
                    outcomes[key] = verdict
                    self.counters.num_duplicates += verdict.kind != "refused"
            if fresh:
                outcomes |= await self._write(fresh)
            return outcomes
        except EnvironmentProblem as exc:
            log.warning("group_delayed", num_chunks=len(firsts), problem=str(exc))
            return dict.fromkeys(firsts, Outcome(kind="later", reason=str(exc)[:200]))

    async def _known(self, keys: list[ChunkKey]) -> dict[ChunkKey, KnownChunk]:
        async with self._connection.transaction() as connection:
            return await known_chunks(connection, keys)

    async def _write(self, items: Sequence[_Waiting]) -> dict[ChunkKey, Outcome]:
        chunks = [item.chunk for item in items]
        # A session is one account's; whoever submits has made sure of it.
        owners = {item.chunk.session_id: item.owner for item in items}
        group = [(_record(chunk), chunk.payload) for chunk in chunks]
        loop = asyncio.get_running_loop()
        places = await loop.run_in_executor(self._thread, self._spool.append_group, group)
        try:
            rows = [_row(chunk, place) for chunk, place in zip(chunks, places, strict=True)]
            self.counters.num_bytes += sum(row.size_bytes for row in rows)
            outcomes = await self._patiently(lambda: self._write_rows(rows, owners))
            refused = [
                place for row, place in zip(rows, places, strict=True) if outcomes[key_of(row)] is FORGOTTEN
            ]
            if refused:
                await self._erase(refused)
            return outcomes
        finally:
            self._spool.release(places)

    async def _erase(self, places: Sequence[SpoolPlace]) -> None:
        """What came too late to be kept is on the disk already."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, erase, self._spool, places)
        except EnvironmentProblem as exc:
            # The sweep at the next start finds it.
            log.warning("forgotten_chunk_not_erased", num_chunks=len(places), problem=str(exc))

    async def _write_rows(
        self, rows: Sequence[ChunkRow], owners: Mapping[str, Owner]
    ) -> dict[ChunkKey, Outcome]:
        try:
            async with self._connection.transaction() as connection:
                return dict(await self._rows.write(connection, rows, owners))
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as exc:
            if len(rows) == 1:
                # Not `refused`: a fault of ours must not make an agent throw its bytes away.
                log.error("chunk_unwritable", exc_info=exc)
                return {
                    (row.session_id, row.lane, row.seq): Outcome(
                        kind="later", reason="it cannot be written now"
                    )
                    for row in rows
                }
        # One of them spoils the transaction for all: find it, one at a time.
        outcomes: dict[ChunkKey, Outcome] = {}
        for row in rows:
            outcomes |= await self._write_rows([row], owners)
        return outcomes

    async def _patiently(self, work: Callable[[], Awaitable[_T]]) -> _T:
        deadline_s = time.monotonic() + self._settings.patience_s
        delay_s = 0.05
        while True:
            try:
                return await work()
            except DatabaseUnavailable:
                if self._is_stopping or time.monotonic() + delay_s > deadline_s:
                    raise
            await asyncio.sleep(delay_s)
            delay_s = min(1.0, delay_s * 2)

    def _finish(self, group: Sequence[_Waiting], outcome: Outcome) -> None:
        for item in group:
            self._tell(item, outcome)

    def _tell(self, item: _Waiting, outcome: Outcome) -> None:
        if item.is_told:
            return
        item.is_told = True
        self.counters.num_chunks += outcome.kind in ("fsynced", "stored")
        self.counters.num_refused += outcome.kind == "refused"
        self.counters.num_delayed += outcome.kind == "later"
        item.on_done(outcome)


def _record(chunk: media_pb2.Chunk) -> Record:
    return Record(
        session_id=chunk.session_id,
        lane=chunk.lane,
        seq=chunk.seq,
        start_ns=chunk.start_ns,
        end_ns=chunk.end_ns,
        content_type=chunk.content_type,
        sha256=chunk.sha256,
    )


def _row(chunk: media_pb2.Chunk, place: SpoolPlace) -> ChunkRow:
    return ChunkRow(
        session_id=chunk.session_id,
        lane=chunk.lane,
        seq=chunk.seq,
        start_ns=chunk.start_ns,
        end_ns=chunk.end_ns,
        content_type=chunk.content_type,
        sha256=chunk.sha256,
        size_bytes=len(chunk.payload),
        place=str(place),
    )
