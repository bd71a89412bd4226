"""One stream to the coordinator, from Hello to its end.

Three threads meet here: `uplink` (which owns everything but the two queues), gRPC's sender, which draws from
`_outgoing`, and `uplink-read`, which fills `_inbox`. Both queues are bounded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVarTuple, Unpack, cast

import grpc
import structlog

from agent.model.clips import SourcePart, SourceWish
from agent.uplink.channel import Coordinator, describe, open_channel
from agent.uplink.counters import Counters
from agent.uplink.outbox import ChunkKey, Outbox
from agent.uplink.sluice import Sluice
from protos import segment
from protos.clippy.v1 import clips_pb2, link_pb2, link_pb2_grpc

if TYPE_CHECKING:
    Call = grpc.CallIterator[link_pb2.CoordinatorMessage]

log = structlog.get_logger(__name__)
_Values = TypeVarTuple("_Values")

_OUTGOING_MAX = 64
_INBOX_MAX = 256
_EVENTS_AT_ONCE = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """How patient the link is.

    Attributes:
        max_in_flight: chunks sent and not yet FSYNCED.
        heartbeat_s: one is sent when nothing else was for so long; the coordinator ends a stream after 25 s of silence.
        dead_peer_s: a coordinator that says nothing for so long, not even to a heartbeat, is given up.
    """

    max_in_flight: int = 8
    heartbeat_s: float = 12.0
    dead_peer_s: float = 27.0
    welcome_s: float = 15.0
    ack_s: float = 60.0
    max_backoff_s: float = 20.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkHooks:
    """Called from the `uplink` thread; each returns at once. What they raise is logged, never passed on.

    Attributes:
        on_bytes: so many bytes leave now, of this lane; empty: of none.
        on_picture_bound: so many bits a second of the small picture may leave; None: as many as it needs.
    """

    on_source_request: Callable[[SourceWish], None] = lambda _wish: None
    on_taste: Callable[[link_pb2.TasteNews], None] = lambda _news: None
    on_moment: Callable[[clips_pb2.Moment], None] = lambda _moment: None
    on_export: Callable[[clips_pb2.Export], None] = lambda _export: None
    on_forget: Callable[[link_pb2.Forget], None] = lambda _forget: None
    on_forgotten: Callable[[link_pb2.Forgotten], None] = lambda _receipt: None
    on_bytes: Callable[[int, str], None] = lambda _num_bytes, _lane: None
    on_tier: Callable[[str], None] = lambda _tier: None
    on_picture_bound: Callable[[int | None], None] = lambda _bps: None
    on_heard: Callable[[link_pb2.Heard], None] = lambda _heard: None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """Why a stream ended. `delay_ms`: when to come back, where the coordinator said so."""

    problem: str
    delay_ms: int | None = None
    connected_s: float = 0.0
    is_token_refused: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A chunk on its way."""

    chunk_id: int
    at_s: float


class LinkStream:
    """One stream. `run` belongs to the `uplink` thread; `wake` may be called from any."""

    def __init__(
        self,
        coordinator: Coordinator,
        hello: link_pb2.Hello,
        outbox: Outbox,
        *,
        hooks: LinkHooks,
        settings: LinkSettings,
        counters: Counters,
        sluice: Sluice,
        on_connected: Callable[[], None],
    ) -> None:
        self._coordinator = coordinator
        self._hello = hello
        self._outbox = outbox
        self._hooks = hooks
        self._settings = settings
        self._counters = counters
        self._sluice = sluice
        self._held: frozenset[int] = frozenset()
        self._on_connected = on_connected
        self._inbox: queue.Queue[link_pb2.CoordinatorMessage | StreamEnd | None] = queue.Queue(_INBOX_MAX)
        self._outgoing: queue.Queue[link_pb2.AgentMessage | None] = queue.Queue(_OUTGOING_MAX)
        self._closing = threading.Event()
        self._announced = {item.session_id for item in hello.sessions}
        self._in_flight: dict[ChunkKey, _Sent] = {}
        self._chunk_cursor = 0
        self._event_cursor = 0
        self._barriers: dict[int, int] = {}
        self._last_token = 0
        self._connected_at_s = 0.0
        self._spoke_s = time.monotonic()

    def wake(self) -> None:
        """There is something new to send, or it is time to stop."""
        if self._inbox.empty():
            with contextlib.suppress(queue.Full):
                self._inbox.put_nowait(None)

    def run(self, stopping: threading.Event) -> StreamEnd:
        """Carry messages both ways until the stream ends or `stopping` is set; say why it ended.

        Raises:
            AgentError: The outbox cannot be used, or the token or the CA cannot be read.
        """
        tokens = self._coordinator.token_source
        token = tokens.token()
        self._sluice.begin_stream()
        channel = open_channel(self._coordinator)
        call: Call | None = None
        try:
            self._outgoing.put_nowait(link_pb2.AgentMessage(hello=self._hello))
            stub = link_pb2_grpc.LinkStub(channel)
            call = stub.Connect(self._sent(), metadata=(("authorization", f"Bearer {token}"),))
            reader = threading.Thread(target=self._read, args=(call,), name="uplink-read", daemon=True)
            reader.start()
            end = self._converse(stopping)
            if end.is_token_refused:
                tokens.refuse(token)
        finally:
            self._closing.set()
            if call is not None:
                call.cancel()  # type: ignore[no-untyped-call]
            with contextlib.suppress(queue.Full):
                self._outgoing.put_nowait(None)
            channel.close()
        connected_s = time.monotonic() - self._connected_at_s if self._connected_at_s else 0.0
        return dataclasses.replace(end, connected_s=connected_s)

    def _converse(self, stopping: threading.Event) -> StreamEnd:
        settings = self._settings
        heard_s = time.monotonic()
        while not stopping.is_set():
            message = self._next(min(1.0, settings.heartbeat_s))
            now_s = time.monotonic()
            if isinstance(message, StreamEnd):
                return message
            if message is not None:
                heard_s = now_s
                end = self._take(message)
                if end is not None:
                    return end
            patience_s = settings.dead_peer_s if self._connected_at_s else settings.welcome_s
            if now_s - heard_s > patience_s:
                return StreamEnd(
                    problem=f"the coordinator at {self._coordinator.address} has been silent "
                    f"for {patience_s:.0f} s"
                )
            if not self._connected_at_s:
                continue
            if (
                self._in_flight
                and now_s - min(sent.at_s for sent in self._in_flight.values()) > settings.ack_s
            ):
                return StreamEnd(problem=f"a chunk was not acknowledged within {settings.ack_s:.0f} s")
            self._pump()
            if now_s - self._spoke_s >= settings.heartbeat_s:
                self._send_heartbeat()
        return StreamEnd(problem="")

    def _next(self, timeout_s: float) -> link_pb2.CoordinatorMessage | StreamEnd | None:
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _take(self, message: link_pb2.CoordinatorMessage) -> StreamEnd | None:
        kind = message.WhichOneof("kind")
        if kind == "retry_later":
            reason = message.retry_later.reason[:200] or "it asked to come back later"
            return StreamEnd(
                problem=f"the coordinator: {reason}", delay_ms=min(message.retry_later.delay_ms, 10**9)
            )
        if kind == "welcome":
            self._outbox.reconcile(message.welcome.held)
            self._connected_at_s = time.monotonic()
            self._on_connected()
        elif kind == "ack":
            self._take_ack(message.ack)
        elif kind == "heartbeat":
            event_id = self._barriers.pop(message.heartbeat.unix_ms, None)
            if event_id is not None:
                self._outbox.confirm_events(event_id)
        elif kind == "source_request":
            _guarded(self._hooks.on_source_request, _wish(message.source_request))
        elif kind == "config":
            self._sluice.take_config(message.config)
            _guarded(self._hooks.on_tier, message.config.tier)
            _guarded(self._hooks.on_picture_bound, self._sluice.picture_bps)
        elif kind == "moment":
            _guarded(self._hooks.on_moment, message.moment)
        elif kind == "export":
            _guarded(self._hooks.on_export, message.export)
        elif kind == "forget":
            _guarded(self._hooks.on_forget, message.forget)
        elif kind == "forgotten":
            _guarded(self._hooks.on_forgotten, message.forgotten)
        elif kind == "taste":
            _guarded(self._hooks.on_taste, message.taste)
        elif kind == "heard":
            _guarded(self._hooks.on_heard, message.heard)
        return None

    def _take_ack(self, ack: link_pb2.Ack) -> None:
        fsynced = self._outbox.mark_fsynced(ack.held)
        stored = self._outbox.delete_stored(ack.held)
        refused = self._outbox.drop_refused(ack.refused) if ack.refused else []
        self._counters.chunks_fsynced += len(fsynced)
        self._counters.chunks_stored += len(stored)
        self._counters.chunks_refused += len(refused)
        for key in (*fsynced, *stored, *refused):
            self._in_flight.pop(key, None)
        if self._in_flight and not (fsynced or stored or refused):
            # Dropped here while they were on their way: no row is left that an ack could change.
            for held in ack.held:
                for span in (*held.fsynced, *held.stored):
                    for key in [key for key in self._in_flight if key[:2] == (held.session_id, held.lane)]:
                        if span.first <= key[2] <= span.last:
                            del self._in_flight[key]

    def _pump(self) -> None:
        """Hand over what waits, as far as there is room: sessions, then events, then chunks, each in order."""
        for session in self._outbox.sessions():
            if session.session_id not in self._announced and self._room() > 0:
                self._announced.add(session.session_id)
                self._say(link_pb2.AgentMessage(session_started=session))
        events = self._outbox.events_after(
            self._event_cursor, limit=max(0, min(_EVENTS_AT_ONCE, self._room()))
        )
        for event in events:
            self._say(event.message)
            self._event_cursor = event.event_id
        if events:
            self._send_heartbeat()
        room = min(self._settings.max_in_flight - len(self._in_flight), self._room())
        if room <= 0:
            return
        held = frozenset(self._sluice.held)
        if held != self._held:
            # What was passed over may leave now, and lies behind what was sent since.
            self._held, self._chunk_cursor = held, 0
        sent_ids = [sent.chunk_id for sent in self._in_flight.values()]
        for waiting in self._outbox.waiting_after(
            self._chunk_cursor, limit=room, held_lanes=held, sent_ids=sent_ids
        ):
            chunk = waiting.chunk
            if chunk.session_id not in self._announced or not self._sluice.has_room():
                return
            if chunk.lane in self._sluice.held:
                # Its lane has used up what it may take. Others pass it; it is looked at again once there is room.
                self._held |= {chunk.lane}
                continue
            self._chunk_cursor = waiting.chunk_id
            key = (chunk.session_id, chunk.lane, chunk.seq)
            self._in_flight[key] = _Sent(chunk_id=waiting.chunk_id, at_s=time.monotonic())
            self._sluice.spend(chunk.lane, len(chunk.payload))
            self._say(link_pb2.AgentMessage(chunk=chunk))

    def _say(self, message: link_pb2.AgentMessage) -> None:
        """Hand over one message; there must be room.

        Raises:
            queue.Full: There is none.
        """
        self._outgoing.put_nowait(message)
        self._spoke_s = time.monotonic()

    def _room(self) -> int:
        # Two places are kept for heartbeats, one for the end.
        return _OUTGOING_MAX - 3 - self._outgoing.qsize()

    def _send_heartbeat(self) -> None:
        # Each has its own number, so that its echo says which events are committed.
        self._last_token = max(self._last_token + 1, time.time_ns() // 1_000_000)
        message = link_pb2.AgentMessage(heartbeat=link_pb2.Heartbeat(unix_ms=self._last_token))
        try:
            self._say(message)
        except queue.Full:
            return
        if len(self._barriers) < _OUTGOING_MAX:
            self._barriers[self._last_token] = self._event_cursor

    def _sent(self) -> Iterator[link_pb2.AgentMessage]:
        """What gRPC's sender draws from; it asks for the next one when there is room on the wire."""
        while not self._closing.is_set():
            message = self._outgoing.get()
            if message is None:
                return
            num_bytes = message.ByteSize()
            self._counters.bytes_sent += num_bytes
            lane = ""
            if message.WhichOneof("kind") == "chunk":
                self._counters.chunks_sent += 1
                lane = segment.LANE_NAMES.get(message.chunk.lane, "")
            _guarded(self._hooks.on_bytes, num_bytes, lane)
            yield message

    def _read(self, call: Call) -> None:
        try:
            for message in call:
                self._hand_over(message)
            end = StreamEnd(problem=f"the coordinator at {self._coordinator.address} closed the stream")
        except grpc.RpcError as exc:
            end = StreamEnd(
                problem=describe(exc, self._coordinator),
                # What a stream raises is a grpc.Call too, but the stubs of grpc cannot say so.
                is_token_refused=cast("grpc.Call", exc).code() is grpc.StatusCode.UNAUTHENTICATED,
            )
        except Exception as exc:  # the thread's outermost frame
            log.exception("link_reader_failed")
            end = StreamEnd(problem=f"cannot read from the coordinator: {exc}")
        self._hand_over(end)

    def _hand_over(self, message: link_pb2.CoordinatorMessage | StreamEnd) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._inbox.put(message, timeout=0.5)
                return


def _wish(request: link_pb2.SourceRequest) -> SourceWish:
    return SourceWish(
        request_id=request.request_id,
        session_id=request.session_id,
        start_ns=request.start_ns,
        end_ns=request.end_ns,
        upload_url=request.upload_url,
        headers=tuple(sorted(request.headers.items())),
        expires_unix_ms=request.expires_unix_ms,
        reason=request.reason,
        part_bytes=request.part_bytes,
        max_bytes=request.max_bytes,
        offered_sha256=request.offered_sha256,
        replaces=tuple(request.replaces),
        parts=tuple(
            SourcePart(
                number=part.number,
                offset=part.offset,
                size_bytes=part.size_bytes,
                is_held=part.is_held,
                url=part.url,
            )
            for part in request.parts
        ),
    )


def _guarded(hook: Callable[[Unpack[_Values]], None], *values: *_Values) -> None:
    try:
        hook(*values)
    except Exception:
        log.exception("link_hook_failed")
