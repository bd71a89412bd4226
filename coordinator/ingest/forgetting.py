"""Writes an order to forget: its tombstone, and the deletion of every row of its span, in the caller's transaction.

From the commit on nothing of the span is accepted, heard, analysed, shown or exported: its rows are gone, and whoever
adds a row about a span looks at the session's row first, which says what is forgotten. What is left are bytes: objects,
worked off by a job (coordinator/pipeline/forget.py), and records in spools, overwritten by who owns them (sweeping.py).
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections import Counter
from collections.abc import Sequence

import asyncpg

from coordinator.errors import ChunkRefused, NotFound
from coordinator.ingest.places import ObjectPlace, SpoolPlace, parse_place
from coordinator.model.forgetting import AskedBy, ForgetOrder
from coordinator.model.object_keys import clip_id_of, clip_key, export_key
from coordinator.policy.source_uploads import parts_of
from coordinator.statements import load_statements
from protos.segment import LANE_NAMES

SQL = load_statements("coordinator.ingest", "forgetting.sql")
# Of one session; more would only be a fault, or a flood.
_MAX_ORDERS = 5_000
# A stage may run this long, and put its object when the rows are gone: it is deleted once more after that.
_STAGE = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entombed:
    """An order in the database. `is_new`: this call wrote it. `counts`: what went, by the names of a receipt."""

    is_new: bool
    is_done: bool = False
    counts: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class _Doomed:
    """Objects by key: do they hold others' chunks, and until when may somebody still write them."""

    now: datetime.datetime
    objects: dict[str, tuple[bool, datetime.datetime | None]] = dataclasses.field(default_factory=dict)

    def add_rolled_up(self, key: str) -> None:
        self.objects[key] = (True, None)

    def add(self, key: str, until: datetime.datetime | None = None) -> None:
        self.objects[key] = (False, max(self.now + _STAGE, until or self.now))


async def entomb(
    connection: asyncpg.Connection, order: ForgetOrder, *, asked_by: AskedBy, user_id: str | None = None
) -> Entombed:
    """Write the order, once; the same one again changes nothing.

    Args:
        user_id: whose session it must be; None: anybody's.

    Raises:
        NotFound: There is no such session, so there is nothing of it.
        ChunkRefused: It is another account's session, or the id is another order's.
    """
    await connection.execute(SQL["let_analyses_end"], order.session_id)
    owner = await connection.fetchval(SQL["lock_session"], order.session_id)
    if owner is None:
        raise NotFound(
            f"there is no session {order.session_id}; `clippy-coordinator forget --list` shows orders"
        )
    if user_id is not None and owner != user_id:
        raise ChunkRefused(f"session {order.session_id} belongs to another account")
    known = await connection.fetchrow(SQL["tombstone"], order.forget_id)
    if known is not None:
        if known["session_id"] != order.session_id:
            raise ChunkRefused(f"forget_id {order.forget_id} is taken by an order for another session")
        if asked_by == "agent":
            await connection.execute(SQL["note_answer"], order.forget_id)
        return Entombed(is_new=False, is_done=known["state"] == "done")
    if await connection.fetchval(SQL["num_orders"], order.session_id) >= _MAX_ORDERS:
        raise ChunkRefused(f"session {order.session_id} has {_MAX_ORDERS} orders to forget already")
    span = (order.session_id, order.start_ns, order.end_ns)
    await connection.execute(SQL["add_tombstone"], order.forget_id, *span, asked_by)
    await connection.execute(SQL["mark_session"], *span)
    doomed = _Doomed(await connection.fetchval("select now()"))
    counts: Counter[str] = Counter()
    nodes = await _forget_chunks(connection, span, doomed, counts)
    await _forget_media(connection, span, doomed, counts)
    counts["moments"] = len(await connection.fetch(SQL["forget_moments"], *span))
    counts["presses"] = len(await connection.fetch(SQL["forget_markers"], *span))
    if verdicts := await connection.fetchval(SQL["forget_verdicts"], *span):
        counts["verdicts"] = verdicts
    await connection.execute(SQL["stop_answers"], owner)
    if answers := await connection.fetch(SQL["forget_answers"], owner):
        counts["answers"] = len(answers)
    kinds = [doomed.objects[key] for key in doomed.objects]
    await connection.execute(
        SQL["doom"],
        order.forget_id,
        list(doomed.objects),
        [kind[0] for kind in kinds],
        [kind[1] for kind in kinds],
    )
    await connection.execute(SQL["await_spools"], order.forget_id, nodes)
    await connection.execute(SQL["set_went"], order.forget_id, json.dumps(dict(counts)))
    return Entombed(is_new=True, counts=dict(counts))


async def _forget_chunks(
    connection: asyncpg.Connection, span: tuple[str, int, int], doomed: _Doomed, counts: Counter[str]
) -> Sequence[str]:
    """Delete whole chunks and what was heard in them; returns the nodes whose spools hold some."""
    counts["words"] = await connection.fetchval(SQL["count_words"], *span)
    words = await connection.fetch(SQL["words_of_span"], *span)
    gone = await connection.fetch(SQL["forget_chunks"], *span)
    if words:
        await connection.execute(SQL["forget_words"], words[0]["account_no"], [row["word"] for row in words])
    nodes: set[str] = set()
    for row in gone:
        counts[LANE_NAMES.get(row["lane"], str(row["lane"]))] += 1
        try:
            place = parse_place(row["place"])
        except NotFound:
            continue  # its bytes were lost before
        if isinstance(place, ObjectPlace):
            doomed.add_rolled_up(place.key)
        elif isinstance(place, SpoolPlace):
            nodes.add(place.node)
    lanes, seqs = [row["lane"] for row in gone], [row["seq"] for row in gone]
    await connection.execute(SQL["keep_gaps"], span[0], lanes, seqs)
    return sorted(nodes)


async def _forget_media(
    connection: asyncpg.Connection, span: tuple[str, int, int], doomed: _Doomed, counts: Counter[str]
) -> None:
    """Wishes, uploads, cuts and posts; also those that a stage is making just now, by the keys they will have."""
    session_id = span[0]
    requests = await connection.fetch(SQL["forget_requests"], *span)
    for row in requests:
        is_uploaded = row["state_before"] == "uploaded"
        counts["sources" if is_uploaded else "requests"] += 1
        # Its signed address can be used until the wish expires.
        doomed.add(row["object_key"], row["expires_at"])
        doomed.add(clip_key(session_id, clip_id_of(row["request_id"])))
    request_ids = [row["request_id"] for row in requests]
    for row in await connection.fetch(SQL["parts_to_forget"], request_ids):
        key, sizes = row["object_key"], {name: row[name] for name in ("size_bytes", "part_bytes", "sha256")}
        for part in parts_of(key, **sizes):
            doomed.add(part.key, doomed.objects[key][1])
    clips = await connection.fetch(SQL["clips_to_forget"], *span, request_ids)
    clip_ids = [row["clip_id"] for row in clips]
    for row in clips:
        doomed.add(row["object_key"])
    for row in await connection.fetch(SQL["exports_to_forget"], clip_ids):
        counts["posts"] += row["state"] == "ready"
        doomed.add(row["object_key"] or export_key(session_id, row["export_id"]))
    counts["clips"] = len(clips)
    await connection.execute(SQL["forget_clips"], clip_ids)
