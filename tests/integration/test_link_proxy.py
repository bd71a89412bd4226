"""A real chunk of the proxy through outbox, link, spool and roll-up: it is stored, and asks for no work."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from agent.encode.proxy import ProxyChunker
from agent.model.media import LaneChunk
from agent.uplink.outbox import Outbox
from coordinator.ingest.events import FollowUps
from coordinator.ingest.places import ObjectPlace, parse_place
from coordinator.pipeline.steps import jobs_after_chunk
from tests.fakes.link_parts import SECOND_NS, Site, eventually, new_session_id


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db")
    yield opened
    opened.close()


def proxy_chunks() -> list[LaneChunk]:
    chunks: list[LaneChunk] = []
    chunker = ProxyChunker(chunk_s=2.0, on_chunk=chunks.append)
    for number in range(40):
        planes = np.full((540, 640), 2 * number, np.uint8)
        chunker.feed(
            av.VideoFrame.from_ndarray(planes, format="yuv420p"),
            number * SECOND_NS // 10,
            track_rate_bps=8_000_000,
        )
    chunker.flush()
    return chunks


async def test_a_chunk_of_the_proxy_is_stored_as_it_is_and_asks_for_no_work(site: Site, outbox: Outbox):
    server = site.server(follow_ups=FollowUps(after_chunk=jobs_after_chunk))
    site.port = await server.start("127.0.0.1:0")
    client = site.client(outbox)
    session_id = new_session_id()
    outbox.start_session(session_id, 1_700_000_000_000)
    chunks = proxy_chunks()
    for chunk in chunks:
        outbox.put(session_id, chunk)
    outbox.end_session(session_id, 4 * SECOND_NS)

    client.start()
    await eventually(lambda: client.counters.chunks_fsynced == len(chunks) == 2)
    await eventually(lambda: site.pool.fetchval("select ended_at is not null from sessions"))
    assert await server.roll_up.run_once() == 2
    await eventually(lambda: outbox.sessions() == [], what="the session is fully stored and forgotten")
    await asyncio.to_thread(client.stop)
    await server.stop()

    rows = await site.pool.fetch("select place, content_type from chunks order by seq")
    assert [row["content_type"] for row in rows] == ["video/mp4"] * 2
    for row, chunk in zip(rows, chunks, strict=True):
        place = parse_place(row["place"])
        assert isinstance(place, ObjectPlace)
        stored = await site.objects.get(place.key, offset=place.offset, length=place.length)
        assert stored == chunk.payload
        with av.open(io.BytesIO(stored)) as container:
            assert sum(1 for _ in container.decode(video=0)) in (20, 21)
    assert await site.pool.fetchval("select count(*) from wanted_jobs") == 0
