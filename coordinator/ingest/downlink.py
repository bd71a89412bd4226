"""What goes down to an agent: held ranges, wishes, moments and exports, as messages. Any task."""

from __future__ import annotations

import dataclasses
import datetime
import json
import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import asyncpg
import structlog

from coordinator.errors import CoordinatorError
from coordinator.ingest.batched import Batched
from coordinator.ingest.database import SQL, STATEMENT_S, fetch, transaction
from coordinator.ingest.held import Held, read_held
from coordinator.ingest.source_uploads import SourceUploads
from coordinator.ingest.words_down import MAX_WORDS
from coordinator.ports import ObjectStore
from protos.clippy.v1 import clips_pb2, link_pb2

log = structlog.get_logger(__name__)

_EXPORT_URL_S = 24 * 3600
_LOOK_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What there is for one agent. `changed`: moments, exports and wishes that came to nothing, each
    with when.

    `requests` are wishes with URLs signed now that live as long as the wish: call `mark_sent` once they are written.
    `offered`: those of them whose file the agent has offered, with their rows.
    `heard`: words of each session, in their order.
    """

    requests: list[link_pb2.CoordinatorMessage]
    changed: list[tuple[datetime.datetime, link_pb2.CoordinatorMessage]]
    offered: list[tuple[link_pb2.SourceRequest, asyncpg.Record]]
    heard: dict[str, list[link_pb2.HeardWords]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    session_ids: tuple[str, ...]
    since: datetime.datetime
    also_sent: bool
    words_after: tuple[tuple[str, int], ...]


class Downlink:
    """Reads rows, for many agents at once, and signs URLs at the moment they are sent.

    Raises (all that read):
        DatabaseUnavailable: Later.
    """

    def __init__(self, pool: asyncpg.Pool, store: ObjectStore, sources: SourceUploads) -> None:
        self._pool = pool
        self._store = store
        self._sources = sources
        self._news: Batched[_Question, News] = Batched(self._read_news)
        self._held: Batched[tuple[str, ...], Held] = Batched(self._read_stored)

    async def stored(self, session_ids: Collection[str]) -> Held:
        """Which chunks of these sessions are in the store."""
        return await self._held.ask(tuple(session_ids))

    async def news(
        self,
        session_ids: Collection[str],
        *,
        since: datetime.datetime,
        also_sent: bool,
        words_after: Mapping[str, int] = MappingProxyType({}),
    ) -> News:
        """Open wishes, and moments and exports that changed since then.

        Args:
            also_sent: wishes too that went down before: the agent may have lost them.
            words_after: of these sessions the words, too, after the utterance of this number.
        """
        question = _Question(
            session_ids=tuple(session_ids),
            since=since,
            also_sent=also_sent,
            words_after=tuple(words_after.items()),
        )
        news = await self._news.ask(question)
        if news.offered:
            await self._address_parts(news.offered)
        return news

    async def mark_sent(self, request_ids: Sequence[str]) -> None:
        """These wishes are on their way."""
        await fetch(self._pool, "mark_sent", list(request_ids))

    async def _read_stored(self, questions: Sequence[tuple[str, ...]]) -> list[Held | Exception]:
        wanted = sorted({session_id for sessions in questions for session_id in sessions})
        async with transaction(self._pool) as connection:
            held = await read_held(connection, wanted, ())
        return [
            {key: lane for key, lane in held.items() if key[0] in set(sessions)} for sessions in questions
        ]

    async def _read_news(self, questions: Sequence[_Question]) -> list[News | Exception]:
        owner = [number for number, question in enumerate(questions) for _ in question.session_ids]
        sessions = [session_id for question in questions for session_id in question.session_ids]
        since = [questions[number].since for number in owner]
        also_sent = [questions[number].also_sent for number in owner]
        news = [News(requests=[], changed=[], offered=[], heard={}) for _ in questions]
        async with transaction(self._pool) as connection:
            wishes = await connection.fetch(
                SQL["open_requests"], owner, sessions, also_sent, timeout=STATEMENT_S
            )
            moments = await connection.fetch(
                SQL["changed_moments"], owner, sessions, since, timeout=STATEMENT_S
            )
            exports = await connection.fetch(
                SQL["changed_exports"], owner, sessions, since, timeout=STATEMENT_S
            )
            ended = await connection.fetch(SQL["ended_requests"], owner, sessions, since, timeout=STATEMENT_S)
            heard = await _heard(connection, questions)
        for row in wishes:
            if (message := self._request(row)) is not None:
                news[row["owner"]].requests.append(message)
                if row["offered_sha256"] is not None:
                    news[row["owner"]].offered.append((message.source_request, row))
        for row in moments:
            message = link_pb2.CoordinatorMessage(moment=_moment(row))
            news[row["owner"]].changed.append((row["updated_at"], message))
        for row in exports:
            message = link_pb2.CoordinatorMessage(export=self._export(row))
            news[row["owner"]].changed.append((row["updated_at"], message))
        for row in ended:
            message = link_pb2.CoordinatorMessage(export=_no_source(row))
            news[row["owner"]].changed.append((row["updated_at"], message))
        for row in heard:
            words = link_pb2.HeardWords(
                id=row["utterance_id"], start_ns=row["start_ns"], end_ns=row["end_ns"], text=row["said"]
            )
            news[row["owner"]].heard.setdefault(row["session_id"], []).append(words)
        return list(news)

    async def _address_parts(self, offered: Sequence[tuple[link_pb2.SourceRequest, asyncpg.Record]]) -> None:
        """One agent's alone: a store that is slow holds up nobody else, and this one's acks for a moment."""
        ends_s = time.monotonic() + _LOOK_S
        answered: list[str] = []
        for request, row in offered:
            try:
                await self._sources.address_parts(
                    request, row, lasting_s=_lasting_s(row), patience_s=max(0.1, ends_s - time.monotonic())
                )
            except CoordinatorError as exc:
                # It goes without word of its parts: the agent offers the file again.
                log.warning("parts_not_addressed", request_id=row["request_id"], problem=str(exc))
            else:
                if row["is_asked"]:
                    answered.append(row["request_id"])
        if answered:
            await fetch(self._pool, "answer_offers", answered)

    def _request(self, row: asyncpg.Record) -> link_pb2.CoordinatorMessage | None:
        request = link_pb2.SourceRequest(
            request_id=row["request_id"],
            session_id=row["session_id"],
            start_ns=row["start_ns"],
            end_ns=row["end_ns"],
            expires_unix_ms=int(float(row["expires_unix_s"]) * 1000),
            reason=row["reason"] or ("a moment" if row["moment_id"] else "a clip you pressed for"),
            replaces=row["replaces"],
        )
        message = link_pb2.CoordinatorMessage(source_request=request)
        try:
            self._sources.address(message.source_request, row, lasting_s=_lasting_s(row))
        except CoordinatorError as exc:
            log.warning("upload_not_signed", request_id=row["request_id"], problem=str(exc))
            return None
        return message

    def _export(self, row: asyncpg.Record) -> clips_pb2.Export:
        """A ready one with a URL that plays it for a day."""
        export = clips_pb2.Export(
            export_id=row["export_id"],
            moment_id=row["moment_id"] or "",
            preset=row["preset"],
            state=row["state"],
            reason=row["reason"],
            width=row["width"] or 0,
            height=row["height"] or 0,
            duration_s=row["duration_s"] or 0.0,
            clip_id=row["marker_clip_id"] or "",
        )
        if row["state"] == "ready" and row["object_key"]:
            try:
                export.url = self._store.sign_get(row["object_key"], expires_in_s=_EXPORT_URL_S)
            except CoordinatorError as exc:
                log.warning("export_not_signed", export_id=row["export_id"], problem=str(exc))
        return export


async def _heard(connection: asyncpg.Connection, questions: Sequence[_Question]) -> list[asyncpg.Record]:
    asked = [(number, *item) for number, question in enumerate(questions) for item in question.words_after]
    if not asked:
        return []
    owner, sessions, after = zip(*asked, strict=True)
    rows: list[asyncpg.Record] = await connection.fetch(
        SQL["words_heard"], list(owner), list(sessions), list(after), MAX_WORDS, timeout=STATEMENT_S
    )
    return rows


def _no_source(row: asyncpg.Record) -> clips_pb2.Export:
    """A wish that came to nothing, as the post that there will not be: every agent shows those, older ones too."""
    return clips_pb2.Export(
        export_id=row["request_id"],
        moment_id=row["moment_id"] or "",
        clip_id=row["marker_clip_id"] or "",
        preset="full quality",
        state="failed",
        reason=f"expired: {row['reason']}" if row["state"] == "expired" else row["reason"],
    )


def _lasting_s(row: asyncpg.Record) -> int:
    return max(1, int(float(row["expires_unix_s"]) - time.time()))


def _moment(row: asyncpg.Record) -> clips_pb2.Moment:
    return clips_pb2.Moment(
        moment_id=row["moment_id"],
        session_id=row["session_id"],
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        peak_ns=row["peak_ns"],
        score=row["score"],
        kind=row["kind"],
        title=row["title"],
        roll_before_ns=row["roll_before_ns"],
        roll_after_ns=row["roll_after_ns"],
        evidence=[
            clips_pb2.Evidence(lane=str(item["lane"]), weight=float(item["weight"]), note=str(item["note"]))
            for item in json.loads(row["evidence"])
        ],
    )
