"""Forgetting over a real link: the agent's order goes up until its receipt comes, the coordinator's goes down."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_forgetting import OutboxForgetting
from coordinator.ingest.database import transaction
from coordinator.ingest.events import FollowUps
from coordinator.ingest.forgetting import entomb
from coordinator.ingest.server import LinkServer
from coordinator.model.forgetting import ForgetOrder
from coordinator.model.jobs import NewJob, Queue
from coordinator.store.tombstones import PostgresTombstones
from protos.clippy.v1 import link_pb2
from tests.fakes.forgettable_stream import add_session
from tests.fakes.link_parts import SECOND_NS, Site, eventually, lane_chunk, new_session_id


def follow(forget_id: str, after: str = "order") -> list[NewJob]:
    return [NewJob(queue=Queue.CLEANUP, key=f"forget:{forget_id}:{after}", payload={})]


@pytest.fixture
async def server(site: Site) -> AsyncIterator[LinkServer]:
    started = await site.start(poll_s=0.2, follow_ups=FollowUps(after_forget=follow, after_sweep=follow))
    yield started
    await started.stop()


class Agent:
    """An outbox with five chunks of one second, its link, and what it was told."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.session_id = new_session_id()
        self.outbox = Outbox(folder / f"{self.session_id}.db")
        self.forgetting = OutboxForgetting(self.outbox)
        self.orders: list[link_pb2.Forget] = []
        hooks = LinkHooks(on_forget=self.orders.append, on_forgotten=self.forgetting.take_receipt)
        self.client = site.client(self.outbox, hooks=hooks)
        self.outbox.start_session(self.session_id, 1)
        for index in range(5):
            self.outbox.put(self.session_id, lane_chunk(index))

    def forget(self, start_s: float, end_s: float, forget_id: str | None = None) -> str:
        forget_id = forget_id or uuid.uuid4().hex
        span = (round(start_s * SECOND_NS), round(end_s * SECOND_NS))
        self.forgetting.forget(self.session_id, *span, forget_id=forget_id)
        return forget_id

    def asks(self) -> list[str]:
        """Which orders go up at the next connect."""
        events = [event.message for event in self.outbox.events_after(0, limit=100)]
        return [message.forget.forget_id for message in events if message.HasField("forget")]

    async def connect(self) -> None:
        self.client.start()
        assert await asyncio.to_thread(self.client.wait_for, "connected", timeout_s=15)

    async def close(self) -> None:
        await asyncio.to_thread(self.client.stop)
        self.outbox.close()


@pytest.fixture
async def agent(site: Site, server: LinkServer, tmp_path: Path) -> AsyncIterator[Agent]:
    made = Agent(site, tmp_path)
    await made.connect()
    await eventually(lambda: made.client.counters.chunks_fsynced == 5)
    yield made
    await made.close()


async def finish(pool: asyncpg.Pool, forget_id: str) -> bool:
    async with transaction(pool) as connection:
        return await PostgresTombstones(pool).finish(connection, forget_id, remains=["a dump"]) is not None


async def seqs(pool: asyncpg.Pool) -> list[int]:
    return [row["seq"] for row in await pool.fetch("select seq from chunks order by seq")]


async def test_an_agents_order_is_followed_and_its_receipt_ends_the_asking(agent: Agent, site: Site):
    forget_id = agent.forget(1.5, 2.5)

    assert agent.asks() == [forget_id]
    await eventually(lambda: _keys(site.pool, f"forget:{forget_id}:n1"))
    assert await _keys(site.pool, f"forget:{forget_id}:order")
    assert await seqs(site.pool) == [0, 3, 4]
    assert agent.forgetting.receipt(forget_id) is None
    assert await finish(site.pool, forget_id)

    await eventually(lambda: agent.forgetting.receipt(forget_id))
    receipt = agent.forgetting.receipt(forget_id)
    assert (
        receipt is not None and "2 chunks of the microphone" in receipt.went and "a dump" in receipt.remains
    )
    assert (agent.asks(), agent.forgetting.num_unconfirmed()) == ([], 0)
    spool = (site.folder / "spool" / "n1" / "00000001").read_bytes()
    assert b"mic 2 " not in spool and b"mic 3 " in spool


async def _keys(pool: asyncpg.Pool, key: str) -> bool:
    return bool(await pool.fetchval("select exists (select from wanted_jobs where key = $1)", key))


async def test_a_receipt_that_was_lost_comes_again_at_the_next_connect(agent: Agent, site: Site):
    await asyncio.to_thread(agent.client.stop)
    forget_id = agent.forget(0, 1)
    order = ForgetOrder(forget_id=forget_id, session_id=agent.session_id, start_ns=0, end_ns=SECOND_NS)
    # The order arrived and was worked off, and the stream ended before its receipt went down.
    async with transaction(site.pool) as connection:
        await entomb(connection, order, asked_by="agent")
    await eventually(lambda: _is_swept(site.pool))
    await finish(site.pool, forget_id)

    again = site.client(agent.outbox, hooks=LinkHooks(on_forgotten=agent.forgetting.take_receipt))
    again.start()
    await eventually(lambda: agent.forgetting.receipt(forget_id))
    await asyncio.to_thread(again.stop)

    assert agent.asks() == []
    assert await site.pool.fetchval("select count(*) from tombstones") == 1


async def _is_swept(pool: asyncpg.Pool) -> bool:
    return not await pool.fetchval("select exists (select from tombstone_spools where swept_at is null)")


async def test_of_a_session_that_is_not_known_nothing_is_there_to_forget(agent: Agent, site: Site):
    forget_id = uuid.uuid4().hex
    agent.forgetting.forget(new_session_id(), 0, SECOND_NS, forget_id=forget_id)

    await eventually(lambda: agent.forgetting.receipt(forget_id))
    assert agent.asks() == []


@pytest.mark.logs("message_refused")
async def test_an_order_for_another_accounts_session_does_nothing(agent: Agent, site: Site):
    foreign = new_session_id()
    await add_session(site.pool, foreign, user_id="somebody-else")

    agent.forgetting.forget(foreign, 0, SECOND_NS, forget_id=uuid.uuid4().hex)
    after = agent.forget(3, 4)

    await eventually(lambda: _keys(site.pool, f"forget:{after}:order"))
    rows = await site.pool.fetch("select session_id from tombstones")
    assert [row["session_id"] for row in rows] == [agent.session_id]


@pytest.mark.logs("chunks_refused")
async def test_an_order_of_the_coordinator_goes_down_until_the_agent_answers_it(agent: Agent, site: Site):
    order = ForgetOrder(
        forget_id=uuid.uuid4().hex, session_id=agent.session_id, start_ns=0, end_ns=2 * SECOND_NS
    )
    async with transaction(site.pool) as connection:
        await entomb(connection, order, asked_by="coordinator")
    await eventually(lambda: len(agent.orders) == 1)
    await asyncio.to_thread(agent.client.stop)

    # What the coordinator no longer has it is sent again, and refuses: the agent shows the gap.
    again = site.client(
        agent.outbox,
        hooks=LinkHooks(on_forget=agent.orders.append, on_forgotten=agent.forgetting.take_receipt),
    )
    again.start()
    await eventually(lambda: len(agent.orders) == 2)
    await eventually(lambda: again.counters.chunks_refused == 2)
    assert "refused: forgotten" in "".join(agent.outbox.gap_lines())
    agent.forget(0, 2, forget_id=agent.orders[1].forget_id)
    await eventually(lambda: _is_answered(site.pool))
    await finish(site.pool, order.forget_id)
    await eventually(lambda: agent.forgetting.receipt(order.forget_id))
    await asyncio.to_thread(again.stop)

    assert {seen.forget_id for seen in agent.orders} == {order.forget_id}
    assert (agent.orders[0].start_ns, agent.orders[0].end_ns) == (0, 2 * SECOND_NS)
    assert await seqs(site.pool) == [2, 3, 4]


async def _is_answered(pool: asyncpg.Pool) -> bool:
    return bool(await pool.fetchval("select answered_at is not null from tombstones"))
