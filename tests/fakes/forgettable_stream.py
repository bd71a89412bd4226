"""A coordinator that holds two minutes of a stream in every way it can: to be forgotten, and looked through."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any

import asyncpg

from coordinator.ingest.chunk_rows import Outcome
from coordinator.ingest.database import transaction
from coordinator.ingest.forgetting import Entombed, entomb
from coordinator.ingest.recovery import recover
from coordinator.ingest.roll_up import RollUp, RollUpSettings
from coordinator.ingest.server import LinkServer
from coordinator.model.forgetting import ForgetOrder
from coordinator.model.jobs import Job, Queue
from coordinator.model.object_keys import clip_id_of, clip_key, export_id_of, export_key
from coordinator.pipeline.forget import Forgetting
from coordinator.store.chunk_bytes import PlacedBytes, SpoolFolders
from coordinator.store.tombstones import PostgresTombstones
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS
from tests.fakes.link_parts import Site, eventually, new_session_id

CHUNK_S = 10
NUM_CHUNKS = 12
NUM_ROLLED_UP = 6
# Moments and a press, by where they begin; each lasts ten seconds.
MOMENTS_S = (5, 45, 95)
PRESS_S = 60


@dataclasses.dataclass(slots=True, kw_only=True)
class ForgettableStream:
    """One session of `site`. Each thing of it holds a mark of its own, such as `chunk-3`, that can be looked for."""

    site: Site
    session_id: str = dataclasses.field(default_factory=new_session_id)

    @property
    def pool(self) -> asyncpg.Pool:
        return self.site.pool

    def mark(self, name: str) -> str:
        """What only this thing of this session holds."""
        return f"{name}-of-{self.session_id}"

    async def fill(self, server: LinkServer) -> None:
        """Twelve chunks, half of them rolled up, all heard; three moments and a press with all that follows."""
        await add_session(self.pool, self.session_id)
        await self.send(server, range(NUM_ROLLED_UP))
        settings = RollUpSettings(max_age_s=0.0, drained_age_s=3600.0)
        await RollUp(self.pool, server.spool, self.site.objects, settings=settings).run_once()
        await self.send(server, range(NUM_ROLLED_UP, NUM_CHUNKS))
        for seq in range(NUM_CHUNKS):
            await self._hear(seq)
        for start_s in MOMENTS_S:
            await self._add_moment(start_s)
        await self._add_press(PRESS_S)

    async def send(self, server: LinkServer, seqs: Sequence[int]) -> list[Outcome]:
        """Chunks of the microphone, as a stream hands them over."""
        outcomes: list[Outcome] = []
        for seq in seqs:
            server.commits.submit(self.chunk(seq), outcomes.append)
        await eventually(lambda: len(outcomes) == len(seqs))
        return outcomes

    def chunk(self, seq: int) -> media_pb2.Chunk:
        payload = self.payload(seq)
        return media_pb2.Chunk(
            session_id=self.session_id,
            lane=media_pb2.LANE_MIC,
            seq=seq,
            start_ns=seq * CHUNK_S * SECOND_NS,
            end_ns=(seq + 1) * CHUNK_S * SECOND_NS,
            content_type="audio/ogg",
            payload=payload,
            sha256=hashlib.sha256(payload).digest(),
        )

    def payload(self, seq: int) -> bytes:
        return self.mark(f"chunk-{seq}").encode() * 10

    def order(self, start_s: float, end_s: float) -> ForgetOrder:
        return ForgetOrder(
            forget_id=uuid.uuid4().hex,
            session_id=self.session_id,
            start_ns=round(start_s * SECOND_NS),
            end_ns=round(end_s * SECOND_NS),
        )

    async def give(self, order: ForgetOrder) -> Entombed:
        """Write an order, as an agent's does."""
        async with transaction(self.pool) as connection:
            return await entomb(connection, order, asked_by="agent", user_id="owner")

    async def work_off(self, order: ForgetOrder, *, tombstones: Any = None, objects: Any = None) -> list[str]:
        """One run of the order's job."""
        forgetting = Forgetting(
            tombstones=tombstones or PostgresTombstones(self.pool),
            objects=objects or self.site.objects,
            find_backups=lambda: ["a dump"],
        )
        job = Job(job_id=1, queue=Queue.CLEANUP, key="forget", payload={"forget_id": order.forget_id}, runs=1)
        effect = await forgetting.handle(job)
        async with transaction(self.pool) as connection:
            await effect(connection)
        return await self.receipt(order)

    async def receipt(self, order: ForgetOrder) -> list[str]:
        """Every line of it; none while the order is open."""
        text = await self.pool.fetchval(
            "select receipt from tombstones where forget_id = $1", order.forget_id
        )
        return [line for lines in json.loads(text or "{}").values() for line in lines]

    async def held(self) -> list[int]:
        """The chunks whose bytes are all where their rows say."""
        reader = PlacedBytes(spools=SpoolFolders(self.site.folder / "spool"), objects=self.site.objects)
        rows = await self.pool.fetch(
            "select seq, place from chunks where session_id = $1 order by seq", self.session_id
        )
        return [row["seq"] for row in rows if await reader.read(row["place"]) == self.payload(row["seq"])]

    async def found(self, name: str) -> list[str]:
        """Where a thing is: files of the data directory, and tables."""
        return (await self.all_found([name])).get(name, [])

    async def all_found(self, names: Sequence[str]) -> dict[str, list[str]]:
        """As `found`, for those that are anywhere."""
        texts = await asyncio.to_thread(
            lambda: {
                str(path.relative_to(self.site.folder)): path.read_bytes()
                for path in self.site.folder.rglob("*")
                if path.is_file()
            }
        )
        for row in await self.pool.fetch("select tablename from pg_tables where schemaname = 'public'"):
            rows = await self.pool.fetch(f"select t::text from {row['tablename']} t")
            texts[row["tablename"]] = "\n".join(text for (text,) in rows).encode()
        marks = {name: self.mark(name).encode() for name in names}
        places = {
            name: [place for place, text in texts.items() if mark in text] for name, mark in marks.items()
        }
        return {name: where for name, where in places.items() if where}

    async def _hear(self, seq: int) -> None:
        start_ns, end_ns = seq * CHUNK_S * SECOND_NS, (seq + 1) * CHUNK_S * SECOND_NS
        words = json.dumps([[self.mark(f"word-{seq}"), start_ns, end_ns]])
        await self.pool.execute(
            "insert into transcripts (session_id, lane, seq, start_ns, end_ns, language, engine, model, words)"
            " values ($1, 1, $2, $3, $4, 'en', 'e', 'm', $5)",
            *(self.session_id, seq, start_ns, end_ns, words),
        )
        await self.pool.execute(
            "insert into features (session_id, lane, seq, start_ns, step_ns, tracks) values ($1, 1, $2, $3, 5, $4)",
            *(self.session_id, seq, start_ns, json.dumps({self.mark(f"track-{seq}"): [1.0]})),
        )

    async def _add_moment(self, start_s: int) -> None:
        moment_id = self.mark(f"moment-{start_s}")
        start_ns, end_ns = start_s * SECOND_NS, (start_s + 10) * SECOND_NS
        await self.pool.execute(
            "insert into moments (moment_id, session_id, start_ns, end_ns, peak_ns, score, kind, title, evidence)"
            " values ($1, $2, $3, $4, $3, 0.9, 'goal', $1, '[]')",
            *(moment_id, self.session_id, start_ns, end_ns),
        )
        await self._add_media(f"moment-{start_s}", start_ns, end_ns, moment_id=moment_id)

    async def _add_press(self, start_s: int) -> None:
        start_ns, end_ns = start_s * SECOND_NS, (start_s + 10) * SECOND_NS
        clip_id = self.mark(f"press-{start_s}")
        await self.pool.execute(
            "insert into markers values ($1, $2, $4, $3, $4)", self.session_id, clip_id, start_ns, end_ns
        )
        await self._add_media(f"press-{start_s}", start_ns, end_ns, clip_id=clip_id)

    async def _add_media(
        self,
        name: str,
        start_ns: int,
        end_ns: int,
        *,
        moment_id: str | None = None,
        clip_id: str | None = None,
    ) -> None:
        """A source that was uploaded, its cut, and its post; each an object that holds the name."""
        request_id = uuid.uuid5(uuid.NAMESPACE_URL, self.mark(name)).hex
        cut_id = clip_id_of(request_id)
        export_id = export_id_of(cut_id, "vertical")
        keys = (
            f"sources/{self.session_id}/{request_id}.mp4",
            clip_key(self.session_id, cut_id),
            export_key(self.session_id, export_id),
        )
        for key in keys:
            await self.site.objects.put(key, self.mark(name).encode())
        await self.pool.execute(
            "insert into source_requests (request_id, session_id, moment_id, marker_clip_id, start_ns, end_ns, state,"
            " object_key, expires_at) values ($1, $2, $3, $4, $5, $6, 'uploaded', $7, now() + interval '1 day')",
            *(request_id, self.session_id, moment_id, clip_id, start_ns, end_ns, keys[0]),
        )
        await self.pool.execute(
            "insert into clips values ($1, $2, $3, $4, $5, $6, $7, 1, 1)",
            *(cut_id, self.session_id, moment_id, request_id, keys[1], start_ns, end_ns),
        )
        await self.pool.execute(
            "insert into exports (export_id, clip_id, preset, state, object_key)"
            " values ($1, $2, 'vertical', 'ready', $3)",
            *(export_id, cut_id, keys[2]),
        )


async def open_ingest(site: Site) -> LinkServer:
    """Ingest as a process starts it, but for its port and its tasks."""
    server = site.server()
    await asyncio.to_thread(server.spool.open)
    server.recovery = await recover(site.pool, server.spool, server._rows)
    server.commits.start()
    return server


async def close_ingest(server: LinkServer) -> None:
    """As a process that ends."""
    await server.commits.stop()
    server.spool.close()


async def add_session(pool: asyncpg.Pool, session_id: str, *, user_id: str = "owner") -> None:
    """A session that has ended, so that it can be rolled up."""
    await pool.execute("insert into accounts (user_id) values ($1) on conflict do nothing", user_id)
    await pool.execute(
        "insert into agents (agent_id, user_id) values ($1, $2) on conflict do nothing",
        f"agent-of-{user_id}",
        user_id,
    )
    await pool.execute(
        "insert into sessions (session_id, user_id, agent_id, started_at, ended_at, is_live)"
        " values ($1, $2, $3, now() - interval '2 minutes', now(), false)",
        *(session_id, user_id, f"agent-of-{user_id}"),
    )
