"""Rows of chunks: what is a duplicate, what takes over, what is refused; written with the jobs that follow.

A resend is a duplicate only if its hash is equal and its bytes are in the store or in the spool of a node that is
alive; otherwise the new copy takes over. The same key with another hash is refused, and so is a chunk of which part is
to be forgotten.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal

import asyncpg

from coordinator.ingest.database import SQL, STATEMENT_S
from coordinator.model.accounts import Owner
from coordinator.model.chunks import ChunkRow
from coordinator.model.jobs import NewJob
from coordinator.ports import JobQueue

ChunkKey = tuple[str, int, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a chunk: `fsynced`, `stored` (a duplicate of an object), `refused` for ever, or `later`.

    `delay_ms`: when to come back, where that is known better than by the stream's own rule.
    """

    kind: Literal["fsynced", "stored", "refused", "later"]
    reason: str = ""
    delay_ms: int | None = None


FSYNCED = Outcome(kind="fsynced")
STORED = Outcome(kind="stored")
TAKEN = Outcome(kind="refused", reason="its number is taken by other bytes")
LATER = Outcome(kind="later", reason="another copy of it is being written")
FORGOTTEN = Outcome(kind="refused", reason="forgotten")
NO_SESSION = Outcome(kind="refused", reason="its session is not (any more) known here")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownChunk:
    """What the database says of a key."""

    sha256: bytes
    place: str


def judge(known: KnownChunk | None, sha256: bytes, living_nodes: Collection[str]) -> Outcome | None:
    """Return what becomes of a chunk that needs no writing, or None: write it. Pure."""
    if known is None:
        return None
    if known.sha256 != sha256:
        return TAKEN
    if known.place.startswith("object:"):
        return STORED
    return FSYNCED if known.place.partition("/")[0] in spool_prefixes(living_nodes) else None


def spool_prefixes(nodes: Collection[str]) -> list[str]:
    """How the places in the spools of these nodes begin."""
    return [f"spool:{node}" for node in nodes]


async def known_chunks(
    connection: asyncpg.Connection, keys: Collection[ChunkKey]
) -> dict[ChunkKey, KnownChunk]:
    """Return what the database knows of these keys."""
    sessions, lanes, seqs = ([key[part] for key in keys] for part in range(3))
    rows = await connection.fetch(SQL["chunks_by_key"], sessions, lanes, seqs, timeout=STATEMENT_S)
    return {
        (row["session_id"], row["lane"], row["seq"]): KnownChunk(sha256=row["sha256"], place=row["place"])
        for row in rows
    }


class ChunkRows:
    """Writes rows and the jobs that follow from them, in the caller's transaction."""

    def __init__(
        self,
        jobs: JobQueue,
        follow_up: Callable[[ChunkRow], Sequence[NewJob]],
        living_nodes: Callable[[], Collection[str]],
    ) -> None:
        self._jobs = jobs
        self._follow_up = follow_up
        self.living_nodes = living_nodes

    async def write(
        self,
        connection: asyncpg.Connection,
        rows: Sequence[ChunkRow],
        owners: Mapping[str, Owner] | None = None,
    ) -> Mapping[ChunkKey, Outcome]:
        """Add or take over; returns what became of each. Keys are unique within `rows`.

        Args:
            owners: whose the sessions are; None: the database is asked.
        """
        living = self.living_nodes()
        # In one order everywhere, so that two processes cannot lock each other's rows crosswise.
        ordered = sorted(rows, key=key_of)
        columns = (
            *(
                [row.session_id for row in ordered],
                [row.lane for row in ordered],
                [row.seq for row in ordered],
            ),
            *([row.start_ns for row in ordered], [row.end_ns for row in ordered]),
            *([row.content_type for row in ordered], [row.sha256 for row in ordered]),
            *([row.size_bytes for row in ordered], [row.place for row in ordered]),
        )
        written = {
            (row["session_id"], row["lane"], row["seq"]): row
            for row in await connection.fetch(
                SQL["add_chunks"], *columns, spool_prefixes(living), timeout=STATEMENT_S
            )
        }
        if owners is None:
            owners = await owners_of(connection, {row.session_id for row in ordered})
        for are_new in (True, False):
            these = {key: each for key, each in written.items() if each["is_new"] == are_new}
            jobs = [
                job
                for row in ordered
                if (each := these.get(key_of(row))) is not None
                for job in owned(self._follow_up(_pressed(row, each)), owners.get(row.session_id))
            ]
            if jobs:
                await self._jobs.enqueue(connection, jobs, are_new=are_new)
        outcomes = dict.fromkeys(written, FSYNCED)
        others = [row for row in ordered if key_of(row) not in written]
        if others:
            known = await known_chunks(connection, [key_of(row) for row in others])
            forgotten = await _forgotten(connection, [row for row in others if key_of(row) not in known])
            for row in others:
                found = known.get(key_of(row))
                if found is None:
                    outcomes[key_of(row)] = FORGOTTEN if key_of(row) in forgotten else NO_SESSION
                else:
                    # Neither written nor held: another copy took its place in between. The next try will tell.
                    outcomes[key_of(row)] = judge(found, row.sha256, living) or LATER
        return outcomes


def _pressed(row: ChunkRow, written: asyncpg.Record) -> ChunkRow:
    return dataclasses.replace(row, is_pressed=True) if written["is_pressed"] else row


async def _forgotten(connection: asyncpg.Connection, rows: Sequence[ChunkRow]) -> set[ChunkKey]:
    columns = (
        *([row.session_id for row in rows], [row.lane for row in rows], [row.seq for row in rows]),
        *([row.start_ns for row in rows], [row.end_ns for row in rows]),
    )
    found = await connection.fetch(SQL["forgotten_keys"], *columns, timeout=STATEMENT_S)
    return {(row["session_id"], row["lane"], row["seq"]) for row in found}


def owned(jobs: Sequence[NewJob], owner: Owner | None) -> Sequence[NewJob]:
    """The same jobs, as this account's."""
    if owner is None or not owner.user_id:
        return jobs
    return [dataclasses.replace(job, tier=owner.tier, account=owner.user_id) for job in jobs]


async def owners_of(connection: asyncpg.Connection, session_ids: Collection[str]) -> dict[str, Owner]:
    """Whose these sessions are."""
    rows = await connection.fetch(SQL["owners_of_sessions"], list(session_ids), timeout=STATEMENT_S)
    return {row["session_id"]: Owner(user_id=row["user_id"], tier=row["tier"]) for row in rows}


def key_of(row: ChunkRow) -> ChunkKey:
    """The key of a row."""
    return row.session_id, row.lane, row.seq
