"""Stage `export`: a clip becomes posts, with the words that were spoken burned in.

All posts of a clip that are wanted are one job with one decode. What is finished is written down at once: whoever comes
after a worker that was killed makes only what is missing.
"""

from __future__ import annotations

import collections
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from coordinator.errors import InputUnusable, NotFound, WordsLate
from coordinator.model.exporting import Brand, CaptionWish, Recipe
from coordinator.model.framing import Framing
from coordinator.model.jobs import Job, NewJob
from coordinator.model.media import ExportResult
from coordinator.model.object_keys import export_id_of, export_key
from coordinator.model.posts import PostSettings
from coordinator.model.sessions import ClipRow, TranscriptRow, WordsAwaited
from coordinator.model.speech import Word
from coordinator.pipeline.steps import FETCHED, WORKED, share_of_work
from coordinator.policy.words_wait import next_look_s
from coordinator.ports import Effect, Media, ObjectStore
from coordinator.row_ports import Posts, Rows
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger(__name__)
# As the renderer has it: a limit is not passed by the length of a frame.
_TOLERANCE_S = 0.05


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
        longest_s: Mapping[str, float],
    ) -> None:
        """Make it ready.

        Args:
            framing_of: how posts with these settings are laid out; raises InputUnusable where it cannot be.
            longest_s: by preset, how long a post may be, where its platform says so.
        """
        self._rows = rows
        self._objects = objects
        self._media = media
        self._scratch = scratch
        self._posts = posts
        self._framing_of = framing_of
        self._longest_s = longest_s

    async def handle(self, job: Job) -> Effect:
        """Make the posts of one clip that are wanted and not there yet, or the one that the job names.

        A post that cannot be made fails by itself; the others are made.

        Raises:
            InputUnusable: None of them can be made.
            MediaInterrupted, DiskFull, StoreUnavailable: Later, what is missing then.
            WordsLate: Soon: what was said in it is not heard yet.
        """
        clip = await self._rows.clip(str(job.payload["clip_id"]))
        presets = await self._rows.wanted_presets(clip.clip_id, _named(job))
        if not presets:
            return _nothing
        check_heard(await self._rows.words_awaited(clip.clip_id))
        making = _Making(job, clip, presets)
        making.refuse_too_long(self._longest_s)
        if making.left:
            recipe = await self._recipe(clip)
            with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
                job.progress(0.0, "fetching the clip")
                await self._objects.get_file(clip.object_key, Path(folder) / "clip.mp4")
                recipe = dataclasses.replace(recipe, brand=await self._brand(clip.session_id, Path(folder)))
                job.progress(FETCHED, making.words)
                await self._make(making, making.left, recipe, Path(folder))
        if len(making.failed) == len(presets):
            raise making.failure()

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            for preset, problem in making.failed.items():
                await self._rows.fail_export(connection, export_id_of(clip.clip_id, preset), str(problem))
            return []

        return write

    async def _recipe(self, clip: ClipRow) -> Recipe:
        settings = await self._posts.of_session(clip.session_id)
        transcripts = await self._rows.transcripts(
            clip.session_id, start_ns=clip.start_ns, end_ns=clip.end_ns
        )
        return Recipe(
            preset="",
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

    async def _brand(self, session_id: str, folder: Path) -> Brand:
        """The account's brand kit as files; a part that is changed meanwhile is taken as it is then."""
        paths: dict[str, str] = {}
        for part in await self._posts.brand_of_session(session_id):
            path = folder / f"{part.part}{Path(part.object_key).suffix}"
            try:
                await self._objects.get_file(part.object_key, path)
            except NotFound:
                newer = {each.part: each for each in await self._posts.brand_of_session(session_id)}
                if part.part not in newer:
                    continue
                await self._objects.get_file(newer[part.part].object_key, path)
            paths[part.part] = str(path)
        return Brand(intro=paths.get("intro"), outro=paths.get("outro"), watermark=paths.get("watermark"))

    async def _make(self, making: _Making, presets: Sequence[str], recipe: Recipe, folder: Path) -> None:
        """Make these from one decode; where one of them spoils that, each half of them by itself."""
        if (fault := making.fault_of_clip()) is not None:
            making.failed |= dict.fromkeys(presets, fault)
            return
        orders = [(folder / f"{preset}.mp4", preset) for preset in presets]
        try:
            results = await self._media.export_all(
                folder / "clip.mp4",
                orders,
                recipe,
                on_progress=lambda share: making.job.progress(share_of_work(share), making.words),
            )
        except InputUnusable as exc:
            if len(presets) == 1:
                making.failed[presets[0]] = exc
                return
            log.info("posts_made_apart", clip_id=making.clip.clip_id, presets=presets, reason=str(exc))
            middle = len(presets) // 2
            await self._make(making, presets[:middle], recipe, folder)
            await self._make(making, presets[middle:], recipe, folder)
            return
        making.job.progress(WORKED, "storing the post" if len(presets) == 1 else "storing the posts")
        for (path, preset), result in zip(orders, results, strict=True):
            await self._store(making.clip, preset, path, result)

    async def _store(self, clip: ClipRow, preset: str, path: Path, result: ExportResult) -> None:
        export_id = export_id_of(clip.clip_id, preset)
        key = export_key(clip.session_id, export_id)
        await self._objects.put(key, path)
        if not await self._rows.finish_export(export_id, key, result):
            log.info("post_replaced", export_id=export_id)
            await self._objects.delete([key])


@dataclasses.dataclass(slots=True)
class _Making:
    """The posts of one clip on their way."""

    job: Job
    clip: ClipRow
    presets: Sequence[str]
    failed: dict[str, InputUnusable] = dataclasses.field(default_factory=dict)

    @property
    def left(self) -> list[str]:
        return [preset for preset in self.presets if preset not in self.failed]

    @property
    def words(self) -> str:
        return "rendering" if len(self.presets) == 1 else f"rendering {len(self.left)} posts"

    def fault_of_clip(self) -> InputUnusable | None:
        """What has befallen two presets, each by itself: it befalls all."""
        befell: dict[str, InputUnusable] = {}
        for problem in self.failed.values():
            if befell.setdefault(str(problem), problem) is not problem:
                return problem
        return None

    def refuse_too_long(self, longest_s: Mapping[str, float]) -> None:
        """Before anything is decoded: the others shall not be made twice for it."""
        length_s = (self.clip.end_ns - self.clip.start_ns) / SECOND_NS
        for preset in self.presets:
            most_s = longest_s.get(preset)
            if most_s is not None and length_s > most_s + _TOLERANCE_S:
                self.failed[preset] = InputUnusable(
                    f"{length_s:.4g} s is over {preset}'s {most_s:g} s; choose another preset, or a shorter clip"
                )

    def failure(self) -> InputUnusable:
        """What befell them all, in one."""
        first, *_ = self.failed.values()
        if len({str(problem) for problem in self.failed.values()}) == 1:
            return first
        return type(first)("; ".join(f"{preset}: {problem}" for preset, problem in self.failed.items()))


def _named(job: Job) -> str | None:
    """The preset that a job is for; None: all that are wanted of its clip."""
    return str(job.payload["preset"]) if "preset" in job.payload else None


async def _nothing(_connection: asyncpg.Connection) -> list[NewJob]:
    return []


def give_up(rows: Rows) -> Callable[[Job, str], Effect]:
    """Posts that come to nothing say so where the user looks."""

    def effect(job: Job, reason: str) -> Effect:
        clip_id, preset = str(job.payload["clip_id"]), _named(job)

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            if preset is None:
                await rows.fail_exports(connection, clip_id, reason)
            else:
                await rows.fail_export(connection, export_id_of(clip_id, preset), reason)
            return []

        return write

    return effect


def check_heard(awaited: WordsAwaited) -> None:
    """Return quietly when the words of a clip are there, or were waited for long enough. Pure.

    Raises:
        WordsLate: They may still come, and when to look again.
    """
    if not awaited.num_unheard and not awaited.is_more_to_come:
        return
    if (delay_s := next_look_s(awaited.age_s)) is None:
        log.info("words_not_awaited", num_unheard=awaited.num_unheard, age_s=round(awaited.age_s, 1))
        return
    raise WordsLate("its last words are not heard yet", retry_after_s=delay_s)


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
