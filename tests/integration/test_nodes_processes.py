"""Several processes of one machine that serve agents on one port, as an operator runs them."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.fakes.link_parts import eventually, lane_chunk, new_session_id
from tests.fakes.serving import Serving, new_outbox, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections")


async def listening(machine: Serving, num: int) -> None:
    await eventually(
        lambda: len(machine.events("link_listening")) >= num,
        deadline_s=40,
        what=f"{num} processes listen; so far {machine.lines[-5:]}",
    )


async def test_two_processes_share_the_port_and_a_killed_one_comes_back(
    tmp_path: Path, pool: asyncpg.Pool, database_url: str
):
    with serving(tmp_path / "data", database_url, SERVE__PROCESSES=2, NODE="n") as machine:
        await listening(machine, 2)
        outboxes = [new_outbox(tmp_path) for _ in range(12)]
        clients = [
            machine.client(outbox, agent_id=f"agent-{number}") for number, outbox in enumerate(outboxes)
        ]
        try:
            for outbox, client in zip(outboxes, clients, strict=True):
                session_id = new_session_id()
                outbox.start_session(session_id, 1_700_000_000_000)
                outbox.put(session_id, lane_chunk(0))
                client.start()
            await eventually(lambda: all(outbox.num_waiting() == 0 for outbox in outboxes), deadline_s=30)
            nodes = {row["node"]: row["pid"] for row in await pool.fetch("select * from nodes")}
            assert set(nodes) == {"n", "n-1"}
            places = await pool.fetch("select distinct split_part(place, '/', 1) as spool from chunks")
            # Twelve connections on one of two processes alone: once in 2048 runs.
            assert {row["spool"] for row in places} == {"spool:n", "spool:n-1"}

            os.kill(nodes["n-1"], signal.SIGKILL)
            await eventually(lambda: len(machine.events("link_listening")) >= 3, deadline_s=40)
            for outbox in outboxes:
                outbox.put(outbox.sessions()[0].session_id, lane_chunk(1))
            await eventually(lambda: all(outbox.num_waiting() == 0 for outbox in outboxes), deadline_s=30)
            assert await pool.fetchval("select count(*) from chunks") == 24
        finally:
            for client in clients:
                client.stop()
            for outbox in outboxes:
                outbox.close()
        assert machine.stop() == 0
        assert not machine.events("node_name_taken")
        states = await pool.fetch("select distinct state from nodes")
        assert [row["state"] for row in states] == ["draining"]


@pytest.mark.slow
async def test_after_two_processes_one_drains_what_the_other_left(
    tmp_path: Path, pool: asyncpg.Pool, database_url: str
):
    outboxes = [new_outbox(tmp_path) for _ in range(8)]
    settings = {"NODE": "n", "ROLL_UP_S": 3600}
    with serving(tmp_path / "data", database_url, SERVE__PROCESSES=2, **settings) as machine:
        await listening(machine, 2)
        clients = [machine.client(outbox, agent_id=f"agent-{n}") for n, outbox in enumerate(outboxes)]
        for outbox, client in zip(outboxes, clients, strict=True):
            session_id = new_session_id()
            outbox.start_session(session_id, 1_700_000_000_000)
            for index in range(4):
                outbox.put(session_id, lane_chunk(index))
            client.start()
        await eventually(lambda: all(outbox.num_waiting() == 0 for outbox in outboxes), deadline_s=30)
        # Agents are still there, and send: the drain says goodbye to them.
        for outbox in outboxes:
            for index in range(4, 40):
                outbox.put(outbox.sessions()[0].session_id, lane_chunk(index))
        assert machine.stop() == 0
        for client in clients:
            client.stop()
        assert not [line for line in machine.lines if line.get("level") in ("error", "critical")]
    acknowledged = 8 * 40 - sum(outbox.num_waiting() for outbox in outboxes)
    assert await pool.fetchval("select count(*) from chunks") >= acknowledged
    for outbox in outboxes:
        outbox.close()
    left = await pool.fetchval("select count(*) from chunks where place like 'spool:n-1/%'")
    assert left > 0

    with serving(tmp_path / "data", database_url, SERVE__PROCESSES=1, **settings) as machine:
        await listening(machine, 1)
        assert [line["node"] for line in machine.events("spool_adopted")] == ["n-1"]
        await eventually(lambda: is_drained(pool, "n-1"), deadline_s=30)
        assert machine.stop() == 0
    assert await pool.fetchval("select count(*) from chunks where place like 'object:%'") == left
    assert await pool.fetchval("select count(*) from chunks where place like 'lost:%'") == 0


async def is_drained(pool: asyncpg.Pool, node: str) -> bool:
    held = await pool.fetchval("select count(*) from chunks where place like 'spool:' || $1 || '/%'", node)
    return bool(held == 0)
