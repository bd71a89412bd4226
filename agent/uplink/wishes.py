"""The coordinator's wishes for full quality, kept in the outbox until they are answered, each with its file.

A wish survives kill -9; its answer is written in the transaction that removes it, so it is answered once.
"""

from __future__ import annotations

import dataclasses
import time

import msgspec

from agent.model.clips import ClipFile, SourceWish
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_rows import add_event
from protos.clippy.v1 import link_pb2

MAX_OPEN_WISHES = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """The exact file of a wish. It stays until the wish is answered: an upload goes on with the same bytes or anew."""

    path: str
    size_bytes: int
    sha256: bytes
    start_ns: int
    end_ns: int

    def as_clip(self) -> ClipFile:
        """As the engine knows it."""
        return ClipFile(
            path=self.path,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            size_bytes=self.size_bytes,
            is_exact=True,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenWish:
    """A wish, whether its span is pinned already, and the file that was made for it, if any."""

    wish: SourceWish
    is_pinned: bool
    file: KeptFile | None = None


class WishBook:
    """Any thread. Raises as `Outbox`."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def save(self, wish: SourceWish) -> bool:
        """Keep a wish, or take over its new URLs; False: it was answered, and the answer is on its way.

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
                    "insert into wishes (request_id, session_id, wish, state, created_unix_ms)"
                    " values (?, ?, ?, 'new', ?)"
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
        rows = self._outbox.file.rows(
            "select wish, state, file from wishes order by created_unix_ms, request_id"
        )
        return [_open_wish(*row) for row in rows]

    def find(self, request_id: str) -> OpenWish | None:
        """One of them as it is now; None: it was answered."""
        rows = self._outbox.file.rows(
            "select wish, state, file from wishes where request_id = ?", [request_id]
        )
        return _open_wish(*rows[0]) if rows else None

    def num_open(self) -> int:
        """How many wait."""
        return int(self._outbox.file.rows("select count(*) from wishes")[0][0])

    def mark_pinned(self, wish: SourceWish) -> None:
        """The span is safe; the coordinator is told."""
        reply = link_pb2.SourceReply(request_id=wish.request_id, state=link_pb2.SourceReply.PINNED)
        with self._outbox.file.transaction() as db:
            db.execute("update wishes set state = 'pinned' where request_id = ?", [wish.request_id])
            add_event(db, wish.session_id, "reply", link_pb2.AgentMessage(source_reply=reply))
        self._outbox.nudge()

    def keep_file(self, wish: SourceWish, file: KeptFile | None) -> None:
        """This is the wish's file from now on; None: it is gone."""
        text = None if file is None else msgspec.json.encode(file).decode()
        with self._outbox.file.transaction() as db:
            db.execute("update wishes set file = ? where request_id = ?", [text, wish.request_id])

    def offer(self, wish: SourceWish, file: KeptFile) -> None:
        """Ask the coordinator where the file goes; sent until it has committed the question."""
        offer = link_pb2.SourceOffer(
            request_id=wish.request_id, size_bytes=file.size_bytes, sha256=file.sha256
        )
        with self._outbox.file.transaction() as db:
            for event_id, payload in db.execute(
                "select event_id, payload from events where kind = 'offer'"
            ).fetchall():
                # The newest takes the place of those before.
                if link_pb2.AgentMessage.FromString(payload).source_offer.request_id == wish.request_id:
                    db.execute("delete from events where event_id = ?", [event_id])
            add_event(db, wish.session_id, "offer", link_pb2.AgentMessage(source_offer=offer))
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


def _open_wish(wish: str, state: str, file: str | None) -> OpenWish:
    return OpenWish(
        wish=msgspec.json.decode(wish, type=SourceWish),
        is_pinned=state == "pinned",
        file=None if file is None else msgspec.json.decode(file, type=KeptFile),
    )


def _encode(wish: SourceWish) -> str:
    return msgspec.json.encode(wish).decode()
