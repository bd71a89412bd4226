"""The agents' side of the coordinator: gRPC over TLS, one bidirectional stream an agent.

Boot order: take the spool, recover it, start the writer, listen for news, then accept streams. Stopping goes the
other way round: not ready, RetryLater on every stream, what is under way is acknowledged, then the sockets close.
Fork, if at all, before any grpc object exists. Owned by the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence

import asyncpg
import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from coordinator.errors import CoordinatorError
from coordinator.ingest.accounts import Accounts
from coordinator.ingest.admission import PendingBytes
from coordinator.ingest.backlog import Waiting, nothing_waits, watch_backlog
from coordinator.ingest.chunk_rows import ChunkRows, spool_prefixes
from coordinator.ingest.database import fetch
from coordinator.ingest.downlink import Downlink
from coordinator.ingest.events import EventRows, FollowUps
from coordinator.ingest.forget_desk import ForgetDesk
from coordinator.ingest.group_commit import GroupCommit
from coordinator.ingest.hellos import Hellos
from coordinator.ingest.ingest_settings import IngestSettings
from coordinator.ingest.listener import LinkTls, Listener
from coordinator.ingest.meanwhile import Meanwhile
from coordinator.ingest.notices import LinkNotices
from coordinator.ingest.recovery import RecoveryReport, recover
from coordinator.ingest.roll_up import RollUp
from coordinator.ingest.slices import one_by_one
from coordinator.ingest.source_uploads import SourceUploads
from coordinator.ingest.spool import Spool
from coordinator.ingest.stream import AgentStream, Context, StreamParts
from coordinator.ingest.sweeping import SpoolSweeper
from coordinator.ingest.taste_desk import TasteDesk
from coordinator.ingest.transport import bearer_token, server_options
from coordinator.model.accounts import Principal
from coordinator.policy.reconnect import drain_delay_ms, leave_at_s
from coordinator.policy.roles import Action, may
from coordinator.ports import Authenticator, JobQueue, ObjectStore
from coordinator.row_ports import Tastes
from protos.clippy.v1 import link_pb2, link_pb2_grpc

log = structlog.get_logger(__name__)

SERVICE = "clippy.v1.Link"


class LinkServer(link_pb2_grpc.LinkServicer):
    """All of ingest in one process. `start`, `drain` and `stop` belong to the composition root."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        store: ObjectStore,
        jobs: JobQueue,
        identity: Authenticator,
        settings: IngestSettings,
        follow_ups: FollowUps | None = None,
        living_nodes: Callable[[], Collection[str]] | None = None,
        tls: LinkTls | None = None,
        more_services: Sequence[Callable[[grpc.aio.Server], None]] = (),
        waiting: Waiting = nothing_waits,
        tastes: Tastes | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            pool: asyncpg, at least 4 connections; one is held for notifications, one by the writer of chunks.
            identity: says whose token it is.
            living_nodes: names of the nodes whose spools can still be read; None: this one alone.
            tls: None: plaintext, for tests on loopback only.
            more_services: each registers a service of its own on the same port.
            waiting: how much of whose work waits to be heard; asked every `backlog_s`.
            tastes: keeps what agents say of moments; None: nobody does.
        """
        follow_ups = follow_ups or FollowUps()
        self._settings = settings
        self._pool = pool
        self._identity = identity
        self._is_tls = tls is not None
        self.spool = Spool(
            settings.spool_folder,
            settings.node,
            max_segment_bytes=settings.max_segment_bytes,
            min_free_bytes=settings.min_free_bytes,
        )
        alive = living_nodes or (lambda: ())
        self._waiting = waiting
        self._tastes = TasteDesk(tastes)
        self._accounts = Accounts(settings.limits)
        self._rows = ChunkRows(jobs, follow_ups.after_chunk, lambda: {settings.node, *alive()})
        self.commits = GroupCommit(pool, self.spool, self._rows, settings=settings.group)
        self.roll_up = RollUp(pool, self.spool, store, settings=settings.roll_up)
        # Each with the monotonic time at which it is asked to connect anew.
        self._streams: dict[AgentStream, float] = {}
        self.forgetting = self._desk(jobs, follow_ups)
        self._parts = self._parts_of(jobs, store, follow_ups)
        self._by_session: dict[str, set[AgentStream]] = {}
        self._meanwhile = Meanwhile()
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self._listener = self._listener_of(tls, more_services)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._all_left = asyncio.Event()
        self._is_draining = False
        self.recovery: RecoveryReport | None = None

    def _parts_of(self, jobs: JobQueue, store: ObjectStore, follow_ups: FollowUps) -> StreamParts:
        settings, pool = self._settings, self._pool
        sources = SourceUploads(
            store, max_bytes=settings.max_source_bytes, part_bytes=settings.source_part_bytes
        )
        return StreamParts(
            commits=self.commits,
            hellos=Hellos(pool, self._rows.living_nodes),
            events=EventRows(pool, jobs, sources, follow_ups),
            downlink=Downlink(pool, store, sources),
            forgetting=self.forgetting,
            pending=PendingBytes(
                max_user_bytes=settings.max_user_pending_bytes,
                max_total_bytes=settings.max_total_pending_bytes,
            ),
            accounts=self._accounts,
            settings=settings.stream,
            tastes=self._tastes,
            on_session=self._enter,
        )

    def _listener_of(
        self, tls: LinkTls | None, more: Sequence[Callable[[grpc.aio.Server], None]]
    ) -> Listener:
        settings = self._settings
        return Listener(
            options=server_options(
                dead_peer_s=settings.dead_peer_s,
                is_port_shared=settings.is_port_shared,
                max_connection_age_s=settings.max_connection_age_s,
            ),
            services=[
                lambda server: link_pb2_grpc.add_LinkServicer_to_server(self, server),
                lambda server: health_pb2_grpc.add_HealthServicer_to_server(self._health, server),
                *more,
            ],
            tls=tls,
        )

    def _desk(self, jobs: JobQueue, follow_ups: FollowUps) -> ForgetDesk:
        return ForgetDesk(
            self._pool,
            jobs,
            SpoolSweeper(self._pool, self.spool, jobs, after_sweep=follow_ups.after_sweep),
            streams=lambda: self._streams,
            after_forget=follow_ups.after_forget,
            poll_s=self._settings.poll_s,
        )

    @property
    def num_streams(self) -> int:
        """How many agents are connected."""
        return len(self._streams)

    async def start(self, address: str) -> int:
        """Recover, then listen on `host:port` (port 0: any free one); returns the port.

        Raises:
            PortBusy: The address cannot be listened on.
            AlreadyRunning: Another process has this node's spool.
            DatabaseUnavailable, DiskFull, StoreUnavailable: Recovery could not be finished.
        """
        await asyncio.to_thread(self.spool.open)
        try:
            self.recovery = await recover(self._pool, self.spool, self._rows)
            self.commits.start()
            port = await self._listener.start(address)
            await self._health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        except BaseException:
            await self.commits.stop()
            self.spool.close()
            raise
        notices = LinkNotices(
            self._pool,
            connected_sessions=self._by_session.keys,
            on_news=lambda session_id: self._tell(session_id, AgentStream.has_news),
            on_stored=self._tell_stored,
            on_lost=self._ask_to_send_again,
            on_gap=self._tell_all,
            poll_s=self._settings.poll_s,
        )
        self._tasks = [
            asyncio.create_task(notices.run(), name="link-notices"),
            asyncio.create_task(self._sweep(), name="link-sweep"),
            asyncio.create_task(
                watch_backlog(self._accounts, self._waiting, every_s=self._settings.backlog_s),
                name="link-backlog",
            ),
            asyncio.create_task(self.roll_up.run(self._stopping), name="roll-up"),
            asyncio.create_task(self.forgetting.run(self._stopping), name="forgetting"),
        ]
        log.info("link_listening", port=port, node=self._settings.node, is_tls=self._is_tls)
        return port

    async def nodes_gone(self, nodes: Collection[str]) -> None:
        """What these nodes held counts as held no more: agents that have such chunks are asked to come again.

        Raises:
            DatabaseUnavailable: Call it again.
        """
        self._meanwhile.gone()
        sessions = list(self._by_session)
        if sessions:
            for row in await fetch(self._pool, "sessions_in_spools", spool_prefixes(nodes), sessions):
                self._ask_to_send_again(row["session_id"])

    async def drain(self) -> None:
        """Not ready; RetryLater to every stream; returns when they have left, or after `drain_s`."""
        self._is_draining = True
        await self._health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        for stream in list(self._streams):
            stream.retry_later("the coordinator is restarting", delay_ms=self._spread_ms())
        if self._streams:
            self._all_left.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_left.wait(), self._settings.drain_s)

    async def stop(self) -> None:
        """Drain, then close everything. Twice is once."""
        await self.drain()
        await self._listener.stop(1.0)
        await self.commits.stop()
        self._stopping.set()
        for task in self._tasks:
            if task.get_name() not in ("roll-up", "forgetting"):
                task.cancel()
        if self._tasks:
            # A roll-up under way may finish its object; what it does not finish is settled at the next start.
            _, late = await asyncio.wait(self._tasks, timeout=self._settings.drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []
        self.spool.close()

    async def Connect(  # type: ignore[override]  # noqa: N802  gRPC's name; its async form is not in the stubs
        self, request_iterator: AsyncIterator[link_pb2.AgentMessage], context: Context
    ) -> None:
        """One agent's stream."""
        if self._is_draining:
            later = link_pb2.RetryLater(
                delay_ms=self._settings.stream.retry_delay_ms, reason="the coordinator is restarting"
            )
            await context.write(link_pb2.CoordinatorMessage(retry_later=later))
            return
        principal = await self._principal_of(context)
        stream = AgentStream(self._parts, context, principal)
        self._streams[stream] = leave_at_s(
            time.monotonic(), self._settings.max_connection_age_s, random.random()
        )
        try:
            await stream.run()
        finally:
            del self._streams[stream]
            for session_id in stream.sessions:
                self._by_session[session_id].discard(stream)
                if not self._by_session[session_id]:
                    del self._by_session[session_id]
            if not self._streams:
                self._all_left.set()

    async def _principal_of(self, context: Context) -> Principal:
        """Who speaks; ends the call where nobody does."""
        token = bearer_token(context.invocation_metadata() or ())
        try:
            principal = await self._identity.authenticate(token, context.peer()) if token else None
        except CoordinatorError as exc:
            log.warning("authentication_delayed", problem=str(exc))
            # Not UNAUTHENTICATED: the token may be good, and an agent must not throw it away.
            await context.abort(
                grpc.StatusCode.UNAVAILABLE, "nobody can say whose token this is now; try again"
            )
        if principal is None:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "no valid token; renew it, or pair this agent again"
            )
        if not may(principal.role, Action.STREAM):
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED, f"the role {principal.role} may not send streams"
            )
        return principal

    def _tell(self, session_id: str, what: Callable[[AgentStream, str], None]) -> None:
        self.forgetting.has_news()
        for stream in self._by_session.get(session_id, ()):
            what(stream, session_id)

    def _ask_to_send_again(self, session_id: str) -> None:
        self._meanwhile.lost(session_id)
        self._tell(session_id, self._send_away)

    def _send_away(self, stream: AgentStream, _session_id: str) -> None:
        # Its next Hello is answered with what is held by now; what is not listed is sent again.
        reason = "what a node held is gone; connect anew, and send it again"
        stream.retry_later(reason, delay_ms=self._spread_ms())

    def _spread_ms(self) -> int:
        """What to tell one of many streams that go at once, so that they do not come back at once."""
        delay_ms = drain_delay_ms(len(self._streams), random.random())
        return max(self._settings.stream.retry_delay_ms, delay_ms)

    def _enter(self, stream: AgentStream, session_id: str) -> None:
        self._by_session.setdefault(session_id, set()).add(stream)
        if self._meanwhile.is_stored_since(session_id, stream.began_s):
            stream.has_stored(session_id)
        if self._meanwhile.is_lost_since(session_id, stream.began_s):
            self._send_away(stream, session_id)

    def _tell_stored(self, session_id: str) -> None:
        self._meanwhile.stored(session_id)
        self._tell(session_id, AgentStream.has_stored)

    def _tell_all(self) -> None:
        for stream in self._streams:
            stream.look_again()

    async def _sweep(self) -> None:
        """Look for a renewed certificate; end streams that fell silent or whose account or device may speak no more."""
        checked_s = time.monotonic()
        while True:
            age_s = self._settings.max_connection_age_s or 50.0
            await asyncio.sleep(
                min(5.0, self._settings.dead_peer_s / 5, self._settings.recheck_s, age_s / 10)
            )
            now_s = time.monotonic()
            greeted_s = now_s
            async for stream, leaves_s in one_by_one(self._streams.items()):
                if not stream.agent_id:
                    greeted_s = min(greeted_s, stream.began_s)
                if now_s - stream.heard_s > self._settings.dead_peer_s:
                    stream.end(grpc.StatusCode.DEADLINE_EXCEEDED, "nothing was heard from the agent")
                elif now_s >= leaves_s:
                    stream.retry_later("connect anew, perhaps elsewhere", delay_ms=random.randrange(1000))
            self._meanwhile.forget_before(greeted_s)
            await self._listener.look()
            if now_s - checked_s >= self._settings.recheck_s:
                checked_s = now_s
                await self._recheck()

    async def _recheck(self) -> None:
        """A token that has run out is the agent's to renew: it is asked to come back, and comes with a new one."""
        now_s = time.time()
        async for stream in one_by_one(self._streams):
            expires_at_s = stream.principal.expires_at_s
            if expires_at_s is not None and expires_at_s <= now_s:
                stream.retry_later("the access token has expired")
        try:
            revoked = await self._identity.revoked([stream.principal for stream in self._streams])
        except CoordinatorError as exc:
            log.warning("recheck_delayed", problem=str(exc))
            return
        if not revoked:
            return
        async for stream in one_by_one(self._streams):
            if stream.principal in revoked:
                stream.end(
                    grpc.StatusCode.UNAUTHENTICATED,
                    "the token counts no longer; renew it, or pair this agent again",
                )
