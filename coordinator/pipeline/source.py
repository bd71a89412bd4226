"""Stages `video-processing` and `clip-generation`: an uploaded source becomes a clip in the store.

The upload came from outside: it is compared with what the agent promised, and probed in a limited child, before
anything else touches it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import MediaUnusable, UploadDamaged
from coordinator.model.jobs import Job, NewJob
from coordinator.model.media import MediaFile, MediaTrack
from coordinator.model.object_keys import clip_id_of, clip_key, export_id_of
from coordinator.model.sessions import ClipRow, RequestRow
from coordinator.pipeline import steps
from coordinator.pipeline.upload import fetch_object, fetch_upload, parts_of_request
from coordinator.ports import Effect, Media, ObjectStore
from coordinator.row_ports import Posts, Rows
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)

# An agent's file may differ from what it promised by a frame at either end, and by its muxer's rounding.
_TOLERANCE_S = 0.25


class Preparation:
    """Looks at an uploaded source: is it what was promised? Joins one that came in parts."""

    def __init__(self, *, rows: Rows, objects: ObjectStore, media: Media, scratch: Path) -> None:
        self._rows = rows
        self._objects = objects
        self._media = media
        self._scratch = scratch

    async def handle(self, job: Job) -> Effect:
        """Check, probe and join one upload. What did not arrive as it was sent is deleted, and asked for again.

        Raises:
            MediaUnusable: It holds no picture, or is shorter than what the agent said it covers.
        """
        request = await self._rows.request(str(job.payload["request_id"]))
        parts = parts_of_request(request)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder) / "source.mp4"
            job.progress(0.0, "fetching the upload")
            try:
                is_joined = await fetch_upload(self._objects, request, path)
            except UploadDamaged as exc:
                log.warning("upload_damaged", request_id=request.request_id, problem=str(exc))
                await self._objects.delete([request.object_key, *(part.key for part in parts)])
                return self._asked_again(request.request_id, str(exc))
            job.progress(0.5, "looking at the upload")
            check_source(request, await self._media.probe(path))
            if not is_joined:
                job.progress(steps.WORKED, "storing the upload in one piece")
                await self._objects.put(request.object_key, path)
        await self._objects.delete([part.key for part in parts])

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.mark_joined(connection, request.request_id)
            return [steps.cutting(request.request_id, is_press=request.moment_id is None)]

        return write

    def _asked_again(self, request_id: str, reason: str) -> Effect:
        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.ask_again(connection, request_id, reason)
            return []

        return write


def give_up(rows: Rows) -> Callable[[Job, str], Effect]:
    """An upload that cannot be used is a failed request, with its reason, where the user looks."""

    def effect(job: Job, reason: str) -> Effect:
        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await rows.fail_request(connection, str(job.payload["request_id"]), reason)
            return []

        return write

    return effect


class Cutting:
    """Cuts an uploaded source to its clip."""

    def __init__(
        self, *, rows: Rows, objects: ObjectStore, media: Media, scratch: Path, posts: Posts
    ) -> None:
        self._rows = rows
        self._objects = objects
        self._media = media
        self._scratch = scratch
        self._posts = posts

    async def handle(self, job: Job) -> Effect:
        """Cut one upload."""
        request = await self._rows.request(str(job.payload["request_id"]))
        start_ns = max(request.start_ns, _known(request.covered_start_ns, request.start_ns))
        end_ns = min(request.end_ns, _known(request.covered_end_ns, request.end_ns))
        offset_s = (start_ns - _known(request.covered_start_ns, request.start_ns)) / SECOND_NS
        clip_id = clip_id_of(request.request_id)
        key = clip_key(request.session_id, clip_id)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            source, cut = Path(folder) / "source.mp4", Path(folder) / "clip.mp4"
            job.progress(0.0, "fetching the source")
            # The agent's address may still count: another look, that it has put nothing else there since.
            await fetch_object(self._objects, request, source)
            length_s = (end_ns - start_ns) / SECOND_NS
            job.progress(steps.FETCHED, "cutting")
            await self._media.cut(
                source,
                cut,
                start_s=offset_s,
                end_s=offset_s + length_s,
                on_progress=lambda share: job.progress(steps.share_of_work(share), "cutting"),
            )
            picture = picture_of(await self._media.probe(cut))
            job.progress(steps.WORKED, "storing the clip")
            await self._objects.put(key, cut)
        row = ClipRow(
            clip_id=clip_id,
            session_id=request.session_id,
            moment_id=request.moment_id,
            request_id=request.request_id,
            object_key=key,
            start_ns=start_ns,
            end_ns=end_ns,
            width=picture.width or 0,
            height=picture.height or 0,
        )
        settings = await self._posts.of_session(request.session_id)
        return self._effect(row, settings.presets)

    def _effect(self, row: ClipRow, presets: Sequence[str]) -> Effect:
        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.add_clip(connection, row)
            # What was made of the clip before it grew is made of it again, however the settings are now.
            before = await self._rows.presets_before(connection, row.request_id)
            for preset in dict.fromkeys([*presets, *before]):
                await self._rows.add_export(
                    connection,
                    export_id=export_id_of(row.clip_id, preset),
                    clip_id=row.clip_id,
                    preset=preset,
                )
            return [steps.exporting_all(row.clip_id, is_press=row.moment_id is None)]

        return write


def picture_of(found: MediaFile) -> MediaTrack:
    """The file's picture.

    Raises:
        MediaUnusable: It has none.
    """
    for track in found.tracks:
        if track.kind == "video":
            return track
    raise MediaUnusable("the file holds no picture")


def check_source(request: RequestRow, found: MediaFile) -> None:
    """Return quietly when the upload is what the agent said.

    Raises:
        MediaUnusable: No picture, or shorter than promised.
    """
    picture_of(found)
    promised_ns = _known(request.covered_end_ns, request.end_ns) - _known(
        request.covered_start_ns, request.start_ns
    )
    promised_s = promised_ns / SECOND_NS
    if found.duration_s is None or found.duration_s < promised_s - _TOLERANCE_S:
        raise MediaUnusable(f"the upload lasts {found.duration_s} s; the agent promised {promised_s:.3f} s")


def _known(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
