"""Stage `export`: a clip becomes a post, with the words that were spoken burned in."""

from __future__ import annotations

import collections
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.model.exporting import CaptionWish, Recipe
from coordinator.model.framing import Framing
from coordinator.model.jobs import Job, NewJob
from coordinator.model.object_keys import export_id_of, export_key
from coordinator.model.posts import PostSettings
from coordinator.model.sessions import ClipRow, TranscriptRow
from coordinator.model.speech import Word
from coordinator.pipeline.steps import FETCHED, WORKED, share_of_work
from coordinator.ports import Effect, Media, ObjectStore
from coordinator.row_ports import Posts, Rows
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import asyncpg


class Export:
    """Renders clips. One instance a worker."""

    def __init__(
        self,
        *,
        rows: Rows,
        objects: ObjectStore,
        media: Media,
        scratch: Path,
        posts: Posts,
        framing_of: Callable[[PostSettings], Framing],
    ) -> None:
        """Args: framing_of: how posts with these settings are laid out; raises InputUnusable where it cannot be."""
        self._rows = rows
        self._objects = objects
        self._media = media
        self._scratch = scratch
        self._posts = posts
        self._framing_of = framing_of

    async def handle(self, job: Job) -> Effect:
        """Render one clip to one preset."""
        clip_id, preset = str(job.payload["clip_id"]), str(job.payload["preset"])
        clip = await self._rows.clip(clip_id)
        transcripts = await self._rows.transcripts(
            clip.session_id, start_ns=clip.start_ns, end_ns=clip.end_ns
        )
        settings = await self._posts.of_session(clip.session_id)
        recipe = Recipe(
            preset=preset,
            words=tuple(words_on_clip_line(clip, transcripts)),
            title=clip.title or None,
            is_title_shown=settings.is_title_shown,
            framing=self._framing_of(settings),
            captions=CaptionWish(
                style=settings.caption_style,
                profanity=settings.profanity,
                # Nothing but the post itself is stored.
                files=(),
                language=language_of(transcripts),
            ),
        )
        export_id = export_id_of(clip_id, preset)
        key = export_key(clip.session_id, export_id)
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            source, rendered = Path(folder) / "clip.mp4", Path(folder) / "export.mp4"
            job.progress(0.0, "fetching the clip")
            await self._objects.get_file(clip.object_key, source)
            job.progress(FETCHED, "rendering")
            result = await self._media.export(
                source,
                rendered,
                recipe,
                on_progress=lambda share: job.progress(share_of_work(share), "rendering"),
            )
            job.progress(WORKED, "storing the post")
            await self._objects.put(key, rendered)

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.finish_export(connection, export_id, key, result)
            await self._rows.notify_link(connection, clip.session_id)
            return []

        return write


def give_up(rows: Rows) -> Callable[[Job, str], Effect]:
    """An export that comes to nothing says so where the user looks."""

    def effect(job: Job, reason: str) -> Effect:
        export_id = export_id_of(str(job.payload["clip_id"]), str(job.payload["preset"]))

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await rows.fail_export(connection, export_id, reason)
            return []

        return write

    return effect


def language_of(transcripts: Sequence[TranscriptRow]) -> str | None:
    """The language that most of the words are in; None where there are none."""
    counts: collections.Counter[str] = collections.Counter()
    for row in transcripts:
        counts[row.language] += len(row.words)
    found = counts.most_common(1)
    return found[0][0] if found and found[0][1] else None


def words_on_clip_line(clip: ClipRow, transcripts: Sequence[TranscriptRow]) -> list[Word]:
    """The words whose middle lies in the clip, in seconds from its start."""
    length_s = (clip.end_ns - clip.start_ns) / SECOND_NS
    return [
        Word(
            text=word.text,
            start_s=max(0.0, (word.start_ns - clip.start_ns) / SECOND_NS),
            end_s=min(length_s, (word.end_ns - clip.start_ns) / SECOND_NS),
        )
        for row in transcripts
        for word in row.words
        if clip.start_ns <= (word.start_ns + word.end_ns) // 2 < clip.end_ns
    ]
