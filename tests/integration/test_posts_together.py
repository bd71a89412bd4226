"""All posts of a clip are one job: made together, each with its own fate, and none twice."""

from __future__ import annotations

import datetime
from pathlib import Path

import asyncpg
import pytest

from coordinator.app.working import give_up_effects
from coordinator.config import post_lengths_s
from coordinator.errors import InputUnusable, MediaUnusable, StoreUnavailable
from coordinator.jobs.desk import Desk
from coordinator.jobs.engine import PgQueuerQueue
from coordinator.jobs.reconciler import Want, reconcile_once
from coordinator.jobs.work import one_by_one
from coordinator.model.jobs import Job, Queue
from coordinator.model.object_keys import export_id_of, export_key
from coordinator.pipeline import steps
from coordinator.pipeline.endings import reopen_by_queue
from coordinator.ports import Effect
from coordinator.statements import load_statements
from coordinator.store.rows import PostgresRows
from tests.fakes.job_parts import put, until_state, working
from tests.fakes.post_parts import CLIP, SESSION, PostsHere, posts_here

pytestmark = pytest.mark.filterwarnings("error")
ALL = steps.exporting_all(CLIP, is_press=True)
WANTS = [Want(name=name, sql=sql) for name, sql in load_statements("coordinator.store", "wants.sql").items()]
READY = ("ready", "")


@pytest.fixture
async def here(pool: asyncpg.Pool, tmp_path: Path) -> PostsHere:
    return await posts_here(pool, tmp_path)


async def reconciled(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    """What the reconciler puts: keys, and the routes they take."""
    async with pool.acquire() as connection, connection.transaction():
        await reconcile_once(connection, PgQueuerQueue(), WANTS)
    rows = await pool.fetch("select key, entrypoint from job_keys where key like 'exp:%' order by key")
    return [(row["key"], row["entrypoint"]) for row in rows]


# ---- together


async def test_all_posts_of_a_clip_are_made_together_and_each_has_its_row_and_file(here: PostsHere):
    await here.want("vertical", "x", "square")

    await here.run(ALL)

    assert here.media.together == [["square", "vertical", "x"]]
    assert await here.states() == {"square": READY, "vertical": READY, "x": READY}
    for preset in ("square", "vertical", "x"):
        key = export_key(SESSION, export_id_of(CLIP, preset))
        assert await here.objects.get(key) == preset.encode()


async def test_a_second_run_makes_nothing(here: PostsHere):
    await here.want("vertical", "x")
    await here.run(ALL)
    when = await here.pool.fetchval("select max(updated_at) from exports")

    await here.run(ALL)
    await here.run(steps.exporting(CLIP, "x", is_press=True))

    assert len(here.media.together) == 1
    assert await here.pool.fetchval("select max(updated_at) from exports") == when


async def test_who_comes_after_a_worker_that_died_makes_only_what_is_missing(here: PostsHere):
    await here.want("square", "vertical", "x")
    here.objects.num_left = 2

    with pytest.raises(StoreUnavailable):
        await here.run(ALL)
    assert await here.states() == {"square": READY, "vertical": READY, "x": ("pending", "")}
    here.objects.num_left = None
    await here.run(ALL)

    assert here.media.together == [["square", "vertical", "x"], ["x"]]
    assert set((await here.states()).values()) == {READY}


# ---- what cannot be made


async def test_a_clip_that_is_too_long_for_one_platform_fails_there_alone_and_the_others_share_a_decode(
    pool: asyncpg.Pool, tmp_path: Path
):
    here = await posts_here(pool, tmp_path, longest_s=post_lengths_s(), length_s=170)
    await here.want("shorts", "vertical", "x")

    await here.run(ALL)

    assert here.media.together == [["shorts", "vertical"]]
    too_long = "170 s is over x's 140 s; choose another preset, or a shorter clip"
    assert await here.states() == {"shorts": READY, "vertical": READY, "x": ("failed", too_long)}


async def test_a_preset_that_spoils_the_others_fails_alone(here: PostsHere):
    here.media.spoilt["square"] = "square cannot be made small enough"
    await here.want("discord", "shorts", "square", "x")

    await here.run(ALL)

    assert await here.states() == {
        "discord": READY, "shorts": READY, "square": ("failed", "square cannot be made small enough"), "x": READY,
    }  # fmt: skip
    assert here.media.together == [
        ["discord", "shorts", "square", "x"],
        *(["discord", "shorts"], ["square", "x"], ["square"], ["x"]),
    ]


async def test_a_clip_that_cannot_be_read_is_not_tried_for_each_preset_anew(here: PostsHere):
    presets = ("discord", "shorts", "square", "vertical", "x", "youtube")
    here.media.spoilt = dict.fromkeys(presets, "clip.mp4 cannot be decoded")
    await here.want(*presets)

    with pytest.raises(MediaUnusable, match=r"\Aclip.mp4 cannot be decoded\Z"):
        await here.run(ALL)

    assert [len(together) for together in here.media.together] == [6, 3, 1, 2, 1]


async def test_presets_that_fail_each_for_another_reason_are_told_with_all_reasons(
    pool: asyncpg.Pool, tmp_path: Path
):
    here = await posts_here(pool, tmp_path, longest_s=post_lengths_s(), length_s=400)
    await here.want("shorts", "x")

    with pytest.raises(InputUnusable, match=r"shorts: 400 s is over shorts's 180 s.*; x: 400 s is over"):
        await here.run(ALL)
    assert here.media.together == []


async def test_a_layout_that_is_kept_no_more_is_the_reason_of_the_failure(here: PostsHere):
    await here.pool.execute("insert into post_settings (user_id, layout) values ('owner', 'duo')")
    await here.want("vertical")

    with pytest.raises(InputUnusable, match="there is no layout 'duo'"):
        await here.run(ALL)


# ---- the job


@pytest.fixture
def desk(pool: asyncpg.Pool) -> Desk:
    return Desk(
        pool, zone=datetime.UTC, give_up=give_up_effects(pool), reopen=reopen_by_queue(PostgresRows(pool))
    )


async def test_posts_that_were_called_off_together_say_so_and_are_wanted_again_together(
    here: PostsHere, desk: Desk
):
    await here.want("vertical", "x")
    await here.want("square", is_extra=True)
    await here.run(steps.exporting(CLIP, "x", is_press=True))
    await put(here.pool, ALL)

    await desk.cancel([ALL.key], by="operator:ann")

    called_off = ("failed", "cancelled by operator:ann")
    assert await here.states() == {"square": ("pending", ""), "vertical": called_off, "x": READY}
    await desk.retry([ALL.key])
    assert await here.states() == {"square": ("pending", ""), "vertical": ("pending", ""), "x": READY}


async def test_what_is_wanted_and_lost_its_job_gets_one_again(here: PostsHere):
    await here.want("vertical", "x")
    await here.want("square", is_extra=True)

    assert await reconciled(here.pool) == [
        (f"exp:{CLIP}", "export.v2"), (f"exp:{CLIP}:square", "export"),
    ]  # fmt: skip


async def test_a_job_that_an_older_release_queued_is_not_doubled(here: PostsHere):
    await here.want("vertical")
    old = steps.exporting(CLIP, "vertical", is_press=True)
    await put(here.pool, old)

    assert await reconciled(here.pool) == [(old.key, "export")]


async def test_one_that_is_still_wanted_when_the_others_have_ended_is_a_job_of_its_own(here: PostsHere):
    await here.want("vertical")
    await here.pool.execute("insert into job_runs (key, queue, state) values ($1, 'export', 'done')", ALL.key)

    assert await reconciled(here.pool) == [(f"exp:{CLIP}:vertical", "export")]


async def test_a_worker_takes_jobs_of_this_release_and_of_the_one_before(here: PostsHere):
    await here.want("vertical", "x")
    work = one_by_one(here.stage.handle, versions=steps.EXPORT_VERSIONS)
    await put(here.pool, steps.exporting(CLIP, "x", is_press=True), ALL)

    async with working(here.pool, {Queue.EXPORT: work}):
        await until_state(here.pool, ALL.key, "done")
        await until_state(here.pool, f"exp:{CLIP}:x", "done")

    assert set((await here.states()).values()) == {READY}


async def test_a_worker_of_the_release_before_leaves_a_job_that_it_cannot_read(here: PostsHere):
    seen: list[str] = []

    async def handle(job: Job) -> Effect:
        seen.append(str(job.payload["preset"]))
        return await here.stage.handle(job)

    await here.want("vertical", "x")
    old = steps.exporting(CLIP, "x", is_press=True)
    await put(here.pool, ALL, old)
    async with working(here.pool, {Queue.EXPORT: one_by_one(handle)}):
        await until_state(here.pool, old.key, "done")

    assert seen == ["x"]
    assert await here.states() == {"vertical": ("pending", ""), "x": READY}
