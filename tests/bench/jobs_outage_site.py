"""A data directory with a database, workers of every stage, and jobs of each queue that need what will be down."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import io
import os
import sys
import uuid
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import av
import numpy as np

from coordinator.jobs.engine import PgQueuerQueue
from coordinator.model.jobs import NewJob
from coordinator.model.object_keys import clip_id_of, clip_key, export_id_of
from coordinator.pipeline import steps
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS
from tests.bench.measure import running, wait_until
from tests.fakes.flow_parts import CHUNK_S, QUIET, signals_of

PRESET = "vertical"
NUM_STAGES = 6
_LENGTH_S = 1
_RATE_HZ = 16_000
_CHUNK_KEY = "chunks/{session}/all.bin"

# How a site's workers find their bytes: by key.
Put = Callable[[str, bytes], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of the jobs.

    Attributes:
        attempts_max: of any job; 1: none was burnt.
        left: jobs that were wanted and are not done.
        wrong: posts, orders and uploads that are not as they should be in the end.
    """

    attempts_max: int
    failed: int
    left: int
    dead: int
    wrong: int


class OutageSite:
    """One thread's. Its own database, data directory, session and six workers."""

    def __init__(
        self, name: str, data: Path, url: str, put: Put, *, lane: int = media_pb2.LANE_SIGNALS
    ) -> None:
        """Args: put: how bytes come into its object store, whether or not that answers; lane: of its chunks."""
        self.name = name
        self.data = data
        self.log = data / "workers.log"
        self.num_chunks = 0
        self.wanted: list[str] = []
        self._url = url
        self._put = put
        self._lane = lane
        self._session = uuid.uuid4().hex
        self._chunk = signals_of(0, loudness_db=QUIET) if lane == media_pb2.LANE_SIGNALS else noise()

    @contextlib.contextmanager
    def workers(self, config: Sequence[str]) -> Iterator[int]:
        """All six, ready, for the block; yields the supervisor's process."""
        lines = [f'database.url = "{self._url}"', *config]
        (self.data / "coordinator.toml").write_text("\n".join((*lines, "")), encoding="utf-8")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CLIPPY_COORDINATOR_")
        }
        command = [sys.executable, "-m", "tests.bench.jobs_outage_workers", str(self.data)]
        with running(command, environment=environment, log=self.log) as child:
            wait_until(self._are_ready, timeout_s=120, what=f"{self.name}: six workers are ready")
            yield child.pid

    def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Ask or tell its database."""

        async def run(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return list(await connection.fetch(statement, *values))

        found: list[asyncpg.Record] = self._with_connection(run)
        return found

    def begin(self, num_chunks: int) -> None:
        """A session with jobs in each of the six queues."""
        self._put(_CHUNK_KEY.format(session=self._session), self._chunk)
        self._with_connection(self._begin)
        self.add_chunks(num_chunks)

    def add_chunks(self, num: int) -> None:
        """So many chunks more are durable, with their jobs."""
        key, size = _CHUNK_KEY.format(session=self._session), len(self._chunk)

        async def add(connection: asyncpg.Connection) -> None:
            for seq in range(self.num_chunks, self.num_chunks + num):
                await connection.execute(
                    "insert into chunks (session_id, lane, seq, start_ns, end_ns, content_type, sha256, size_bytes,"
                    " place) values ($1, $2, $3, $4, $5, 'x', ''::bytea, $6, $7)",
                    self._session, self._lane, seq, seq * CHUNK_S * SECOND_NS, (seq + 1) * CHUNK_S * SECOND_NS, size,
                    f"object:{key}/0/{size}",
                )  # fmt: skip
                await self._want(connection, steps.hearing(self._session, self._lane, seq))

        self._with_connection(add)
        self.num_chunks += num

    def is_empty(self) -> bool:
        """Have all jobs that were wanted, and those that follow from them, ended; False while nobody answers."""
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            [row] = self.fetch(
                "select count(*) as num from unnest($1::text[]) as w (key) join job_runs using (key)"
                " where state not in ('running', 'waiting')", self.wanted,
            )  # fmt: skip
            return bool(row["num"] == len(self.wanted))
        return False

    def ended(self) -> Ended:
        """What the rows say now."""
        [row] = self.fetch(
            "select coalesce(max(attempts), 0) as attempts_max,"
            " count(*) filter (where state not in ('done', 'running', 'waiting')) as failed,"
            " (select count(*) from unnest($1::text[]) as w (key) where not exists"
            "  (select from job_runs r where r.key = w.key and r.state = 'done')) as left,"
            " (select count(*) from pgqueuer where status in ('failed', 'canceled')) as dead,"
            " (select count(*) from exports where state <> 'ready')"
            " + (select count(*) from tombstones where state <> 'done')"
            " + (select count(*) from source_requests where state <> 'uploaded') as wrong from job_runs",
            self.wanted,
        )  # fmt: skip
        return Ended(**dict(row))

    def problems(self) -> list[str]:
        """What was tried and did not end well, of jobs that did not end well at all, for a person."""
        rows = self.fetch("select key, state, code, reason from job_runs where state <> 'done' limit 5")
        return [" ".join(str(value) for value in row.values()) for row in rows]

    async def _begin(self, connection: asyncpg.Connection) -> None:
        session = self._session
        await connection.execute(
            "insert into agents (agent_id, user_id) values ('a1', 'owner') on conflict do nothing"
        )
        await connection.execute(
            "insert into sessions (session_id, user_id, agent_id, started_at) values ($1, 'owner', 'a1', now())",
            session,
        )
        movie = clip_bytes()
        for stage in ("prepare", "cut", "export"):
            request = uuid.uuid4().hex
            clip = clip_id_of(request)
            await self._upload(connection, request, movie)
            follow = [
                steps.preparation(request, is_press=True),
                steps.cutting(request, is_press=True),
                steps.exporting(clip, PRESET, is_press=True),
            ]
            first = ("prepare", "cut", "export").index(stage)
            for before in follow[:first]:
                await connection.execute(
                    "insert into job_runs (key, queue, state, finished_at) values ($1, $2, 'done', now())",
                    before.key, before.queue.value,
                )  # fmt: skip
            if stage == "export":
                await self._cut(connection, request, clip, movie)
            await self._want(connection, follow[first])
            self.wanted += [job.key for job in follow[first + 1 :]]
        await self._want(connection, steps.analysis(session, 1))
        doomed, forget = f"clips/{session}/doomed.mp4", uuid.uuid4().hex
        self._put(doomed, movie)
        await connection.execute(
            "insert into tombstones (forget_id, session_id, start_ns, end_ns, asked_by)"
            " values ($1, $2, 0, 1, 'coordinator')", forget, session,
        )  # fmt: skip
        await connection.execute(
            "insert into doomed_objects (forget_id, object_key, holds_others) values ($1, $2, false)",
            forget,
            doomed,
        )
        await self._want(connection, steps.forgetting(forget))

    async def _upload(self, connection: asyncpg.Connection, request: str, movie: bytes) -> None:
        key = f"sources/{self._session}/{request}.mp4"
        self._put(key, movie)
        await connection.execute(
            "insert into source_requests (request_id, session_id, marker_clip_id, start_ns, end_ns, state, object_key,"
            " size_bytes, sha256, covered_start_ns, covered_end_ns, expires_at)"
            " values ($1, $2, $1, 0, $3, 'uploaded', $4, $5, $6, 0, $3, now() + interval '1 day')",
            request, self._session, _LENGTH_S * SECOND_NS, key, len(movie), hashlib.sha256(movie).digest(),
        )  # fmt: skip

    async def _cut(self, connection: asyncpg.Connection, request: str, clip: str, movie: bytes) -> None:
        key = clip_key(self._session, clip)
        self._put(key, movie)
        await connection.execute(
            "insert into clips (clip_id, session_id, request_id, object_key, start_ns, end_ns, width, height)"
            " values ($1, $2, $3, $4, 0, $5, 320, 180)", clip, self._session, request, key, _LENGTH_S * SECOND_NS,
        )  # fmt: skip
        await connection.execute(
            "insert into exports (export_id, clip_id, preset) values ($1, $2, $3)",
            export_id_of(clip, PRESET), clip, PRESET,
        )  # fmt: skip

    async def _want(self, connection: asyncpg.Connection, job: NewJob) -> None:
        await PgQueuerQueue().enqueue(connection, [job])
        self.wanted.append(job.key)

    def _are_ready(self) -> bool:
        states = [row["state"] for row in self.fetch("select state from workers")]
        return states.count("ready") == NUM_STAGES

    def _with_connection(self, work: Callable[[asyncpg.Connection], Any]) -> Any:
        async def run() -> Any:
            connection = await asyncpg.connect(self._url, timeout=10)
            try:
                async with connection.transaction():
                    return await work(connection)
            finally:
                await connection.close(timeout=5)

        return asyncio.run(run())


def noise() -> bytes:
    """Half a minute's worth of nothing to hear would be skipped: a second of noise, as a WAV file."""
    samples = (np.random.default_rng(7).standard_normal(_RATE_HZ) * 4000).astype("<i2")
    written = io.BytesIO()
    with wave.open(written, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE_HZ)
        out.writeframes(samples.tobytes())
    return written.getvalue()


def clip_bytes() -> bytes:
    """A small MP4 of a second and a bit: a moving picture, no sound."""
    written = io.BytesIO()
    with av.open(written, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for index in range(36 * _LENGTH_S):
            picture = np.full((180, 320, 3), (7 * index) % 255, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return written.getvalue()
