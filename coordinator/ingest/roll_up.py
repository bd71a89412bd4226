"""Moves spooled chunks to the object store: some minutes of a session become one object, then `STORED` goes out.

Killed anywhere it loses and doubles nothing: the rows move in one transaction, after the object is there, all or none;
an object that no row came to use is found by its intent (a small file written before the PUT) and deleted.
One task, in the process that owns the spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import structlog

from coordinator.errors import CoordinatorError
from coordinator.ingest.database import SQL, STATEMENT_S, fetch, transaction
from coordinator.ingest.places import ObjectPlace, SpoolPlace, parse_place
from coordinator.ingest.spool import Spool, sync_folder, translated
from coordinator.ports import ObjectStore

log = structlog.get_logger(__name__)

STORED_SUFFIX = ":stored"
# As the statement `lose_chunks` says it.
LOST_SUFFIX = ":lost"
_CHUNKS_AT_ONCE = 2000
# Segments are drained by what moved here; what was forgotten, or taken over by other copies, can wait so long.
_LOOK_FOR_DRAINED_S = 60.0
# Questions about all that is spooled, 300,000 rows at 10,000 streams, take at most a twentieth of the time.
_MIN_REST = 20.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RollUpSettings:
    """When chunks leave the spool, and how big an object grows.

    Attributes:
        max_age_s: a session's chunks are moved once the oldest has waited this long (the first time up to twice as
            long), or when it has ended.
        drained_age_s: a drained segment is kept this long, for readers that read its row just before.
    """

    max_age_s: float = 300.0
    max_object_bytes: int = 64 * 1024 * 1024
    interval_s: float = 5.0
    drained_age_s: float = 60.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Spooled:
    lane: int
    seq: int
    sha256: bytes
    place: SpoolPlace


class _RowsChanged(Exception):
    """Ends the transaction: not all rows are as they were read."""


class RollUp:
    """One node's roll-up."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        spool: Spool,
        store: ObjectStore,
        *,
        settings: RollUpSettings | None = None,
    ) -> None:
        self._pool = pool
        self._spool = spool
        self._store = store
        self._settings = settings or RollUpSettings()
        self._problem = ""
        self._may_look_s = self._must_look_s = 0.0

    @property
    def problem(self) -> str:
        """Why nothing can be moved now; empty when it can."""
        return self._problem

    async def run(self, stopping: asyncio.Event) -> None:
        """Move what is due, again and again, until `stopping` is set."""
        while not stopping.is_set():
            began_s = time.monotonic()
            rest_s = self._settings.interval_s
            try:
                if not await self.run_once():
                    # To find that nothing is due takes long where very much waits.
                    rest_s = max(rest_s, _MIN_REST * (time.monotonic() - began_s))
                self._problem = ""
            except CoordinatorError as exc:
                if str(exc) != self._problem:
                    log.warning("roll_up_delayed", problem=str(exc))
                self._problem = str(exc)
            except Exception:
                log.exception("roll_up_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), rest_s)

    async def run_once(self) -> int:
        """Move everything that is due; returns how many chunks were moved.

        Raises:
            DatabaseUnavailable, StoreUnavailable, DiskFull: Tried again at the next turn; nothing is lost.
        """
        num_moved = 0
        try:
            await self._settle_intents()
            due = await fetch(
                self._pool, "sessions_to_roll_up", f"spool:{self._spool.node}", self._settings.max_age_s
            )
            for row in due:
                num_moved += await self._roll_session(row["session_id"])
            return num_moved
        finally:
            # Above all when the disk is full: this is what makes room.
            await self._delete_drained(has_moved=num_moved > 0)

    async def _roll_session(self, session_id: str) -> int:
        num_moved = 0
        while chunks := await self._spooled(session_id):
            taken, size_bytes = 0, 0
            for chunk in chunks:
                if taken and size_bytes + chunk.place.length > self._settings.max_object_bytes:
                    break
                taken += 1
                size_bytes += chunk.place.length
            whole, parts = await asyncio.to_thread(self._read, chunks[:taken])
            lost = [chunk for chunk in chunks[:taken] if chunk not in whole]
            if lost:
                await self._lose(session_id, lost)
            if whole:
                num_moved += await self._move(session_id, whole, parts)
        return num_moved

    async def _spooled(self, session_id: str) -> list[_Spooled]:
        rows = await fetch(
            self._pool, "spooled_chunks", session_id, f"spool:{self._spool.node}", _CHUNKS_AT_ONCE
        )
        found: list[_Spooled] = []
        for row in rows:
            place = parse_place(row["place"])
            if isinstance(place, SpoolPlace):
                found.append(_Spooled(lane=row["lane"], seq=row["seq"], sha256=row["sha256"], place=place))
        return found

    def _read(self, chunks: Sequence[_Spooled]) -> tuple[list[_Spooled], list[bytes]]:
        """Return those whose bytes are what their row says, and the bytes."""
        whole: list[_Spooled] = []
        parts: list[bytes] = []
        for chunk, data in zip(chunks, self._spool.read_all([chunk.place for chunk in chunks]), strict=True):
            if data is not None and hashlib.sha256(data).digest() == chunk.sha256:
                whole.append(chunk)
                parts.append(data)
        return whole, parts

    async def _move(self, session_id: str, chunks: Sequence[_Spooled], parts: Sequence[bytes]) -> int:
        key = f"chunks/{session_id}/{uuid.uuid4().hex}.bin"
        intent = await asyncio.to_thread(self._write_intent, session_id, key)
        await self._store.put(key, b"".join(parts))
        new_places: list[str] = []
        offset = 0
        for chunk in chunks:
            new_places.append(str(ObjectPlace(key=key, offset=offset, length=chunk.place.length)))
            offset += chunk.place.length
        try:
            async with transaction(self._pool) as connection:
                moved = await connection.fetch(
                    SQL["move_chunks"],
                    session_id,
                    [chunk.lane for chunk in chunks],
                    [chunk.seq for chunk in chunks],
                    [str(chunk.place) for chunk in chunks],
                    new_places,
                )
                if len(moved) != len(chunks):
                    raise _RowsChanged
                await connection.execute(SQL["notify_link"], session_id + STORED_SUFFIX)
        except _RowsChanged:
            # Some were forgotten, or other copies took over, while the object was being written: it holds bytes that
            # no row speaks for. The rows are read anew.
            await self._store.delete([key])
            moved = []
        await asyncio.to_thread(intent.unlink, missing_ok=True)
        log.info("chunks_rolled_up", session_id=session_id, num_chunks=len(moved), size_bytes=offset)
        return len(moved)

    async def _lose(self, session_id: str, chunks: Sequence[_Spooled]) -> None:
        lost = await fetch(
            self._pool,
            "lose_chunks",
            [session_id] * len(chunks),
            [chunk.lane for chunk in chunks],
            [chunk.seq for chunk in chunks],
            [str(chunk.place) for chunk in chunks],
        )
        # Those that were forgotten meanwhile have no row any more, and are no loss.
        if lost:
            log.warning("spooled_chunks_lost", node=self._spool.node, num_chunks=len(lost))

    @property
    def _intents(self) -> Path:
        return self._spool.folder / "intents"

    def _write_intent(self, session_id: str, key: str) -> Path:
        path = self._intents / f"{uuid.uuid4().hex}.json"
        with translated("note a roll-up in"):
            self._intents.mkdir(exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                json.dump({"session_id": session_id, "key": key}, file)
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._intents)
        return path

    async def _settle_intents(self) -> None:
        """Objects that were begun and perhaps never used: keep those that rows point to, delete the others."""
        for path in await asyncio.to_thread(lambda: sorted(self._intents.glob("*.json"))):
            try:
                intent = json.loads(await asyncio.to_thread(path.read_bytes))
                session_id, key = str(intent["session_id"]), str(intent["key"])
            except (ValueError, KeyError, TypeError):
                # Torn: the kill came before the PUT could begin.
                await asyncio.to_thread(path.unlink, missing_ok=True)
                continue
            async with transaction(self._pool) as connection:
                # The commit of a process that was killed may still be under way at the database, which holds its rows
                # until then: only after that it is known whether they use the object.
                await connection.execute(SQL["lock_chunks"], session_id, timeout=STATEMENT_S)
                is_used = await connection.fetchval(SQL["is_object_used"], session_id, key)
            if not is_used:
                await self._store.delete([key])
                log.info("unused_object_deleted", session_id=session_id, reason="roll-up was cut off")
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _delete_drained(self, *, has_moved: bool) -> None:
        began_s = time.monotonic()
        if began_s < (self._may_look_s if has_moved else self._must_look_s):
            return
        candidates = await asyncio.to_thread(
            self._spool.drained_candidates, min_age_s=self._settings.drained_age_s
        )
        if not candidates:
            return
        rows = await fetch(self._pool, "spooled_ends", f"spool:{self._spool.node}")
        ended_s = time.monotonic()
        self._may_look_s = ended_s + _MIN_REST * (ended_s - began_s)
        self._must_look_s = max(self._may_look_s, ended_s + _LOOK_FOR_DRAINED_S)
        used = {row["segment"] for row in rows}
        for segment in candidates:
            if segment not in used:
                await asyncio.to_thread(self._spool.delete, segment)
                log.info("segment_deleted", node=self._spool.node, segment=segment, reason="drained")
