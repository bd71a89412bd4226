"""Where agents and coordinator tell each other what to forget: takes orders, hands out orders and receipts.

An order is committed before the agent hears anything of it. A receipt goes to every stream that asked for it, as soon
as it is there; an order of the coordinator's own goes to the agent at each connect, until that agent has answered it.
Owned by the loop; `run` is one task.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import asyncpg
import structlog

from coordinator.errors import ChunkRefused, CoordinatorError, DatabaseUnavailable, NotFound
from coordinator.ingest.database import transaction
from coordinator.ingest.forgetting import SQL, entomb
from coordinator.ingest.sweeping import SpoolSweeper
from coordinator.model.forgetting import ForgetOrder
from coordinator.model.jobs import NewJob
from coordinator.ports import JobQueue
from protos.clippy.v1 import link_pb2
from protos.segment import MAX_SESSION_NS, is_session_id

log = structlog.get_logger(__name__)

_SHORTEST_S = 0.1


class Hearer(Protocol):
    """A stream, as far as forgetting needs it."""

    agent_id: str
    user_id: str

    def say(self, *messages: link_pb2.CoordinatorMessage) -> None:
        """Send them, in order."""
        ...


class ForgetDesk:
    """One process's desk."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        jobs: JobQueue,
        sweeper: SpoolSweeper,
        *,
        streams: Callable[[], Collection[Hearer]],
        after_forget: Callable[[str], Sequence[NewJob]],
        poll_s: float = 5.0,
    ) -> None:
        """Args: after_forget: (forget_id): the jobs that work an order off; they are enqueued with it."""
        self._pool = pool
        self._jobs = jobs
        self._sweeper = sweeper
        self._streams = streams
        self._after_forget = after_forget
        self._poll_s = poll_s
        self._asking: dict[str, weakref.WeakSet[Hearer]] = {}
        self._told: weakref.WeakKeyDictionary[Hearer, set[str]] = weakref.WeakKeyDictionary()
        self._wake = asyncio.Event()
        self._problem = ""

    async def take(self, stream: Hearer, message: link_pb2.Forget) -> None:
        """An agent has forgotten a span, and asks for the same here.

        Raises:
            ChunkRefused: The message breaks a rule, or the session is not this account's.
            DatabaseUnavailable: Later.
        """
        order = checked_order(message)
        try:
            async with transaction(self._pool) as connection:
                written = await entomb(connection, order, asked_by="agent", user_id=stream.user_id)
                if written.is_new:
                    await self._jobs.enqueue(connection, self._after_forget(order.forget_id))
        except NotFound:
            # Nothing of it is here, nor can come: chunks of unknown sessions are refused.
            stream.say(_receipt_message(order.forget_id, {}))
            return
        if written.is_new:
            log.info(
                "forgetting_began",
                forget_id=order.forget_id,
                session_id=order.session_id,
                counts=written.counts,
            )
        self._asking.setdefault(order.forget_id, weakref.WeakSet()).add(stream)
        self._wake.set()

    def has_news(self) -> None:
        """Something has changed in the database: perhaps a receipt that somebody waits for."""
        if self._asking:
            self._wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep, and hand out, until `stopping` is set."""
        while not stopping.is_set():
            self._wake.clear()
            try:
                await self.turn()
                self._problem = ""
            except DatabaseUnavailable as exc:
                log.info("forgetting_put_off", problem=str(exc))
            except CoordinatorError as exc:
                if str(exc) != self._problem:
                    log.warning("forgetting_delayed", problem=str(exc))
                self._problem = str(exc)
            except Exception:
                log.exception("forgetting_failed")
            await self._rest(stopping)

    async def turn(self) -> None:
        """One round.

        Raises:
            DatabaseUnavailable, StoreUnavailable, DiskFull: The next round goes on.
        """
        has_unanswered = await self._sweeper.look()
        await self._hand_out_receipts()
        if has_unanswered:
            await self._hand_out_orders()

    async def _hand_out_receipts(self) -> None:
        self._asking = {forget_id: streams for forget_id, streams in self._asking.items() if len(streams)}
        if not self._asking:
            return
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(SQL["receipts"], list(self._asking))
        for row in rows:
            message = _receipt_message(row["forget_id"], json.loads(row["receipt"]))
            for stream in self._asking.pop(row["forget_id"], ()):
                stream.say(message)

    async def _hand_out_orders(self) -> None:
        by_agent: dict[str, list[Hearer]] = {}
        for stream in self._streams():
            if stream.agent_id:
                by_agent.setdefault(stream.agent_id, []).append(stream)
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(SQL["unanswered"], list(by_agent))
        for row in rows:
            message = link_pb2.CoordinatorMessage(
                forget=link_pb2.Forget(
                    forget_id=row["forget_id"],
                    session_id=row["session_id"],
                    start_ns=row["start_ns"],
                    end_ns=row["end_ns"],
                )
            )
            for stream in by_agent[row["agent_id"]]:
                told = self._told.setdefault(stream, set())
                if row["forget_id"] not in told:
                    told.add(row["forget_id"])
                    stream.say(message)

    async def _rest(self, stopping: asyncio.Event) -> None:
        """Until the next round: something woke us, or it is time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _SHORTEST_S)
            return
        woken, ended = asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait({woken, ended}, timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            ended.cancel()


def checked_order(message: link_pb2.Forget) -> ForgetOrder:
    """What an agent orders. Pure.

    Raises:
        ChunkRefused: It breaks a rule.
    """
    # Ids of orders look like those of sessions.
    if not is_session_id(message.forget_id):
        raise ChunkRefused(f"forget_id {message.forget_id[:64]!r} is not 32 hexadecimal digits")
    if not is_session_id(message.session_id):
        raise ChunkRefused(f"session_id {message.session_id[:64]!r} is not 32 hexadecimal digits")
    if not 0 <= message.start_ns < message.end_ns <= MAX_SESSION_NS:
        raise ChunkRefused(f"times {message.start_ns}..{message.end_ns} ns are no span of a session")
    return ForgetOrder(
        forget_id=message.forget_id,
        session_id=message.session_id,
        start_ns=message.start_ns,
        end_ns=message.end_ns,
    )


def _receipt_message(forget_id: str, receipt: dict[str, list[str]]) -> link_pb2.CoordinatorMessage:
    return link_pb2.CoordinatorMessage(
        forgotten=link_pb2.Forgotten(
            forget_id=forget_id,
            went=receipt.get("went", []),
            remains=receipt.get("remains", []),
            unreachable=receipt.get("unreachable", []),
        )
    )
