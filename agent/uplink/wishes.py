"""The coordinator's wishes for full quality, kept in the outbox until they are answered.

A wish survives kill -9; its answer is written in the transaction that removes it, so it is answered once.
"""

from __future__ import annotations

import dataclasses
import time

import msgspec

from agent.model.clips import SourceWish
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_rows import add_event
from protos.clippy.v1 import link_pb2

MAX_OPEN_WISHES = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenWish:
    """A wish, and whether its span is pinned already."""

    wish: SourceWish
    is_pinned: bool


class WishBook:
    """Any thread. Raises as `Outbox`."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def save(self, wish: SourceWish) -> bool:
        """Keep a wish, or take over its new URL; False: it was answered, and the answer is on its way.

        When too many are open it is answered with FAILED at once: the coordinator may ask again later.
        """
        with self._outbox.file.transaction() as db:
            if self._has_answer_on_the_way(wish.request_id):
                return False
            (num_open,) = db.execute(
                "select count(*) from wishes where request_id <> ?", [wish.request_id]
            ).fetchone()
            if num_open < MAX_OPEN_WISHES:
                db.execute(
                    "insert into wishes values (?, ?, ?, 'new', ?)"
                    " on conflict (request_id) do update set wish = excluded.wish",
                    [wish.request_id, wish.session_id, _encode(wish), time.time_ns() // 1_000_000],
                )
                return True
        reply = link_pb2.SourceReply(
            request_id=wish.request_id,
            state=link_pb2.SourceReply.FAILED,
            reason=f"{MAX_OPEN_WISHES} requests wait already; ask again later",
        )
        self.answer(wish, reply)
        return False

    def open(self) -> list[OpenWish]:
        """All wishes that wait, oldest first."""
        rows = self._outbox.file.rows("select wish, state from wishes order by created_unix_ms, request_id")
        return [OpenWish(wish=_decode(text), is_pinned=state == "pinned") for text, state in rows]

    def mark_pinned(self, wish: SourceWish) -> None:
        """The span is safe; the coordinator is told."""
        reply = link_pb2.SourceReply(request_id=wish.request_id, state=link_pb2.SourceReply.PINNED)
        with self._outbox.file.transaction() as db:
            db.execute("update wishes set state = 'pinned' where request_id = ?", [wish.request_id])
            add_event(db, wish.session_id, "reply", link_pb2.AgentMessage(source_reply=reply))
        self._outbox.nudge()

    def answer(self, wish: SourceWish, reply: link_pb2.SourceReply) -> None:
        """Done, one way or the other: the answer is sent until the coordinator has committed it."""
        with self._outbox.file.transaction() as db:
            db.execute("delete from wishes where request_id = ?", [wish.request_id])
            if reply.state == link_pb2.SourceReply.UPLOADED:
                db.execute(
                    "insert or replace into sent_sources values (?, ?, ?, ?, ?)",
                    [wish.request_id, wish.session_id, reply.start_ns, reply.end_ns, reply.size_bytes],
                )
            add_event(db, wish.session_id, "reply", link_pb2.AgentMessage(source_reply=reply))
        self._outbox.nudge()

    def _has_answer_on_the_way(self, request_id: str) -> bool:
        rows = self._outbox.file.rows("select payload from events where kind = 'reply'")
        replies = (link_pb2.AgentMessage.FromString(payload).source_reply for (payload,) in rows)
        return any(
            reply.request_id == request_id and reply.state != link_pb2.SourceReply.PINNED for reply in replies
        )


def _encode(wish: SourceWish) -> str:
    return msgspec.json.encode(wish).decode()


def _decode(text: str) -> SourceWish:
    return msgspec.json.decode(text, type=SourceWish)
