"""From an upload to its posts with real media: what an account chose is in the files, and one decode makes them."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import av
import numpy as np
import pytest
from PIL import Image

from coordinator.app.asked_posts import AskedPosts
from coordinator.app.brand_kits import BrandKits
from coordinator.app.working import give_up_effects
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.work import Work, one_by_one
from coordinator.media.child import LimitedMedia
from coordinator.model.exporting import Recipe
from coordinator.model.jobs import Queue
from coordinator.model.media import ExportResult
from coordinator.model.object_keys import clip_id_of, export_id_of, export_key
from coordinator.model.posts import PostSettings, PostWishes
from coordinator.pipeline import steps
from coordinator.pipeline.export import Export
from coordinator.pipeline.source import Cutting
from coordinator.posts import framing_of
from coordinator.store.objects import LocalObjects
from coordinator.store.posts import PostgresPosts
from coordinator.store.rows import PostgresRows
from protos.timebase import SECOND_NS
from tests.fakes.flash_clip import write_clip
from tests.fakes.job_parts import put, until_state, working

SESSION = "5e55" * 8
CLIP = clip_id_of("r1")
WORDS = [["what", 10**9, 15 * 10**8], ["a", 15 * 10**8, 2 * 10**9], ["goal", 2 * 10**9, 3 * 10**9]]


class NotingMedia(LimitedMedia):
    """The real one; `together`: the presets of each rendering."""

    together: list[list[str]]

    async def export_all(self, src: Path, orders: Any, recipe: Recipe, **more: Any) -> list[ExportResult]:
        self.together = [*getattr(self, "together", []), [preset for _, preset in orders]]
        return await super().export_all(src, orders, recipe, **more)


@pytest.fixture
async def media() -> AsyncIterator[NotingMedia]:
    async with NotingMedia() as limited:
        yield limited


@pytest.fixture
def objects(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path / "objects", base_url="http://127.0.0.1", secret=b"s")


@pytest.fixture
def works(pool: asyncpg.Pool, tmp_path: Path, media: NotingMedia, objects: LocalObjects) -> dict[Queue, Work]:
    """The stages that cut and render, as a worker has them."""
    (tmp_path / "scratch").mkdir()
    parts: dict[str, Any] = {
        "rows": PostgresRows(pool),
        "objects": objects,
        "media": media,
        "scratch": tmp_path / "scratch",
        "posts": PostgresPosts(pool, PostSettings()),
    }
    export = Export(**parts, framing_of=functools.partial(framing_of, data=tmp_path), longest_s={"x": 1.0})
    give_up = give_up_effects(pool)
    return {
        Queue.CLIP_GENERATION: one_by_one(Cutting(**parts).handle, on_failed=give_up[Queue.CLIP_GENERATION]),
        Queue.EXPORT: one_by_one(
            export.handle, on_failed=give_up[Queue.EXPORT], versions=steps.EXPORT_VERSIONS
        ),
    }


async def upload(pool: asyncpg.Pool, objects: LocalObjects, folder: Path) -> None:
    """Four seconds of a moment, as an agent sent them, and what was said meanwhile."""
    path = await asyncio.to_thread(write_clip, folder / "source.mp4", duration_s=4.0, size=(320, 180))
    await objects.put("sources/r1.mp4", path)
    await pool.execute("insert into agents (agent_id, user_id) values ('a1', 'owner')")
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a1', now())",
        SESSION,
    )
    await pool.execute(
        "insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, title, evidence)"
        " values ('m1', $1, 0, $2, 0, 0.9, 'goal', 'What a goal', '[]')",
        SESSION, 4 * SECOND_NS,
    )  # fmt: skip
    await pool.execute(
        "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes, place)"
        " values ($1, 1, 0, 0, $2, 'audio/ogg', ''::bytea, 1, 'object:x')",
        SESSION, 10 * SECOND_NS,
    )  # fmt: skip
    await pool.execute(
        "insert into transcripts (session_id, lane, seq, start_ns, end_ns, language, engine, model, words)"
        " values ($1, 1, 0, 0, $2, 'en', 'pocketsphinx', 'en-us', $3)",
        SESSION, 10 * SECOND_NS, json.dumps(WORDS),
    )  # fmt: skip
    await pool.execute(
        "insert into source_requests (request_id, session_id, moment_id, start_ns, end_ns, state, object_key,"
        " expires_at) values ('r1', $1, 'm1', 0, $2, 'uploaded', 'sources/r1.mp4', now() + interval '1 day')",
        SESSION, 4 * SECOND_NS,
    )  # fmt: skip


def first_picture(path: Path) -> tuple[tuple[int, int], str, np.ndarray[Any, Any]]:
    """Size, title of the file, and the first picture."""
    with av.open(path) as container:
        picture = next(container.decode(video=0))
        return (
            (picture.width, picture.height),
            container.metadata.get("title", ""),
            picture.to_ndarray(format="rgb24"),
        )


async def test_an_upload_becomes_the_posts_that_its_account_chose_and_one_more_on_demand(
    pool: asyncpg.Pool, tmp_path: Path, works: dict[Queue, Work], objects: LocalObjects, media: NotingMedia
):
    await upload(pool, objects, tmp_path)
    posts = PostgresPosts(pool, PostSettings())
    await posts.save("owner", PostWishes(presets=("square", "discord", "x"), is_title_shown=True))
    kits = BrandKits(posts, objects, tmp_path / "scratch")
    Image.new("RGB", (200, 200), (255, 0, 0)).save(tmp_path / "mark.png")
    await kits.take("owner", "watermark", tmp_path / "mark.png")
    outro = await asyncio.to_thread(write_clip, tmp_path / "outro.mp4", duration_s=1.0, size=(160, 90))
    await kits.take("owner", "outro", outro)
    await put(pool, steps.cutting("r1", is_press=False))

    async with working(pool, works):
        await until_state(pool, f"exp:{CLIP}", "done")
        # Another look for the next one.
        await kits.remove("owner", "outro")
        await posts.save("owner", PostWishes(shape="4:5", is_title_shown=False))
        await AskedPosts(pool, PgQueuerQueue()).make("m1", "vertical")
        await until_state(pool, f"exp:{CLIP}:vertical", "done")

    assert media.together == [["discord", "square"], ["vertical"]]
    rows = await pool.fetch(
        "select preset, state, width, height, captions, round(duration_s) from exports order by preset"
    )
    assert [tuple(row) for row in rows] == [
        ("discord", "ready", 320, 180, 3, 5),
        ("square", "ready", 1080, 1080, 3, 5),
        ("vertical", "ready", 1080, 1350, 3, 4),
        ("x", "failed", None, None, None, None),
    ]
    found = {}
    for preset in ("discord", "square", "vertical"):
        path = objects.path_of(export_key(SESSION, export_id_of(CLIP, preset)))
        assert path is not None
        size, title, picture = await asyncio.to_thread(first_picture, path)
        assert title == "What a goal"
        found[preset] = (size, picture)
    assert {preset: size for preset, (size, _) in found.items()} == {
        "discord": (320, 180), "square": (1080, 1080), "vertical": (1080, 1350),
    }  # fmt: skip
    # The title's sticker is white, and stands where nothing else does: above the film, on its blurred copy.
    assert (found["square"][1][60:180, 300:780].min(axis=2) > 225).mean() > 0.2
    assert (found["vertical"][1][:300].min(axis=2) > 225).mean() < 0.02
    # The mark is red, in the corner.
    for preset in ("square", "vertical"):
        red, green, _ = found[preset][1][80, 100]
        assert red > 150 and green < 90
