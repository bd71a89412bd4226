"""A worker process of one stage: builds what the stage needs, and works its queue."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
from typing import TYPE_CHECKING, Any

import structlog

from coordinator.app.installation import Installation
from coordinator.model.jobs import Queue
from coordinator.ops import lifeline
from coordinator.ops.scratch import own_folder
from coordinator.settings import Config, place_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg

    from coordinator.jobs.placing import Placing
    from coordinator.jobs.work import FailureEffect, Work
    from coordinator.jobs.worker import Presence
    from coordinator.model.highlight import SessionSignals
    from coordinator.pipeline.cleanup import Cleanup
    from coordinator.pipeline.detect import Found, RequestPolicy
    from coordinator.ports import ChunkBytes

log = structlog.get_logger(__name__)
_MAX_MOMENTS_A_LOOK = 20
# Beginning anew costs a worker two CPU seconds, waiting nearly nothing.
_WAIT_S = 300.0


def run_worker_process(installation: Installation, stage: str, *, places: Sequence[str] = ()) -> int:
    """Work one stage until asked to stop; returns the exit code.

    Args:
        places: instead of `workers.places`.
    """
    lifeline.hold()
    installation.configure_logs(process="worker", stage=stage)
    return asyncio.run(_work(installation, stage, places or installation.config.workers.places))


async def _work(installation: Installation, stage: str, places: Sequence[str]) -> int:
    from coordinator.jobs.placing import Placing
    from coordinator.jobs.worker import Presence, run_worker

    config = installation.config
    stop = asyncio.Event()
    lifeline.stop_on_signals(stop)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(installation.pool(extra=4, wait_s=_WAIT_S, stop=stop))
        presence = Presence(pool, worker_id=f"{config.node}-{stage}-{os.getpid()}", stage=stage)
        placing = Placing(pool)
        # What is put first goes to its place already.
        await placing.look()
        work = await _work_of(installation, stage, pool, presence, placing, stop, stack)
        named = tuple(place_named(place) for place in places)
        await run_worker(
            pool,
            stage=stage,
            work={queue: dataclasses.replace(entry, places=named) for queue, entry in work.items()},
            stop=stop,
            lease_s=config.workers.lease_s,
            grace_s=config.workers.grace_s,
            node=config.node,
            presence=presence,
            max_rss_mib=config.workers.max_rss_mib,
            placing=placing,
        )
    return 0


async def _work_of(
    installation: Installation,
    stage: str,
    pool: asyncpg.Pool,
    presence: Presence,
    placing: Placing,
    stop: asyncio.Event,
    stack: contextlib.AsyncExitStack,
) -> dict[Queue, Work]:
    """What a stage's process does for which queue."""
    from coordinator.store.rows import PostgresRows

    rows = PostgresRows(pool)
    if stage == "transcribe":
        return await _transcribe_work(installation, pool, rows, presence, stack)
    if stage == "ai":
        return await ai_work(installation, pool, stack, presence)
    if stage == "maintenance":
        return _maintenance_work(installation, pool, placing, stop, stack)
    return await _media_work(installation, stage, pool, rows, stack)


async def _media_work(
    installation: Installation, stage: str, pool: asyncpg.Pool, rows: Any, stack: contextlib.AsyncExitStack
) -> dict[Queue, Work]:
    """What works on files: uploads, cuts, posts."""
    from coordinator.config import post_lengths_s
    from coordinator.jobs.work import one_by_one
    from coordinator.media.child import LimitedMedia
    from coordinator.pipeline.export import Export
    from coordinator.pipeline.quiet import clip_of, request_of, unless_forgotten
    from coordinator.pipeline.source import Cutting, Preparation
    from coordinator.pipeline.steps import EXPORT_VERSIONS
    from coordinator.posts import default_settings, framing_of
    from coordinator.store.posts import PostgresPosts

    concurrency, give_up = installation.config.workers.concurrency(stage), give_up_effects(pool)
    media = await stack.enter_async_context(LimitedMedia())
    parts: dict[str, Any] = {
        "rows": rows,
        "objects": installation.objects(),
        "media": media,
        "scratch": stack.enter_context(own_folder(installation.scratch_of(stage))),
    }
    posts = PostgresPosts(pool, default_settings(installation.config))
    if stage == "media":
        handle = unless_forgotten(Preparation(**parts).handle, rows, request_of)
        work = one_by_one(handle, concurrency=concurrency, on_failed=give_up[Queue.VIDEO_PROCESSING])
        return {Queue.VIDEO_PROCESSING: work}
    if stage == "clip":
        cutting = Cutting(**parts, posts=posts)
        work = one_by_one(
            unless_forgotten(cutting.handle, rows, request_of),
            concurrency=concurrency,
            on_failed=give_up[Queue.CLIP_GENERATION],
        )
        return {Queue.CLIP_GENERATION: work}
    export = Export(
        **parts,
        posts=posts,
        framing_of=functools.partial(framing_of, data=installation.data),
        longest_s=post_lengths_s(),
    )
    work = one_by_one(
        unless_forgotten(export.handle, rows, clip_of),
        concurrency=concurrency,
        on_failed=give_up[Queue.EXPORT],
        versions=EXPORT_VERSIONS,
    )
    return {Queue.EXPORT: work}


async def ai_work(
    installation: Installation,
    pool: asyncpg.Pool,
    stack: contextlib.AsyncExitStack,
    presence: Presence | None = None,
) -> dict[Queue, Work]:
    """Looks for moments: in batches with a language model's opinion where one is configured, else one by one."""
    from coordinator import __version__
    from coordinator.errors import InputUnusable
    from coordinator.jobs.work import in_batches, one_by_one
    from coordinator.llm.opening import open_judge
    from coordinator.model.llm import Unjudged
    from coordinator.pipeline.detect import Detection
    from coordinator.pipeline.judging import JudgedLooks
    from coordinator.pipeline.quiet import session_of, unless_forgotten
    from coordinator.store.chats import PostgresChats
    from coordinator.store.looks import PostgresLooks
    from coordinator.store.rows import PostgresRows
    from coordinator.taste.verdicts import PostgresTastes

    config = installation.config
    rows, concurrency = PostgresRows(pool), config.workers.concurrency("ai")
    judge, unjudged = None, ""
    if config.llm.providers:

        def tell(pressure: float) -> None:
            if presence is not None:
                presence.set_detail(llm_pressure=pressure)

        try:
            judge = await stack.enter_async_context(open_judge(pool, config.llm, on_pressure=tell))
            tell(0.0)
        except InputUnusable as exc:
            # Looks are worth something without it; `llm check` says the same.
            log.warning("no_language_model", reason=str(exc))
            unjudged = Unjudged.SETTINGS.value
    detection = Detection(
        rows=rows,
        looks=PostgresLooks(pool),
        chats=PostgresChats(pool),
        detect=look_for_moments,
        policy=_policy(config),
        engine=f"highlight {__version__}",
        unjudged=unjudged,
        tastes=PostgresTastes(pool),
    )
    if judge is None:
        handle = unless_forgotten(detection.handle, rows, session_of)
        return {Queue.AI_ANALYSIS: one_by_one(handle, concurrency=concurrency, on_failed=detection.give_up)}
    looks = JudgedLooks(detection=detection, rows=rows, judge=judge)
    work = in_batches(
        looks.handle_many,
        batch=config.llm.windows_per_call,
        concurrency=concurrency,
        on_failed=detection.give_up,
    )
    return {Queue.AI_ANALYSIS: work}


def _policy(config: Config) -> RequestPolicy:
    from coordinator.pipeline.detect import RequestPolicy

    return RequestPolicy(
        min_score=config.auto_export.min_score,
        max_per_hour=config.auto_export.per_hour,
        are_presses_exported=config.auto_export.are_presses_exported,
    )


async def _transcribe_work(
    installation: Installation,
    pool: asyncpg.Pool,
    rows: Any,
    presence: Presence,
    stack: contextlib.AsyncExitStack,
) -> dict[Queue, Work]:
    from coordinator.errors import ModelUnavailable
    from coordinator.highlight.features import lane_tracks
    from coordinator.highlight.promise import is_promising
    from coordinator.jobs.work import one_by_one
    from coordinator.media.child import LimitedMedia
    from coordinator.pipeline.hear import Hearing
    from coordinator.pipeline.quiet import chunk_of, unless_forgotten
    from coordinator.search.index import PostgresUtterances
    from coordinator.speech.child import SpeechProcess
    from coordinator.store.chats import PostgresChats
    from coordinator.store.looks import PostgresLooks

    speech = SpeechProcess(installation.speech_spec())
    stack.push_async_callback(speech.aclose)
    try:
        await speech.start()
    except ModelUnavailable as exc:
        # Jobs say so again, and pause the queue; a model that is fetched later is found then.
        log.warning("no_speech_model", reason=str(exc))
    presence.set_detail(engine=speech.engine, model=speech.model, engine_reason=speech.reason or "")
    hearing = Hearing(
        rows=rows,
        looks=PostgresLooks(pool),
        utterances=PostgresUtterances(),
        chats=PostgresChats(pool),
        chunk_bytes=chunk_bytes(installation, pool, stack),
        media=await stack.enter_async_context(LimitedMedia()),
        speech=speech,
        extract=lambda samples, lane: lane_tracks(samples, lane=lane),
        is_promising=is_promising,
    )
    # Each chunk keeps its own result and retry; those that run at once share a batch in the speech process.
    slots = max(
        installation.config.workers.concurrency("transcribe"), installation.config.workers.transcription_batch
    )
    handle = unless_forgotten(hearing.handle, rows, chunk_of)
    return {Queue.TRANSCRIPTION: one_by_one(handle, concurrency=slots, on_failed=hearing.give_up)}


def chunk_bytes(
    installation: Installation, pool: asyncpg.Pool, stack: contextlib.AsyncExitStack
) -> ChunkBytes:
    """Chunks of any node: files where the spool is on this disk, else asked of the machine that has it."""
    from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders
    from coordinator.store.remote_spools import RemoteSpools, trusting

    elsewhere = RemoteSpools(
        pool, secret=installation.internal_secret(), tls=trusting(*installation.trusted_files())
    )
    stack.push_async_callback(elsewhere.aclose)
    return PlacedBytes(
        spools=SpoolFolders(installation.spool), objects=installation.objects(), elsewhere=elsewhere
    )


def _maintenance_work(
    installation: Installation,
    pool: asyncpg.Pool,
    placing: Placing,
    stop: asyncio.Event,
    stack: contextlib.AsyncExitStack,
) -> dict[Queue, Work]:
    from coordinator.jobs.consumers import watch_consumers
    from coordinator.jobs.engine import PgQueuerQueue
    from coordinator.jobs.reconciler import Want, reconcile
    from coordinator.jobs.schedule import Scheduled, run_schedule
    from coordinator.jobs.work import one_by_one
    from coordinator.pipeline.expire import TASK
    from coordinator.statements import load_statements

    wants = [
        Want(name=name, sql=sql) for name, sql in load_statements("coordinator.store", "wants.sql").items()
    ]
    workers = installation.config.workers
    tasks = [
        asyncio.create_task(
            reconcile(pool, wants, stop=stop, every_s=workers.reconcile_s, queue=PgQueuerQueue(placing)),
            name="reconciler",
        ),
        asyncio.create_task(
            run_schedule(
                pool,
                [Scheduled(name=name, every_s=workers.cleanup_s) for name in ("expire", TASK)],
                stop=stop,
            ),
            name="schedule",
        ),
        asyncio.create_task(watch_consumers(pool, stop=stop), name="consumers"),
    ]

    async def finish() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(finish)
    cleanup = _cleanup(installation, pool)
    return {Queue.CLEANUP: one_by_one(cleanup.handle, on_failed=give_up_effects(pool)[Queue.CLEANUP])}


def _cleanup(installation: Installation, pool: asyncpg.Pool) -> Cleanup:
    from coordinator.jobs.schedule import tidy
    from coordinator.pipeline.cleanup import Cleanup
    from coordinator.pipeline.expire import Expiring
    from coordinator.pipeline.forget import Forgetting
    from coordinator.store.looks import PostgresLooks
    from coordinator.store.retention import PostgresExpiry
    from coordinator.store.rows import PostgresRows
    from coordinator.store.tombstones import PostgresTombstones

    looks = PostgresLooks(pool)

    async def tidy_all(connection: asyncpg.Connection) -> None:
        await tidy(connection)
        await looks.give_up_sessions(connection)

    tombstones, objects = PostgresTombstones(pool), installation.objects()
    return Cleanup(
        rows=PostgresRows(pool),
        tombstones=tombstones,
        objects=objects,
        forgetting=Forgetting(tombstones=tombstones, objects=objects, find_backups=installation.backups),
        expiring=Expiring(
            expiry=PostgresExpiry(pool, installation.config.retention.hours_by_tier),
            tombstones=tombstones,
            objects=objects,
        ),
        tidy=tidy_all,
    )


def give_up_effects(pool: asyncpg.Pool) -> Mapping[Queue, FailureEffect]:
    """What rows say of a job that comes to nothing."""
    from coordinator.pipeline.endings import give_up_by_queue
    from coordinator.store.looks import PostgresLooks
    from coordinator.store.rows import PostgresRows
    from coordinator.store.tombstones import PostgresTombstones

    return give_up_by_queue(PostgresRows(pool), PostgresLooks(pool), PostgresTombstones(pool))


def look_for_moments(signals: SessionSignals, is_final: bool) -> Found:
    """The detector as the pipeline calls it: what was found, or why there is nothing."""
    from coordinator.highlight.detect import detect, explain_empty, settled
    from coordinator.highlight.segment import as_cut, pauses_of
    from coordinator.pipeline.detect import Found

    # A press alone is no finding: its clip is on the streamer's disk, and asked for by itself.
    found = [moment for moment in detect(signals, top_k=_MAX_MOMENTS_A_LOOK) if moment.kind != "marker"]
    certain = found if is_final else settled(found, signals.duration_s)
    forming = [moment for moment in found if moment not in certain]
    pauses = pauses_of(signals.utterances)
    return Found(
        moments=[as_cut(moment, pauses, signals.duration_s) for moment in certain],
        forming=[as_cut(moment, pauses, signals.duration_s) for moment in forming],
        reason="" if found else explain_empty(signals),
    )
