"""What must hold after any run: nothing acknowledged is missing, nothing is there twice, nothing is left running."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders
from coordinator.store.objects import LocalObjects
from protos.segment import LANE_NAMES
from tests.e2e.processes import wait_until
from tests.e2e.stack import Stack

ChunkKey = tuple[str, int, int]
# An Opus packet's length: the next chunk may begin within the last one of the one before.
_OVERLAP_NS = 20_000_000


def promised_chunks(stack: Stack, *, states: tuple[str, ...]) -> dict[ChunkKey, bytes]:
    """What the agent's outbox holds in these states: {(session_id, lane, seq): sha256}."""
    rows = stack.outbox("select session_id, lane, seq, sha256, state from chunks")
    return {(row[0], row[1], row[2]): row[3] for row in rows if row[4] in states}


def check_chunks(stack: Stack, session_id: str, promised: Mapping[ChunkKey, bytes]) -> None:
    """An ended session's chunks are all there, once, byte for byte, and among them what was promised."""
    rows = stack.sql("select * from chunks where session_id = $1 order by lane, seq", session_id)
    here = {(row["session_id"], row["lane"], row["seq"]): row["sha256"] for row in rows}
    assert {key: sha for key, sha in promised.items() if key[0] == session_id and here.get(key) != sha} == {}
    check_numbers(stack, session_id, [(row["lane"], row["seq"]) for row in rows])
    for before, after in itertools.pairwise(rows):
        if before["lane"] == after["lane"]:
            assert after["start_ns"] >= before["end_ns"] - _OVERLAP_NS, "a time was sent twice"
    assert [row["place"] for row in rows if not row["is_stored"]] == []
    objects = LocalObjects(stack.data / "objects", base_url="http://127.0.0.1", secret=b"of no use here")
    reader = PlacedBytes(spools=SpoolFolders(stack.data / "spool"), objects=objects)

    async def read_all() -> list[bytes]:
        return [await reader.read(row["place"]) for row in rows]

    for row, data in zip(rows, asyncio.run(read_all()), strict=True):
        assert len(data) == row["size_bytes"]
        assert hashlib.sha256(data).digest() == row["sha256"]


def check_numbers(stack: Stack, session_id: str, held: list[tuple[int, int]]) -> None:
    """Each lane's numbers run from 0 to the count that the agent gave, but for gaps that it declared."""
    (session,) = stack.sql("select * from sessions where session_id = $1", session_id)
    assert session["ended_at"] is not None
    gaps = stack.sql("select lane, first, last from gaps where session_id = $1", session_id)
    declared = {(gap["lane"], seq) for gap in gaps for seq in range(gap["first"], gap["last"] + 1)}
    lanes = {name: number for number, name in LANE_NAMES.items()}
    wanted = {
        (lanes[name], seq)
        for name, count in json.loads(session["lane_counts"]).items()
        for seq in range(count)
    }
    assert set(held) | declared == wanted
    assert not set(held) & declared


def check_nothing_twice(stack: Stack) -> None:
    """Every job's effect is there once, and the store holds what the rows say and nothing else."""
    assert stack.sql("select key, stage, reason from job_runs where state = 'failed'") == []
    assert stack.sql("select key from job_runs where state <> 'done'") == []
    counts = stack.sql(
        "select (select count(*) from chunks where lane in (1, 2, 4)) as heard,"
        " (select count(*) from features) as features,"
        " (select count(*) from chunks where lane = 1) as spoken, (select count(*) from transcripts) as transcripts"
    )[0]
    assert (counts["features"], counts["transcripts"]) == (counts["heard"], counts["spoken"])
    wait_until(
        lambda: (
            stack.sql(
                "select s.session_id from sessions s where s.ended_at is not null and not (s.is_over and 1 = ("
                " select count(*) from analyses a"
                " where a.session_id = s.session_id and a.is_final and a.state = 'done'))"
            )
            == []
        ),
        "each session that ended has one last look",
        deadline_s=60,
    )
    wanted = {
        row["object_key"]
        for row in stack.sql("select object_key from source_requests where state = 'uploaded'")
    }
    assert set(stack.objects("sources")) == wanted
    assert set(stack.objects("clips")) == {
        row["object_key"] for row in stack.sql("select object_key from clips")
    }
    assert set(stack.objects("exports")) == {
        row["object_key"]
        # What was ready before its clip grew stays, for whoever has its address.
        for row in stack.sql("select object_key from exports where state in ('ready', 'replaced')")
        if row["object_key"] is not None
    }
    used = {
        row["place"].removeprefix("object:").rsplit("/", 2)[0]
        for row in stack.sql("select distinct place from chunks where is_stored")
    }
    assert set(stack.objects("chunks")) == used
    markers, presses = stack.sql(
        "select (select count(*) from markers) as markers,"
        " (select count(*) from source_requests where marker_clip_id is not null and state <> 'replaced') as presses"
    )[0]
    assert markers == presses


def wait_post(stack: Stack, session_id: str, clip_id: str, *, deadline_s: float) -> dict[str, Any]:
    """Wait until a press's post is ready; returns it."""

    def ready() -> dict[str, Any] | None:
        for press in stack.session(session_id).get("presses", []):
            for post in press["exports"]:
                if press["clip_id"] == clip_id and post["state"] != "pending":
                    return dict(post)
        return None

    post: dict[str, Any] = wait_until(ready, "the press's post", deadline_s=deadline_s)
    assert (post["state"], post["reason"]) == ("ready", "")
    return post


def stop_cleanly(stack: Stack) -> None:
    """`clippy stop`, SIGTERM to the coordinator: both exit with 0, and no process of the stack is left."""
    if stack.engine is not None and stack.engine.is_alive:
        assert stack.ask("stop") is not None
        assert stack.engine.wait(within_s=40) == 0
    if stack.coordinator is not None and stack.coordinator.is_alive:
        assert stack.coordinator.terminate(within_s=60) == 0
    assert stack.processes() == {}
