"""An order to forget at a coordinator: everything of its span goes and nothing else, whatever is killed or late."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import Any

import asyncpg
import pytest

from coordinator.errors import ChunkRefused, NotFound
from coordinator.ingest.adoption import Adoption
from coordinator.ingest.chunk_rows import FORGOTTEN, Outcome
from coordinator.ingest.database import transaction
from coordinator.ingest.forgetting import entomb
from coordinator.ingest.nodes import NodeRegistry
from coordinator.ingest.records import Record
from coordinator.ingest.roll_up import RollUp, RollUpSettings
from coordinator.ingest.server import LinkServer
from coordinator.ingest.sweeping import SpoolSweeper
from coordinator.store.tombstones import PostgresTombstones
from protos.timebase import SECOND_NS
from tests.fakes.forgettable_stream import ForgettableStream, add_session, close_ingest, open_ingest
from tests.fakes.link_parts import JobTable, Site, eventually, new_session_id

# Chunks 3 and 7 straddle its ends; of moments and presses it holds those at 45 and 60 s.
SPAN_S = (33.0, 72.0)
GONE_CHUNKS = range(3, 8)
GONE = [
    *(f"{kind}-{seq}" for kind in ("chunk", "word", "track") for seq in GONE_CHUNKS),
    *("moment-45", "press-60"),
]
KEPT = [
    *(f"{kind}-{seq}" for kind in ("chunk", "word", "track") for seq in (0, 1, 2, 8, 9, 10, 11)),
    *("moment-5", "moment-95"),
]


@pytest.fixture
async def stream(site: Site, server: LinkServer) -> ForgettableStream:
    filled = ForgettableStream(site=site)
    await filled.fill(server)
    assert set(await filled.all_found([*GONE, *KEPT])) == {*GONE, *KEPT}
    return filled


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


async def check_forgotten(stream: ForgettableStream) -> None:
    """All of it is gone, and its neighbours are whole."""
    assert await stream.all_found(GONE) == {}
    assert set(await stream.all_found(KEPT)) == set(KEPT)
    assert await stream.held() == [0, 1, 2, 8, 9, 10, 11]


async def test_everything_of_a_span_goes_from_spool_objects_and_rows_and_its_neighbours_stay(
    stream: ForgettableStream, server: LinkServer
):
    order = stream.order(*SPAN_S)

    written = await stream.give(order)
    await server.forgetting.turn()
    receipt = await stream.work_off(order)

    await check_forgotten(stream)
    counts = {"mic": 5, "words": 5, "moments": 1, "presses": 1, "sources": 2, "clips": 2, "posts": 2}
    assert written.counts == counts
    assert "5 chunks of the microphone" in receipt and "1 moment" in receipt and "a dump" in receipt
    gaps = await stream.pool.fetch(
        "select first, last, reason from gaps where session_id = $1", stream.session_id
    )
    assert [tuple(row) for row in gaps] == [(3, 7, "forgotten")]
    objects = [path.name for path in (stream.site.folder / "objects" / "chunks").rglob("*.bin")]
    assert len(objects) == 1


async def test_from_the_commit_on_its_rows_are_gone_and_the_spool_still_gives_none_back(
    stream: ForgettableStream, server: LinkServer, site: Site
):
    order = stream.order(*SPAN_S)
    await stream.give(order)

    # Nothing was overwritten yet when the process dies; the next one recovers the spool, and sweeps it.
    assert await stream.found("word-3") == []
    assert all(place.startswith("objects/") for place in await stream.found("moment-45"))
    await close_ingest(server)
    again = await open_ingest(site)
    await again.forgetting.turn()
    await close_ingest(again)
    await stream.work_off(order)

    assert again.recovery is not None and again.recovery.num_readded == 0
    await check_forgotten(stream)


async def test_the_same_order_twice_is_one(stream: ForgettableStream, server: LinkServer):
    order = stream.order(*SPAN_S)

    first = await stream.give(order)
    await server.forgetting.turn()
    receipt = await stream.work_off(order)
    second = await stream.give(order)
    again = await stream.work_off(order)

    assert (first.is_new, second.is_new, second.is_done) == (True, False, True)
    assert receipt == again
    assert await stream.pool.fetchval("select count(*) from tombstones") == 1
    await check_forgotten(stream)


async def test_orders_that_overlap_share_their_object_and_leave_none_behind(
    stream: ForgettableStream, server: LinkServer
):
    orders = [stream.order(33, 45), stream.order(42, 72)]
    for order in orders:
        await stream.give(order)
    await server.forgetting.turn()

    await asyncio.gather(*(stream.work_off(order) for order in orders))

    await check_forgotten(stream)
    assert len(list((stream.site.folder / "objects" / "chunks").rglob("*.bin"))) == 1


async def test_another_accounts_session_and_another_sessions_id_are_refused(
    stream: ForgettableStream, server: LinkServer
):
    foreign, order = new_session_id(), stream.order(*SPAN_S)
    await add_session(stream.pool, foreign, user_id="somebody-else")
    theirs = ForgettableStream(site=stream.site, session_id=foreign)

    with pytest.raises(ChunkRefused, match="another account"):
        await theirs.give(theirs.order(0, 100))
    with pytest.raises(NotFound, match="no session"):
        await ForgettableStream(site=stream.site).give(ForgettableStream(site=stream.site).order(0, 1))
    await stream.give(order)
    other = ForgettableStream(site=stream.site)
    await add_session(stream.pool, other.session_id)
    with pytest.raises(ChunkRefused, match="taken"):
        await other.give(
            type(order)(forget_id=order.forget_id, session_id=other.session_id, start_ns=0, end_ns=1)
        )

    assert await stream.pool.fetchval("select count(*) from tombstones") == 1


async def test_a_chunk_that_comes_late_is_refused_whole_and_its_bytes_stay_nowhere(
    stream: ForgettableStream, server: LinkServer
):
    await stream.give(stream.order(125, 131))

    # 120 to 130 s straddles its start, 130 to 140 its end; the next one is none of it.
    outcomes = await stream.send(server, [12, 13, 14])

    assert outcomes == [FORGOTTEN, FORGOTTEN, Outcome(kind="fsynced")]
    assert await stream.all_found(["chunk-12", "chunk-13"]) == {}
    assert await stream.held() == [*range(12), 14]


async def test_a_late_chunk_that_a_kill_left_on_the_disk_is_found_by_the_next_start(
    stream: ForgettableStream, server: LinkServer, site: Site
):
    await stream.give(stream.order(120, 130))
    await server.forgetting.turn()
    late, kept = stream.chunk(12), stream.chunk(13)
    # The process dies after the bytes are on the disk, and before anything is known of their rows.
    for chunk in (late, kept):
        record = Record(
            session_id=chunk.session_id,
            lane=chunk.lane,
            seq=chunk.seq,
            start_ns=chunk.start_ns,
            end_ns=chunk.end_ns,
            content_type=chunk.content_type,
            sha256=chunk.sha256,
        )
        server.spool.append_group([(record, chunk.payload)])
    await close_ingest(server)
    assert await stream.found("chunk-12")

    again = await open_ingest(site)
    await again.forgetting.turn()
    await close_ingest(again)

    assert again.recovery is not None and again.recovery.num_readded == 1
    assert await stream.found("chunk-12") == []
    assert await stream.held() == [*range(12), 13]


async def test_a_chunk_whose_rows_are_being_written_waits_for_the_order_and_is_refused(
    stream: ForgettableStream, server: LinkServer
):
    async with transaction(stream.pool) as connection:
        await entomb(connection, stream.order(120, 130), asked_by="agent")
        sending = asyncio.create_task(stream.send(server, [12, 13]))
        await eventually(lambda: _is_waiting(stream.pool))
        assert not sending.done()

    assert await sending == [FORGOTTEN, Outcome(kind="fsynced")]
    assert await stream.found("chunk-12") == []


async def test_an_order_waits_for_rows_that_are_being_written_and_takes_them_along(
    stream: ForgettableStream, server: LinkServer
):
    connection = await stream.pool.acquire()
    writing = connection.transaction()
    await writing.start()
    await connection.execute(
        "insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, title, evidence)"
        " values ('m', $1, 0, 1, 0, 1, 'goal', $2, '[]')",
        *(stream.session_id, stream.mark("moment-new")),
    )
    giving = asyncio.create_task(stream.give(stream.order(0, 1)))
    await eventually(lambda: _is_waiting(stream.pool))
    await writing.commit()
    await stream.pool.release(connection)
    await giving

    assert await stream.found("moment-new") == []


async def _is_waiting(pool: asyncpg.Pool) -> bool:
    return bool(await pool.fetchval("select exists (select from pg_locks where not granted)"))


class ForgettingStore:
    """The object store of a roll-up during whose PUT an order comes."""

    def __init__(self, stream: ForgettableStream, order: Any) -> None:
        self._stream, self._order = stream, order

    async def put(self, key: str, data: bytes) -> None:
        await self._stream.site.objects.put(key, data)
        await self._stream.give(self._order)

    async def delete(self, keys: list[str]) -> None:
        await self._stream.site.objects.delete(keys)


async def test_a_roll_up_under_way_when_the_order_comes_takes_nothing_of_it_along(
    stream: ForgettableStream, server: LinkServer
):
    order = stream.order(*SPAN_S)
    settings = RollUpSettings(max_age_s=0.0, drained_age_s=3600.0)
    store: Any = ForgettingStore(stream, order)

    num_moved = await RollUp(stream.pool, server.spool, store, settings=settings).run_once()
    await server.forgetting.turn()
    await stream.work_off(order)

    assert num_moved == 4
    await check_forgotten(stream)


class CountedCalls:
    """A port whose process is killed after a number of calls, its own and those of its neighbours together."""

    def __init__(self, port: Any, budget: list[int]) -> None:
        self._port, self._budget = port, budget

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            answer = await getattr(self._port, name)(*args, **kwargs)
            self._budget[0] -= 1
            if self._budget[0] == 0:
                raise Killed(name)
            return answer

        return call


@pytest.mark.parametrize("stride", [6, pytest.param(1, marks=pytest.mark.slow)])
async def test_the_job_killed_after_any_of_its_steps_goes_on_with_the_next_run(
    site: Site, server: LinkServer, stride: int
):
    num_kills = 0
    for step in range(1, 1000, stride):
        stream = ForgettableStream(site=site)
        await stream.fill(server)
        order = stream.order(*SPAN_S)
        await stream.give(order)
        await server.forgetting.turn()
        budget = [step]
        parts = {
            "tombstones": CountedCalls(PostgresTombstones(stream.pool), budget),
            "objects": CountedCalls(site.objects, budget),
        }
        with contextlib.suppress(Killed):
            await stream.work_off(order, **parts)
        if budget[0] > 0:
            break
        num_kills += 1

        assert await stream.work_off(order)
        assert await stream.all_found([name for name in GONE if "-3" in name or "moment" in name]) == {}
        assert await stream.held() == [0, 1, 2, 8, 9, 10, 11]
        objects = list((site.folder / "objects" / "chunks" / stream.session_id).rglob("*.bin"))
        assert len(objects) == 1, f"killed after step {step}"
    assert num_kills > 20 // stride


async def test_an_upload_and_a_cut_that_end_after_the_order_are_deleted_again(
    stream: ForgettableStream, server: LinkServer
):
    order = stream.order(*SPAN_S)
    keys = [
        row["object_key"]
        for row in await stream.pool.fetch(
            "select object_key from source_requests where session_id = $1 and start_ns = $2"
            " union all select object_key from clips where session_id = $1 and start_ns = $2",
            *(stream.session_id, 45 * SECOND_NS),
        )
    ]
    await stream.give(order)
    await server.forgetting.turn()
    await stream.work_off(order)
    for key in keys:
        await stream.site.objects.put(key, stream.mark("moment-45").encode())

    again = await PostgresTombstones(stream.pool).doomed_again()

    assert len(keys) == 2 and set(keys) <= set(again)
    await stream.site.objects.delete(again)
    await check_forgotten(stream)


async def test_a_spool_that_nobody_owns_any_more_is_named_and_made_good_when_it_comes_back(
    stream: ForgettableStream, server: LinkServer, site: Site
):
    order = stream.order(*SPAN_S)
    await stream.give(order)
    await close_ingest(server)
    await stream.pool.execute("insert into spool_owners values ('n1')")
    await stream.pool.execute("update spool_owners set seen_at = now() - interval '1 hour'")

    receipt = await stream.work_off(order)
    assert any("node n1" in line and "not seen since" in line for line in receipt)
    again = await open_ingest(site)
    await again.forgetting.turn()
    receipt = await stream.work_off(order)
    await close_ingest(again)

    assert not any("node" in line for line in receipt)
    await check_forgotten(stream)


async def test_a_spool_that_is_adopted_is_swept_before_it_is_drained(
    stream: ForgettableStream, server: LinkServer, site: Site
):
    order = stream.order(*SPAN_S)
    await stream.give(order)
    await close_ingest(server)
    adoption = Adoption(
        site.pool,
        site.objects,
        server._rows,
        NodeRegistry(site.pool, spool_folder=site.folder / "spool"),
        spool_folder=site.folder / "spool",
        sweeper_of=lambda spool: SpoolSweeper(site.pool, spool, JobTable(), after_sweep=lambda *_: ()),
        settings=RollUpSettings(max_age_s=0.0, interval_s=0.05, drained_age_s=0.0),
    )

    await adoption.take(())
    await adoption.run(asyncio.Event())
    receipt = await stream.work_off(order)

    assert not (site.folder / "spool" / "n1").exists()
    assert receipt and not any("node" in line for line in receipt)
    await check_forgotten(stream)


async def test_an_order_waits_for_a_spool_that_can_be_reached(stream: ForgettableStream, server: LinkServer):
    order = stream.order(*SPAN_S)
    await server.forgetting.turn()
    await stream.give(order)

    before = await stream.work_off(order)
    await server.forgetting.turn()
    after = await stream.work_off(order)

    assert before == []
    assert after


async def test_what_was_heard_or_found_before_the_order_is_not_written_after_it(stream: ForgettableStream):
    from coordinator.model.sessions import ClipRow, FeatureRow, MomentRow, RequestRow, TranscriptRow
    from coordinator.store.rows import PostgresRows

    rows = PostgresRows(stream.pool)
    request = await stream.pool.fetchrow("select * from source_requests where start_ns = $1", 45 * SECOND_NS)
    await stream.give(stream.order(*SPAN_S))
    late = stream.mark("late")
    span: dict[str, Any] = {"start_ns": 40 * SECOND_NS, "end_ns": 50 * SECOND_NS}

    async with transaction(stream.pool) as connection:
        words = TranscriptRow(
            session_id=stream.session_id,
            lane=1,
            seq=4,
            **span,
            language=late,
            engine="e",
            model="m",
            words=(),
        )
        await rows.save_transcript(connection, words)
        signals = FeatureRow(lane=1, seq=4, start_ns=40 * SECOND_NS, step_ns=1, tracks={late: [1.0]})
        await rows.save_features(connection, stream.session_id, signals)
        moment = MomentRow(
            moment_id=uuid.uuid4().hex, session_id=stream.session_id, **span, peak_ns=span["start_ns"], score=1.0,
            kind="goal", title=late, evidence=(),
        )  # fmt: skip
        await rows.add_moment(connection, moment)
        wish = RequestRow(
            request_id=uuid.uuid4().hex, session_id=stream.session_id, moment_id=None, marker_clip_id=late, **span,
            state="wanted", object_key="k", covered_start_ns=None, covered_end_ns=None,
        )  # fmt: skip
        await rows.add_request(connection, wish, expires_in_s=60)
        clip = ClipRow(
            clip_id=late, session_id=stream.session_id, moment_id=None, request_id=request["request_id"],
            object_key="k", **span, width=1, height=1,
        )  # fmt: skip
        await rows.add_clip(connection, clip)
        await rows.add_export(connection, export_id=late, clip_id=late, preset="vertical")

    assert await stream.found("late") == []
    with pytest.raises(NotFound):
        await rows.request(request["request_id"])


async def test_forgotten_chunks_are_not_waited_for_when_a_session_has_ended(stream: ForgettableStream):
    from coordinator.store.rows import PostgresRows

    await stream.pool.execute(
        "update sessions set lane_counts = $2 where session_id = $1",
        stream.session_id,
        json.dumps({"mic": 12}),
    )
    await stream.give(stream.order(*SPAN_S))

    session = await PostgresRows(stream.pool).session(stream.session_id)

    assert session.lane_counts == {"mic": 12 - len(GONE_CHUNKS)}
