"""Orders to forget that an operator gives: written into the database; the processes that run do the rest."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

from coordinator.app.installation import Installation
from coordinator.errors import InputUnusable
from coordinator.model.forgetting import ForgetOrder, went_lines
from protos.segment import MAX_SESSION_NS, is_session_id
from protos.timebase import SECOND_NS

# The clocks of an agent and of this machine may differ by so much.
_CLOCK_S = 60.0


def forget_span(installation: Installation, session_id: str, start_s: float, end_s: float) -> dict[str, Any]:
    """Order a span of a session to be forgotten, here and by its agent.

    Raises:
        InputUnusable: It is no span of a session, or lies in its future.
        NotFound: There is no such session.
        DatabaseUnavailable: PostgreSQL does not answer.
    """
    order = checked_order(session_id, start_s, end_s)
    return asyncio.run(_forget(installation, order))


def list_orders(installation: Installation, limit: int = 100) -> dict[str, Any]:
    """The newest orders first, each with its receipt."""
    return asyncio.run(_list(installation, limit))


def checked_order(session_id: str, start_s: float, end_s: float) -> ForgetOrder:
    """A new order. Pure, but for its id.

    Raises:
        InputUnusable: It is none.
    """
    if not is_session_id(session_id):
        raise InputUnusable(f"session {session_id[:64]!r} is not 32 hexadecimal digits; the page lists them")
    start_ns, end_ns = round(start_s * SECOND_NS), round(end_s * SECOND_NS)
    if not 0 <= start_ns < end_ns <= MAX_SESSION_NS:
        raise InputUnusable(
            f"--start {start_s} --end {end_s} is no span of a session: seconds from its start"
        )
    return ForgetOrder(forget_id=uuid.uuid4().hex, session_id=session_id, start_ns=start_ns, end_ns=end_ns)


async def _forget(installation: Installation, order: ForgetOrder) -> dict[str, Any]:
    from coordinator.ingest.database import transaction
    from coordinator.ingest.forgetting import SQL, entomb
    from coordinator.jobs.engine import PgQueuerQueue
    from coordinator.pipeline import steps

    async with installation.pool() as pool, transaction(pool) as connection:
        now_s = await connection.fetchval(SQL["session_now"], order.session_id)
        if now_s is not None and order.end_ns / SECOND_NS > now_s + _CLOCK_S:
            raise InputUnusable(
                f"--end {order.end_ns / SECOND_NS:.1f} lies in the future: the session is at about {now_s:.0f} s"
            )
        written = await entomb(connection, order, asked_by="coordinator")
        await PgQueuerQueue().enqueue(connection, [steps.forgetting(order.forget_id)])
    return {
        "forget_id": order.forget_id,
        "session_id": order.session_id,
        "start_s": order.start_ns / SECOND_NS,
        "end_s": order.end_ns / SECOND_NS,
        "state": "open",
        "went": went_lines(written.counts),
    }


async def _list(installation: Installation, limit: int) -> dict[str, Any]:
    from coordinator.ingest.database import transaction
    from coordinator.ingest.forgetting import SQL

    async with installation.pool() as pool, transaction(pool) as connection:
        rows = await connection.fetch(SQL["orders"], limit)
    return {
        "orders": [
            {
                "forget_id": row["forget_id"],
                "session_id": row["session_id"],
                "start_s": row["start_ns"] / SECOND_NS,
                "end_s": row["end_ns"] / SECOND_NS,
                "asked_by": row["asked_by"],
                "asked_at": row["asked_at"].isoformat(),
                "agent_answered_at": row["answered_at"].isoformat() if row["answered_at"] else None,
                "state": row["state"],
                "problem": row["problem"],
                "went": went_lines(json.loads(row["went"])),
                **{
                    name: json.loads(row["receipt"] or "{}").get(name, [])
                    for name in ("remains", "unreachable")
                },
            }
            for row in rows
        ]
    }
