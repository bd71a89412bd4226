"""What a real coordinator tells its agents to keep to, and what the link of one then sends: bytes by the clock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from agent.uplink.link import LinkClient
from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from coordinator.settings import NO_LIMITS
from protos.clippy.v1 import media_pb2
from tests.fakes.link_parts import Site, eventually, lane_chunk, make_site, new_session_id

PROXY, MIC = media_pb2.LANE_PROXY, media_pb2.LANE_MIC
BOUND_BPS = 80_000
CHUNK_BYTES = 20_000
# A bucket of 10 s, and one chunk that may leave it in debt.
AT_ONCE_BYTES = BOUND_BPS / 8 * 10 + CHUNK_BYTES
LATE_S = 3.0


@pytest.fixture
async def site(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    site = await make_site(tmp_path, pool)
    limits = msgspec.structs.replace(NO_LIMITS, business_proxy_bps=BOUND_BPS, business_bytes_per_s=2_000_000)
    server = await site.start(limits=limits)
    yield site
    await server.stop()


async def arrived(pool: asyncpg.Pool, lane: int) -> list[tuple[float, int, int]]:
    """(seconds by the database's clock, number, bytes) of each chunk of a lane, as they came."""
    rows = await pool.fetch(
        "select extract(epoch from received_at) as at_s, seq, size_bytes from chunks where lane = $1"
        " order by received_at, seq",
        lane,
    )
    return [(float(row["at_s"]), row["seq"], row["size_bytes"]) for row in rows]


def why_held(link: LinkClient) -> bool:
    words = "the coordinator takes 80 kbit/s of the picture: "
    return any(line.startswith(words) for line in link.uplink().held_back)


async def test_a_backlog_of_the_picture_leaves_under_its_bound_and_the_voice_passes_it(
    site: Site, tmp_path: Path
):
    outbox, session_id = Outbox(tmp_path / "outbox.sqlite", max_bytes=10_000_000), new_session_id()
    outbox.start_session(session_id, 1)
    bounds: list[int | None] = []
    tiers: list[str] = []
    link = site.client(outbox, hooks=LinkHooks(on_picture_bound=bounds.append, on_tier=tiers.append))
    link.start()
    try:
        # It is told right after Welcome; what leaves before it is read is under no bound.
        await eventually(lambda: bounds, what="the bound")
        for index in range(30):
            outbox.put(session_id, lane_chunk(index, lane="proxy", num_bytes=CHUNK_BYTES))
        for index in range(30):
            outbox.put(session_id, lane_chunk(index))

        async def has_nine() -> bool:
            return len(await arrived(site.pool, PROXY)) >= 9

        await eventually(has_nine, what="nine chunks of the picture", deadline_s=30)
        await eventually(lambda: why_held(link), what="the reason is told")
    finally:
        await asyncio.to_thread(link.stop)
        outbox.close()

    assert (bounds[0], tiers[0]) == (BOUND_BPS, "business")
    picture, voice = await arrived(site.pool, PROXY), await arrived(site.pool, MIC)
    assert [seq for _, seq, _ in picture] == list(range(len(picture)))
    for first, (from_s, _, _) in enumerate(picture):
        for last in range(first, len(picture)):
            num_bytes = sum(size for _, _, size in picture[first : last + 1])
            seconds = picture[last][0] - from_s
            # A busy machine may commit one late and the next in time.
            assert num_bytes <= AT_ONCE_BYTES + BOUND_BPS / 8 * (seconds + LATE_S), (first, last, seconds)
    rest = [entry for entry in picture if entry[0] > picture[0][0] + 1.0]
    rate = sum(size for _, _, size in rest) / (rest[-1][0] - picture[0][0])
    sys.stdout.write(
        f"the picture's backlog left at {rate:.0f} bytes/s after its burst, of {BOUND_BPS // 8}\n"
    )
    assert BOUND_BPS / 8 * 0.5 < rate < BOUND_BPS / 8 * 1.5
    # All of the voice was there before the picture had gone on.
    assert len(voice) == 30
    assert voice[-1][0] < picture[-1][0]
