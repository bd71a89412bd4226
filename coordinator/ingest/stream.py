"""One agent's stream: a reader task that takes what comes up, and a writer that says what goes down.

Nothing queues without a bound: at most `max_in_flight` chunks are between the reader and their acks, acks merge
while the agent is slow to read them, and wishes, moments and exports stay rows until they are written.
Owned by the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable

import grpc
import structlog
from google.protobuf.message import DecodeError

from coordinator.errors import ChunkRefused, CoordinatorError, DatabaseUnavailable, SourceExpired
from coordinator.ingest.accounts import Accounts, PutOff
from coordinator.ingest.acks import ack_of, chunk_problem
from coordinator.ingest.admission import PendingBytes
from coordinator.ingest.checks import checked_id
from coordinator.ingest.chunk_rows import Outcome
from coordinator.ingest.downlink import Downlink
from coordinator.ingest.events import EventRows
from coordinator.ingest.forget_desk import ForgetDesk
from coordinator.ingest.group_commit import GroupCommit
from coordinator.ingest.hellos import Hellos
from coordinator.ingest.stream_settings import StreamSettings
from coordinator.ingest.taste_desk import TasteDesk
from coordinator.ingest.told import Told
from coordinator.ingest.words_down import WordsTold, is_more
from coordinator.model.accounts import Owner, Principal
from protos.clippy.v1 import link_pb2, media_pb2
from protos.segment import PROTOCOL_VERSION

log = structlog.get_logger(__name__)

Context = grpc.aio.ServicerContext[link_pb2.AgentMessage, link_pb2.CoordinatorMessage]
_SESSIONS_A_MESSAGE = 100


@dataclasses.dataclass(slots=True, kw_only=True)
class StreamParts:
    """What all streams of a process share."""

    commits: GroupCommit
    hellos: Hellos
    events: EventRows
    downlink: Downlink
    forgetting: ForgetDesk
    pending: PendingBytes
    accounts: Accounts
    settings: StreamSettings
    tastes: TasteDesk
    on_session: Callable[[AgentStream, str], None]


class AgentStream:
    """One stream. `run` is the whole of its life; everything else may be called from the loop meanwhile."""

    def __init__(self, parts: StreamParts, context: Context, principal: Principal) -> None:
        self._parts = parts
        self._account = parts.accounts.of(principal)
        self._context = context
        self.principal = principal
        self.user_id = principal.user_id
        self._owner = Owner(user_id=principal.user_id, tier=principal.tier)
        self.agent_id = ""
        self.sessions: set[str] = set()
        self.began_s = self.heard_s = time.monotonic()
        self._wake = asyncio.Event()
        self._said: list[link_pb2.CoordinatorMessage] = []
        self._slots = asyncio.Semaphore(parts.settings.max_in_flight)
        self._num_in_flight = 0
        self._num_invalid = 0
        self._acks: list[tuple[media_pb2.Chunk, Outcome]] = []
        self._echo_ms: int | None = None
        self._later: link_pb2.RetryLater | None = None
        self._end: tuple[grpc.StatusCode, str] | None = None
        self._is_ended = False
        self._news: set[str] = set()
        self._stored_news: set[str] = set()
        self._told = Told()
        self._words = WordsTold()
        self._newest: dict[tuple[str, int], int] = {}

    async def run(self) -> None:
        """Serve the stream until it ends."""
        try:
            self._account.connect(self)
        except PutOff as exc:
            await self._turn_away(exc)
            return
        reader = asyncio.create_task(self._read(), name="link-read")
        try:
            await self._write()
        finally:
            reader.cancel()
            self._account.leave(self)
            self._account.gate.withdraw(self, "its stream has ended")
            with contextlib.suppress(asyncio.CancelledError):
                await reader
        if self._end is not None:
            await self._context.abort(*self._end)

    def has_news(self, session_id: str) -> None:
        """Wishes, moments or exports of a session have changed."""
        self._news.add(session_id)
        self._wake.set()

    def has_stored(self, session_id: str) -> None:
        """Chunks of a session are in the object store."""
        self._stored_news.add(session_id)
        self._wake.set()

    def say(self, *messages: link_pb2.CoordinatorMessage) -> None:
        """Send these too, after the Welcome."""
        self._said += messages
        self._wake.set()

    def look_again(self) -> None:
        """Notifications may have been missed: look at everything."""
        self._told.begin_anew()
        self._news |= self.sessions
        self._stored_news |= self.sessions
        self._wake.set()

    def retry_later(self, reason: str, *, delay_ms: int | None = None) -> None:
        """Tell the agent to come back later, once what is under way is acknowledged; then end."""
        if self._later is None:
            delay_ms = self._parts.settings.retry_delay_ms if delay_ms is None else delay_ms
            self._later = link_pb2.RetryLater(delay_ms=delay_ms, reason=reason[:300])
            self._account.gate.withdraw(self, reason)
            self._wake.set()

    def replaced(self) -> None:
        """The same agent has connected anew; this stream may be half-open."""
        log.info("stream_replaced", agent_id=self.agent_id)
        self.end(grpc.StatusCode.ABORTED, "this agent has connected anew; each needs an agent_id of its own")

    def end(self, code: grpc.StatusCode, reason: str) -> None:
        """End the stream with an error."""
        if self._end is None and not self._is_ended:
            self._end = (code, reason)
        self._is_ended = True
        self._wake.set()

    async def _turn_away(self, put_off: PutOff) -> None:
        """Say when to come back, but not at once: whoever does not wait can at least not hurry."""
        if not await self._account.tarry(self._wake, self._parts.settings.tarry_s):
            await self._context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(put_off))
        self._later = link_pb2.RetryLater(delay_ms=put_off.delay_ms, reason=str(put_off)[:300])
        await self._leave()

    async def _read(self) -> None:
        try:
            # By `read`, and not by gRPC's iterator: that one keeps the last message until the next one comes, which is
            # a chunk for every stream.
            while (message := await self._context.read()) is not grpc.aio.EOF:  # type: ignore[attr-defined]
                self.heard_s = time.monotonic()
                if self._later is not None or self._is_ended:
                    return
                await self._take(message)
                del message
        except PutOff as exc:
            self.retry_later(str(exc), delay_ms=exc.delay_ms)
        except ChunkRefused as exc:
            log.warning("stream_refused", agent_id=self.agent_id, problem=str(exc))
            self.end(grpc.StatusCode.PERMISSION_DENIED, str(exc)[:300])
        except CoordinatorError as exc:
            self.retry_later(str(exc)[:300])
        except DecodeError as exc:
            self.end(grpc.StatusCode.INVALID_ARGUMENT, f"a message is no AgentMessage: {str(exc)[:200]}")
        except Exception:
            log.exception("stream_failed", agent_id=self.agent_id)
            self.end(grpc.StatusCode.INTERNAL, "the coordinator failed to take a message; see its log")
        else:
            self._is_ended = True
            self._wake.set()

    async def _take(self, message: link_pb2.AgentMessage) -> None:
        kind = message.WhichOneof("kind")
        if kind != "chunk":
            cost = 1 + len(message.hello.sessions) / _SESSIONS_A_MESSAGE
            if wait_s := self._account.message_wait_s(cost):
                await asyncio.sleep(wait_s)
        if kind == "hello":
            await self._take_hello(message.hello)
        elif not self.agent_id:
            self.end(grpc.StatusCode.INVALID_ARGUMENT, f"the first message must be Hello, not {kind}")
        elif kind == "chunk":
            await self._take_chunk(message.chunk)
        elif kind == "heartbeat":
            self._echo_ms = message.heartbeat.unix_ms
            self._wake.set()
        elif kind is not None:
            try:
                async with self._account.writing:
                    await self._take_event(kind, message)
            except SourceExpired as exc:
                # Late is not wrong: nothing is held against the agent.
                log.info("source_came_too_late", agent_id=self.agent_id, code=exc.code, problem=str(exc))
            except ChunkRefused as exc:
                # The agent sends its events at every connect: refusing the stream would lock it out for ever.
                self._count_invalid(kind, str(exc))

    async def _take_hello(self, hello: link_pb2.Hello) -> None:
        if self.agent_id:
            self.end(grpc.StatusCode.INVALID_ARGUMENT, "a second Hello on one stream")
            return
        self._account.say_hello(self, checked_id("agent_id", hello.agent_id))
        self._account.name_sessions([item.session_id for item in hello.sessions])
        greeting = await self._parts.hellos.hello(self.user_id, hello)
        self._told.remember_stored(greeting.held)
        for key, lane in greeting.held.items():
            self._newest[key] = max(item.last for item in (*lane.fsynced, *lane.stored))
        asked = {item.session_id: item.words_after for item in hello.sessions}
        self._words.begin(asked, is_wanted=hello.wants_words)
        for session_id in (*(item.session_id for item in hello.sessions), *greeting.recent):
            self._add_session(session_id)
        self._news = set(self.sessions)
        self.agent_id = hello.agent_id
        welcome = link_pb2.Welcome(
            protocol_version=PROTOCOL_VERSION,
            held=greeting.held.values(),
        )
        self._said.append(link_pb2.CoordinatorMessage(welcome=welcome))
        self._said.append(link_pb2.CoordinatorMessage(config=self._account.config))
        self._said += await self._parts.tastes.news(self.user_id, self.agent_id)
        self._wake.set()

    async def _take_event(self, kind: str, message: link_pb2.AgentMessage) -> None:
        events = self._parts.events
        if kind == "session_started":
            self._account.name_sessions([message.session_started.session_id])
            await self._parts.hellos.session_started(self.user_id, self.agent_id, message.session_started)
            self._words.add(message.session_started.session_id)
            self._add_session(message.session_started.session_id)
        elif kind == "session_ended":
            self._check_session(message.session_ended.session_id)
            await events.session_ended(message.session_ended, self._owner)
        elif kind == "pressed":
            self._check_session(message.pressed.session_id)
            await events.pressed(message.pressed, self._owner)
        elif kind == "gap":
            self._check_session(message.gap.session_id)
            await events.gap(message.gap)
        elif kind == "source_reply":
            await events.source_reply(self._owner, message.source_reply)
        elif kind == "source_offer":
            await events.source_offer(self.user_id, message.source_offer)
        elif kind == "forget":
            await self._parts.forgetting.take(self, message.forget)
        elif kind == "taste":
            await self._parts.tastes.take(self.user_id, self.agent_id, message.taste)

    async def _take_chunk(self, chunk: media_pb2.Chunk) -> None:
        await self._slots.acquire()
        self._num_in_flight += 1
        gate, num_bytes = self._account.gate, len(chunk.payload)
        while not gate.has_room(num_bytes):
            self.heard_s = time.monotonic()  # it is we who do not listen
            await asyncio.sleep(self._parts.settings.full_gate_s)
        gate.offer(self, num_bytes, lambda: self._submit(chunk), lambda outcome: self._done(chunk, outcome))

    def _submit(self, chunk: media_pb2.Chunk) -> None:
        problem = chunk_problem(chunk, self.sessions)
        if problem:
            self._count_invalid("chunk", problem)
            self._done(chunk, Outcome(kind="refused", reason=problem))
            return
        num_bytes = len(chunk.payload)
        reason = self._parts.pending.take(self.user_id, num_bytes)
        if reason:
            self._done(chunk, Outcome(kind="later", reason=reason))
            return

        def done(outcome: Outcome) -> None:
            self._parts.pending.give_back(self.user_id, num_bytes)
            self._done(chunk, outcome)

        # Numbers of a lane go up; one beyond all that were held or sent on this stream has not been here before.
        key = (chunk.session_id, chunk.lane)
        newest = self._newest.get(key, -1)
        self._newest[key] = max(newest, chunk.seq)
        self._parts.commits.submit(chunk, done, owner=self._owner, is_fresh=chunk.seq > newest)

    def _add_session(self, session_id: str) -> None:
        self.sessions.add(session_id)
        self._parts.on_session(self, session_id)

    def _check_session(self, session_id: str) -> None:
        if session_id not in self.sessions:
            raise ChunkRefused(f"session {session_id[:64]!r} was not announced on this stream")

    def _count_invalid(self, kind: str, problem: str) -> None:
        self._num_invalid += 1
        if self._account.may_log():
            log.warning("message_refused", agent_id=self.agent_id, kind=kind, problem=problem)
        if self._num_invalid > self._parts.settings.max_invalid:
            self.end(
                grpc.StatusCode.INVALID_ARGUMENT, f"too many invalid messages, the last: {problem[:200]}"
            )

    def _done(self, chunk: media_pb2.Chunk, outcome: Outcome) -> None:
        if outcome.kind == "later":
            self._num_in_flight -= 1
            self._slots.release()
            self.retry_later(outcome.reason, delay_ms=outcome.delay_ms)
            return
        # Only its key is needed from here on.
        key = media_pb2.Chunk(session_id=chunk.session_id, lane=chunk.lane, seq=chunk.seq)
        self._acks.append((key, outcome))
        self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._is_ended:
                return
            while self._said:
                await self._context.write(self._said.pop(0))
            await self._write_acks()
            if self._later is not None:
                await self._leave()
                return
            if self._echo_ms is not None:
                heartbeat = link_pb2.Heartbeat(unix_ms=self._echo_ms)
                self._echo_ms = None
                await self._context.write(link_pb2.CoordinatorMessage(heartbeat=heartbeat))
            try:
                await self._write_stored()
                await self._write_news()
            except DatabaseUnavailable as exc:
                log.warning("news_delayed", agent_id=self.agent_id, problem=str(exc))
                asyncio.get_running_loop().call_later(self._parts.settings.refresh_retry_s, self._wake.set)

    async def _write_acks(self) -> None:
        if not self._acks:
            return
        acks, self._acks = self._acks, []
        await self._context.write(link_pb2.CoordinatorMessage(ack=ack_of(acks)))
        for _ in acks:
            self._num_in_flight -= 1
            self._slots.release()

    async def _leave(self) -> None:
        """Acknowledge what is under way, then say RetryLater."""
        deadline_s = time.monotonic() + self._parts.settings.flush_s
        while self._num_in_flight > 0 and time.monotonic() < deadline_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 0.1)
            self._wake.clear()
            await self._write_acks()
        await self._context.write(link_pb2.CoordinatorMessage(retry_later=self._later))
        log.info("stream_put_off", agent_id=self.agent_id, reason=self._later.reason if self._later else "")

    async def _write_stored(self) -> None:
        if not self._stored_news:
            return
        # Taken before it is asked: what is said of them while the answer comes is asked for again.
        sessions, self._stored_news = self._stored_news & self.sessions, set()
        try:
            held = await self._parts.downlink.stored(sessions) if sessions else {}
        except DatabaseUnavailable:
            self._stored_news |= sessions
            raise
        if ack := self._told.stored_ack(held):
            await self._context.write(link_pb2.CoordinatorMessage(ack=ack))

    async def _write_news(self) -> None:
        sessions, self._news = self._news & self.sessions, set()
        if not sessions or not self.agent_id:
            return
        downlink = self._parts.downlink
        since, also_sent = self._told.wanted(sessions)
        try:
            news = await downlink.news(
                sessions, since=since, also_sent=also_sent, words_after=self._words.after(sessions)
            )
        except DatabaseUnavailable:
            self._news |= sessions
            raise
        for message in news.requests:
            await self._context.write(message)
        if news.requests:
            await downlink.mark_sent([message.source_request.request_id for message in news.requests])
        for message in self._told.changes(news, sessions, self.sessions | self._news):
            await self._context.write(message)
        for message in self._words.messages(news.heard, now_s=time.monotonic()):
            await self._context.write(message)
        for session_id in is_more(news.heard):
            self.has_news(session_id)
