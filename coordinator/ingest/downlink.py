"""What goes down to an agent: held ranges, wishes, moments and exports, as messages. Any task."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Collection, Sequence

import asyncpg
import structlog

from coordinator.errors import CoordinatorError
from coordinator.ingest.chunk_rows import spool_prefixes
from coordinator.ingest.database import fetch
from coordinator.ingest.source_uploads import SourceUploads
from coordinator.ports import ObjectStore
from protos.clippy.v1 import clips_pb2, link_pb2, media_pb2

log = structlog.get_logger(__name__)

Held = dict[tuple[str, int], media_pb2.LaneRanges]
_EXPORT_URL_S = 24 * 3600
_LOOK_S = 5.0


class Downlink:
    """Reads rows and signs URLs at the moment they are sent.

    Raises (all that read):
        DatabaseUnavailable: Later.
    """

    def __init__(self, pool: asyncpg.Pool, store: ObjectStore, sources: SourceUploads) -> None:
        self._pool = pool
        self._store = store
        self._sources = sources

    async def held(self, session_ids: Sequence[str], living_nodes: Collection[str]) -> Held:
        """Which chunks of these sessions are held, and how safely."""
        held: Held = {}
        for row in await fetch(self._pool, "held_ranges", list(session_ids), spool_prefixes(living_nodes)):
            key = (row["session_id"], row["lane"])
            lane = held.setdefault(key, media_pb2.LaneRanges(session_id=key[0], lane=key[1]))
            ranges = lane.stored if row["is_stored"] else lane.fsynced
            ranges.add(first=row["first"], last=row["last"])
        return held

    async def recent_sessions(self, agent_id: str, user_id: str) -> list[str]:
        """The agent's sessions that may still get something."""
        rows = await fetch(self._pool, "recent_sessions", agent_id, user_id)
        return [row["session_id"] for row in rows]

    async def requests(
        self, session_ids: Collection[str], *, also_sent: bool
    ) -> list[link_pb2.CoordinatorMessage]:
        """Open wishes, each with URLs signed now that live as long as the wish. Call `mark_sent` after."""
        messages: list[link_pb2.CoordinatorMessage] = []
        answered: list[str] = []
        # The stream's writer waits for this, and acks wait for the writer.
        ends_s = time.monotonic() + _LOOK_S
        for row in await fetch(self._pool, "open_requests", list(session_ids), also_sent):
            expires_s = float(row["expires_unix_s"])
            request = link_pb2.SourceRequest(
                request_id=row["request_id"],
                session_id=row["session_id"],
                start_ns=row["start_ns"],
                end_ns=row["end_ns"],
                expires_unix_ms=int(expires_s * 1000),
                reason=row["reason"] or ("a moment" if row["moment_id"] else "a clip you pressed for"),
            )
            lasting_s = max(1, int(expires_s - time.time()))
            try:
                self._sources.address(request, row, lasting_s=lasting_s)
            except CoordinatorError as exc:
                log.warning("upload_not_signed", request_id=row["request_id"], problem=str(exc))
                continue
            try:
                await self._sources.address_parts(
                    request, row, lasting_s=lasting_s, patience_s=max(0.1, ends_s - time.monotonic())
                )
                if row["is_asked"]:
                    answered.append(row["request_id"])
            except CoordinatorError as exc:
                # Without word of its parts: the agent offers the file again.
                log.warning("parts_not_addressed", request_id=row["request_id"], problem=str(exc))
            messages.append(link_pb2.CoordinatorMessage(source_request=request))
        if answered:
            await fetch(self._pool, "answer_offers", answered)
        return messages

    async def mark_sent(self, request_ids: Sequence[str]) -> None:
        """These wishes are on their way."""
        await fetch(self._pool, "mark_sent", list(request_ids))

    async def moments(
        self, session_ids: Collection[str], since: datetime.datetime
    ) -> list[tuple[datetime.datetime, link_pb2.CoordinatorMessage]]:
        """Moments that changed, each with when."""
        return [
            (row["updated_at"], link_pb2.CoordinatorMessage(moment=_moment(row)))
            for row in await fetch(self._pool, "changed_moments", list(session_ids), since)
        ]

    async def exports(
        self, session_ids: Collection[str], since: datetime.datetime
    ) -> list[tuple[datetime.datetime, link_pb2.CoordinatorMessage]]:
        """Exports that changed, each with when; a ready one with a URL that plays it for a day."""
        found: list[tuple[datetime.datetime, link_pb2.CoordinatorMessage]] = []
        for row in await fetch(self._pool, "changed_exports", list(session_ids), since):
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
            found.append((row["updated_at"], link_pb2.CoordinatorMessage(export=export)))
        return found


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
        evidence=[
            clips_pb2.Evidence(lane=str(item["lane"]), weight=float(item["weight"]), note=str(item["note"]))
            for item in json.loads(row["evidence"])
        ],
    )
