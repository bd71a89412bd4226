"""The pipeline's rows in PostgreSQL: port `Rows`. The SQL is in rows.sql, by the methods' names.

Source: coordinator/store/migrations. JSON columns travel as text.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coordinator.database import translated
from coordinator.errors import NotFound
from coordinator.model.chunks import ChunkRow
from coordinator.model.highlight import Evidence
from coordinator.model.llm import Opinion
from coordinator.model.media import ExportResult
from coordinator.model.sessions import (
    ClipRow,
    FeatureRow,
    LeftoverUpload,
    MarkerRow,
    MomentRow,
    RequestRow,
    SessionOwner,
    SessionRow,
    SpokenWord,
    TranscriptRow,
    WordsAwaited,
)
from coordinator.policy.source_uploads import FIRST_RETRY_S, MAX_RETRIES, UNPINNED_EXPIRES_S
from coordinator.statements import load_statements
from protos.clippy.v1 import media_pb2
from protos.segment import LANE_NAMES

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("coordinator.store", "rows.sql")
_ACQUIRE_TIMEOUT_S = 10.0


class PostgresRows:
    """Port `Rows` on an asyncpg pool."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def _fetch(self, name: str, *values: Any) -> list[asyncpg.Record]:
        with translated(f" ({name})"):
            async with self._pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
                rows: list[asyncpg.Record] = await connection.fetch(SQL[name], *values)
                return rows

    async def _one(self, name: str, *values: Any) -> asyncpg.Record:
        rows = await self._fetch(name, *values)
        if not rows:
            raise NotFound(f"no {name} {'/'.join(str(value) for value in values)}; it may have been deleted")
        return rows[0]

    async def chunk(self, session_id: str, lane: int, seq: int) -> ChunkRow:
        return ChunkRow(**dict(await self._one("chunk", session_id, lane, seq)))

    async def session(self, session_id: str) -> SessionRow:
        row = await self._one("session", session_id)
        counts: dict[str, int] | None = json.loads(row["lane_counts"]) if row["lane_counts"] else None
        for lane, num_missing in json.loads(row["missing"] or "{}").items():
            name = LANE_NAMES.get(media_pb2.Lane.ValueType(int(lane)), lane)
            if counts and name in counts:
                counts[name] = max(0, counts[name] - num_missing)
        return SessionRow(
            session_id=row["session_id"],
            is_live=row["is_live"],
            duration_ns=row["duration_ns"],
            lane_counts=counts,
        )

    async def features(self, session_id: str, *, since_ns: int) -> list[FeatureRow]:
        return [
            FeatureRow(
                lane=row["lane"],
                seq=row["seq"],
                start_ns=row["start_ns"],
                step_ns=row["step_ns"],
                tracks=json.loads(row["tracks"]),
            )
            for row in await self._fetch("features_of", session_id, since_ns)
        ]

    async def transcripts(self, session_id: str, *, start_ns: int, end_ns: int) -> list[TranscriptRow]:
        return [
            TranscriptRow(
                session_id=session_id,
                lane=0,
                seq=row["seq"],
                start_ns=row["start_ns"],
                end_ns=row["end_ns"],
                language=row["language"],
                engine=row["engine"],
                model=row["model"],
                words=tuple(
                    SpokenWord(text=text, start_ns=begin, end_ns=end)
                    for text, begin, end in json.loads(row["words"])
                ),
            )
            for row in await self._fetch("transcripts_of", session_id, start_ns, end_ns)
        ]

    async def markers(self, session_id: str) -> list[MarkerRow]:
        return [MarkerRow(**dict(row)) for row in await self._fetch("markers_of", session_id)]

    async def unheard_in_span(
        self, connection: asyncpg.Connection, session_id: str, lane: int, *, start_ns: int, end_ns: int
    ) -> list[int]:
        rows = await connection.fetch(SQL["unheard_in_span"], session_id, lane, start_ns, end_ns)
        return [row["seq"] for row in rows]

    async def request(self, request_id: str) -> RequestRow:
        return RequestRow(**dict(await self._one("request", request_id)))

    async def clip(self, clip_id: str) -> ClipRow:
        return ClipRow(request_id="", **dict(await self._one("clip", clip_id)))

    async def words_awaited(self, clip_id: str) -> WordsAwaited:
        return WordsAwaited(**dict(await self._one("words_awaited", clip_id, media_pb2.LANE_MIC)))

    async def save_transcript(self, connection: asyncpg.Connection, row: TranscriptRow) -> None:
        words = json.dumps([[word.text, word.start_ns, word.end_ns] for word in row.words])
        await connection.execute(
            SQL["save_transcript"],
            row.session_id,
            row.lane,
            row.seq,
            row.start_ns,
            row.end_ns,
            row.language,
            row.engine,
            row.model,
            words,
        )

    async def save_features(self, connection: asyncpg.Connection, session_id: str, row: FeatureRow) -> None:
        await connection.execute(
            SQL["save_features"],
            session_id,
            row.lane,
            row.seq,
            row.start_ns,
            row.step_ns,
            json.dumps(row.tracks, allow_nan=False),
            row.reason,
        )

    async def lock_session(self, connection: asyncpg.Connection, session_id: str) -> None:
        await connection.execute(SQL["lock_session"], session_id)

    async def moments(self, connection: asyncpg.Connection, session_id: str) -> list[MomentRow]:
        return [_moment(session_id, row) for row in await connection.fetch(SQL["moments_of"], session_id)]

    async def offered(self, session_id: str) -> list[MomentRow]:
        return [_moment(session_id, row) for row in await self._fetch("moments_of", session_id)]

    async def owner(self, session_id: str) -> SessionOwner:
        return SessionOwner(**dict(await self._one("owner", session_id)))

    async def add_moment(self, connection: asyncpg.Connection, row: MomentRow) -> None:
        await connection.execute(
            SQL["add_moment"],
            row.moment_id,
            row.session_id,
            row.start_ns,
            row.end_ns,
            row.peak_ns,
            row.score,
            row.kind,
            row.title,
            _evidence_json(row),
            _opinion_json(row),
            row.is_forming,
            row.roll_before_ns,
            row.roll_after_ns,
        )

    async def drop_moment(self, connection: asyncpg.Connection, moment_id: str) -> None:
        await connection.execute(SQL["drop_moment"], moment_id)

    async def rescore_moment(self, connection: asyncpg.Connection, row: MomentRow) -> None:
        await connection.execute(
            SQL["rescore_moment"],
            row.moment_id,
            row.score,
            row.kind,
            row.title,
            _evidence_json(row),
            _opinion_json(row),
            row.start_ns,
            row.end_ns,
            row.peak_ns,
            row.is_forming,
            row.roll_before_ns,
            row.roll_after_ns,
        )

    async def set_moments_reason(self, connection: asyncpg.Connection, session_id: str, reason: str) -> None:
        await connection.execute(SQL["set_moments_reason"], session_id, reason)

    async def num_requests_last_hour(self, connection: asyncpg.Connection, session_id: str) -> int:
        return int(await connection.fetchval(SQL["num_requests_last_hour"], session_id))

    async def add_request(
        self, connection: asyncpg.Connection, row: RequestRow, *, expires_in_s: float
    ) -> None:
        await connection.execute(
            SQL["add_request"],
            row.request_id,
            row.session_id,
            row.moment_id,
            row.marker_clip_id,
            row.start_ns,
            row.end_ns,
            row.object_key,
            expires_in_s,
        )

    async def replace_requests(self, connection: asyncpg.Connection, row: RequestRow) -> bool:
        values = (row.session_id, row.marker_clip_id)
        replaced = await connection.fetch(SQL["replace_requests"], *values, row.request_id)
        if replaced:
            # A statement of its own: what a cut that ended just now has written is seen.
            await connection.execute(SQL["replace_exports"], *values)
            await connection.execute(SQL["let_expire"], row.session_id)
        return bool(replaced)

    async def presets_before(self, connection: asyncpg.Connection, request_id: str) -> list[str]:
        return [row["preset"] for row in await connection.fetch(SQL["presets_before"], request_id)]

    async def add_clip(self, connection: asyncpg.Connection, row: ClipRow) -> None:
        await connection.execute(
            SQL["add_clip"],
            row.clip_id,
            row.session_id,
            row.moment_id,
            row.request_id,
            row.object_key,
            row.start_ns,
            row.end_ns,
            row.width,
            row.height,
        )
        # A statement of its own: a request that was replaced just now is seen as that.
        await connection.execute(SQL["doom_cut"], row.request_id, row.object_key)

    async def add_export(
        self, connection: asyncpg.Connection, *, export_id: str, clip_id: str, preset: str
    ) -> None:
        await connection.execute(SQL["add_export"], export_id, clip_id, preset)

    async def clip_meant(self, text: str) -> str:
        """The clip that an id means: its own, its moment's or its press's. Raises NotFound."""
        # PostgreSQL itself refuses a text with a NUL in it.
        rows = await self._fetch("clip_meant", text.replace("\0", ""))
        if not rows:
            raise NotFound(f"no clip {text[:64]!r} here; give its id, its moment's or its press's")
        return str(rows[0]["clip_id"])

    async def ask_export(
        self, connection: asyncpg.Connection, *, export_id: str, clip_id: str, preset: str
    ) -> str | None:
        """Ask for a post by itself; returns its state where it is ready or on its way, None where it is wanted now."""
        rows = await connection.fetch(SQL["ask_export"], export_id, clip_id, preset)
        return None if rows else str(await connection.fetchval(SQL["export_state"], clip_id, preset))

    async def wanted_presets(self, clip_id: str, preset: str | None) -> list[str]:
        return [row["preset"] for row in await self._fetch("wanted_presets", clip_id, preset)]

    async def finish_export(self, export_id: str, object_key: str, result: ExportResult) -> bool:
        ready = await self._fetch(
            "finish_export",
            export_id,
            object_key,
            result.width,
            result.height,
            result.duration_s,
            result.lufs,
            result.captions,
            result.size_bytes,
        )
        return bool(ready) or not await self._fetch("is_unwanted", export_id)

    async def fail_export(self, connection: asyncpg.Connection, export_id: str, reason: str) -> None:
        await connection.execute(SQL["fail_export"], export_id, reason)

    async def fail_exports(self, connection: asyncpg.Connection, clip_id: str, reason: str) -> None:
        await connection.execute(SQL["fail_exports"], clip_id, reason)

    async def fail_request(self, connection: asyncpg.Connection, request_id: str, reason: str) -> None:
        await connection.execute(SQL["fail_request"], request_id, reason)

    async def reopen_export(self, connection: asyncpg.Connection, export_id: str) -> None:
        await connection.execute(SQL["reopen_export"], export_id)

    async def reopen_exports(self, connection: asyncpg.Connection, clip_id: str) -> None:
        await connection.execute(SQL["reopen_exports"], clip_id)

    async def reopen_request(self, connection: asyncpg.Connection, request_id: str) -> None:
        await connection.execute(SQL["reopen_request"], request_id)

    async def ask_again(self, connection: asyncpg.Connection, request_id: str, reason: str) -> None:
        await connection.execute(SQL["ask_again"], request_id, reason, MAX_RETRIES, FIRST_RETRY_S)

    async def mark_joined(self, connection: asyncpg.Connection, request_id: str) -> None:
        await connection.execute(SQL["mark_joined"], request_id)

    async def leftover_uploads(self) -> list[LeftoverUpload]:
        return [LeftoverUpload(**dict(row)) for row in await self._fetch("leftover_uploads")]

    async def mark_swept(self, connection: asyncpg.Connection, request_ids: Sequence[str]) -> None:
        await connection.execute(SQL["mark_swept"], list(request_ids))

    async def expire_requests(self, connection: asyncpg.Connection) -> None:
        await connection.execute(SQL["expire_requests"], UNPINNED_EXPIRES_S)

    async def notify_link(self, connection: asyncpg.Connection, session_id: str) -> None:
        await connection.execute(SQL["notify_link"], session_id)


def _moment(session_id: str, row: asyncpg.Record) -> MomentRow:
    plain = {key: value for key, value in row.items() if key not in ("evidence", "opinion")}
    return MomentRow(
        session_id=session_id,
        **plain,
        evidence=tuple(Evidence(**item) for item in json.loads(row["evidence"])),
        opinion=_opinion(json.loads(row["opinion"])) if row["opinion"] else None,
    )


def _opinion(value: dict[str, Any]) -> Opinion:
    # JSON has no tuples, and opinions of an older release have no hashtags.
    return Opinion(**value | {"hashtags": tuple(value.get("hashtags", ()))})


def _opinion_json(row: MomentRow) -> str | None:
    return None if row.opinion is None else json.dumps(dataclasses.asdict(row.opinion))


def _evidence_json(row: MomentRow) -> str:
    return json.dumps(
        [{"lane": item.lane, "weight": item.weight, "note": item.note} for item in row.evidence]
    )
