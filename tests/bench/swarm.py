"""Thousands of agents in one thread: one TLS connection and one stream each, driven by epoll.

Every agent behaves as the real one towards the coordinator (agent/uplink/link_stream.py): Hello, at most 8 chunks
under way, a heartbeat when it has said nothing else for long, the same patience, and after a stream's end the same
full jitter; what was not acknowledged, and is not listed in Welcome, is sent again. Latency counts from the instant a
chunk was due, so that a client or a server that is late shows. Owned by one thread; Linux only.
"""

from __future__ import annotations

import array
import collections
import errno
import heapq
import random
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence

from agent.uplink.backoff import next_delay_s, told_delay_s
from agent.uplink.link_stream import LinkSettings
from protos.clippy.v1 import link_pb2, media_pb2
from protos.timebase import SECOND_NS
from tests.bench import link_messages
from tests.bench.swarm_parts import (
    CONNECTING,
    HANDSHAKING,
    IDLE,
    OPENING,
    STREAMING,
    Agent,
    Call,
    Counts,
    Rhythm,
)

_AGENT = LinkSettings()
# As agent/uplink/link.py: a stream that held this long begins anew with the shortest wait.
_WORKED_S = 5.0
_CHUNK_NS = 10 * SECOND_NS
# Between two looks at the sockets: a herd must not keep the loop from those that are through already.
_CONNECTS_AT_ONCE = 64
_EVENTS_AT_ONCE = 512
_READ_BYTES = 65_536


class Swarm:
    """The agents and their loop. `run_until` is the loop; everything else only says what it should do."""

    def __init__(
        self,
        address: tuple[str, int],
        context: ssl.SSLContext,
        tokens: Sequence[str],
        *,
        new_call: Callable[[str], Call],
        chunks: link_messages.ChunkMaker,
        dice: random.Random | None = None,
    ) -> None:
        """Args: new_call: makes the call of an agent from its token."""
        self.agents = [Agent(index, token) for index, token in enumerate(tokens)]
        self.counts = Counts()
        self.acked_due_s, self.acked_ms = array.array("d"), array.array("d")
        # How late this process itself was with each chunk: a part of `acked_ms`.
        self.late_ms = array.array("d")
        self._address, self._context, self._new_call, self._chunks = address, context, new_call, chunks
        self._dice = dice or random.Random()
        self._poll = select.epoll()
        self._by_fd: dict[int, Agent] = {}
        self._connects: list[tuple[float, int]] = []
        self._patience: collections.deque[tuple[float, Agent, int]] = collections.deque()
        self._chunk_rhythm: Rhythm | None = None
        self._beats: list[tuple[float, int, int]] = []

    # ---- what it should do

    def connect_all(self, *, rate_per_s: float | None = None) -> None:
        """Let all connect: at a steady rate, or at once."""
        now_s = time.monotonic()
        step_s = 1 / rate_per_s if rate_per_s else 0.0
        self._connects = [(now_s + agent.index * step_s, agent.index) for agent in self.agents]
        heapq.heapify(self._connects)

    def start_chunks(self, *, period_s: float) -> float:
        """From now on a chunk of each agent falls due every `period_s`; returns when the first is."""
        now_s = time.monotonic()
        self._chunk_rhythm = Rhythm(len(self.agents), period_s, now_s)
        return now_s

    def stop_chunks(self) -> None:
        """No more chunks fall due; those that are under way go on."""
        self._chunk_rhythm = None

    @property
    def are_all_streaming(self) -> bool:
        """Has every agent its Welcome, on a connection that stands?"""
        return self.counts.num_streaming == len(self.agents)

    @property
    def num_unacked(self) -> int:
        """Chunks that fell due and were neither acknowledged nor refused."""
        return self.counts.chunks_made - self.counts.chunks_acked - self.counts.chunks_refused

    def run_until(self, is_done: Callable[[], bool], *, timeout_s: float) -> bool:
        """Drive everything until `is_done` (asked every turn), at most `timeout_s`; returns whether it was."""
        deadline_s = time.monotonic() + timeout_s
        while not is_done():
            now_s = time.monotonic()
            if now_s >= deadline_s:
                return False
            self._connect_due(now_s)
            self._chunks_due(now_s)
            self._beats_due(now_s)
            self._give_up_due(now_s)
            next_s = min(
                deadline_s,
                self._beats[0][0] if self._beats else deadline_s,
                self._chunk_rhythm.due_s if self._chunk_rhythm else deadline_s,
                self._connects[0][0] if self._connects else deadline_s,
            )
            self._look(max(0.0, next_s - time.monotonic()))
        return True

    def close(self) -> None:
        """Drop every connection."""
        for agent in self.agents:
            self._drop(agent)
        self._poll.close()

    # ---- what is due

    def _connect_due(self, now_s: float) -> None:
        for _ in range(_CONNECTS_AT_ONCE):
            if not self._connects or self._connects[0][0] > now_s:
                return
            self._connect(self.agents[heapq.heappop(self._connects)[1]], now_s)

    def _chunks_due(self, now_s: float) -> None:
        if self._chunk_rhythm is None:
            return
        for index, due_s in self._chunk_rhythm.turns(now_s):
            agent = self.agents[index]
            agent.due[agent.next_seq] = due_s
            agent.waiting.append(agent.next_seq)
            agent.next_seq += 1
            self.counts.chunks_made += 1
            if agent.state == STREAMING:
                self.late_ms.append(1000 * (time.monotonic() - due_s))
                self._pump(agent)

    def _beats_due(self, now_s: float) -> None:
        while self._beats and self._beats[0][0] <= now_s:
            _, index, num_tries = heapq.heappop(self._beats)
            agent = self.agents[index]
            if agent.num_tries != num_tries or agent.state != STREAMING or agent.call is None:
                continue
            if now_s - agent.heard_s >= _AGENT.dead_peer_s:
                self._lost(agent, f"silent for {_AGENT.dead_peer_s:.0f} s")
                continue
            if (since_s := agent.oldest_under_way_s()) is not None and now_s - since_s > _AGENT.ack_s:
                self._lost(agent, f"no acknowledgement for {_AGENT.ack_s:.0f} s")
                continue
            if now_s - agent.spoke_s >= _AGENT.heartbeat_s:
                agent.spoke_s = now_s
                agent.call.send(link_messages.heartbeat(time.time_ns() // 1_000_000))
                self.counts.heartbeats += 1
                self._write(agent)
            self._look_after(agent)

    def _look_after(self, agent: Agent) -> None:
        """When it would have to speak, or give the server up, if nothing were said until then."""
        due_s = min(agent.spoke_s + _AGENT.heartbeat_s, agent.heard_s + _AGENT.dead_peer_s)
        heapq.heappush(self._beats, (due_s, agent.index, agent.num_tries))

    def _give_up_due(self, now_s: float) -> None:
        while self._patience and self._patience[0][0] <= now_s:
            _, agent, num_tries = self._patience.popleft()
            if agent.num_tries == num_tries and agent.state in (CONNECTING, HANDSHAKING, OPENING):
                self._lost(agent, f"no Welcome within {_AGENT.welcome_s:.0f} s")

    def _look(self, wait_s: float) -> None:
        for fd, events in self._poll.poll(wait_s, _EVENTS_AT_ONCE):
            agent = self._by_fd.get(fd)
            if agent is None:
                continue
            try:
                if agent.state == CONNECTING:
                    self._connected(agent)
                elif agent.state == HANDSHAKING:
                    self._shake_hands(agent)
                else:
                    if events & select.EPOLLOUT:
                        self._write(agent)
                    if events & ~select.EPOLLOUT and agent.sock is not None:
                        self._read(agent)
            except OSError as exc:  # ssl.SSLError is one
                self._lost(agent, f"UNAVAILABLE: {_name_of(exc)}")

    # ---- one connection, from its beginning to its end

    def _connect(self, agent: Agent, now_s: float) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        agent.sock, agent.state, agent.connected_s = sock, CONNECTING, 0.0
        agent.num_tries += 1
        self._patience.append((now_s + _AGENT.welcome_s, agent, agent.num_tries))
        code = sock.connect_ex(self._address)
        self._by_fd[sock.fileno()] = agent
        self._poll.register(sock.fileno(), select.EPOLLOUT)
        if code not in (0, errno.EINPROGRESS):
            self._lost(agent, f"UNAVAILABLE: {errno.errorcode.get(code, str(code))}")

    def _connected(self, agent: Agent) -> None:
        assert agent.sock is not None
        code = agent.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._lost(agent, f"UNAVAILABLE: {errno.errorcode.get(code, str(code))}")
            return
        # The descriptor moves to the new object, and stays registered.
        agent.sock = self._context.wrap_socket(
            agent.sock, server_hostname="localhost", do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        agent.state = HANDSHAKING
        self._shake_hands(agent)

    def _shake_hands(self, agent: Agent) -> None:
        assert isinstance(agent.sock, ssl.SSLSocket)
        try:
            agent.sock.do_handshake()
        except ssl.SSLWantReadError:
            self._poll.modify(agent.sock.fileno(), select.EPOLLIN)
            return
        except ssl.SSLWantWriteError:
            self._poll.modify(agent.sock.fileno(), select.EPOLLOUT)
            return
        self._poll.modify(agent.sock.fileno(), select.EPOLLIN)
        agent.state, agent.is_blocked = OPENING, False
        agent.heard_s = time.monotonic()
        agent.call = self._new_call(agent.token)
        agent.call.send(
            link_messages.hello(f"bench-{agent.index}", agent.session_id, time.time_ns() // 1_000_000)
        )
        self._write(agent)

    def _read(self, agent: Agent) -> None:
        assert agent.sock is not None and agent.call is not None
        try:
            data = agent.sock.recv(_READ_BYTES)
        except ssl.SSLWantReadError:
            return
        agent.heard_s = time.monotonic()
        if not data:
            self._lost(agent, "UNAVAILABLE: closed")
            return
        call = agent.call
        for message in call.receive(data):
            self._take(agent, link_pb2.CoordinatorMessage.FromString(message))
            if agent.call is not call:
                return
        if call.ended is not None:
            self._lost(agent, call.ended)
        elif call.outgoing:
            self._write(agent)

    def _write(self, agent: Agent) -> None:
        call, sock = agent.call, agent.sock
        if call is None or sock is None:
            return
        is_blocked = False
        try:
            while call.outgoing:
                # A write that is tried again begins with the same bytes, as OpenSSL asks for: they only grow.
                del call.outgoing[: sock.send(call.outgoing)]
        except (ssl.SSLWantWriteError, BlockingIOError):
            is_blocked = True
        except OSError as exc:
            self._lost(agent, f"UNAVAILABLE: {_name_of(exc)}")
            return
        if is_blocked != agent.is_blocked:
            agent.is_blocked = is_blocked
            self._poll.modify(sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if is_blocked else 0))

    def _lost(self, agent: Agent, reason: str, delay_ms: int | None = None) -> None:
        """The connection is over; come back as the real agent does."""
        now_s = time.monotonic()
        self.counts.num_ends += 1
        self.counts.ends[reason.partition("\n")[0][:120]] += 1
        connected_s = now_s - agent.connected_s if agent.connected_s else 0.0
        self._drop(agent)
        if delay_ms is not None:
            agent.attempt = 0
            delay_s = told_delay_s(delay_ms, self._dice.random())
        else:
            agent.attempt = 0 if connected_s > _WORKED_S else agent.attempt
            delay_s = next_delay_s(agent.attempt, self._dice.random())
            agent.attempt += 1
        heapq.heappush(self._connects, (now_s + delay_s, agent.index))

    def _drop(self, agent: Agent) -> None:
        if agent.state == STREAMING:
            self.counts.num_streaming -= 1
        if agent.sock is not None:
            self._by_fd.pop(agent.sock.fileno(), None)
            agent.sock.close()  # leaves epoll by itself
        agent.sock = agent.call = None
        agent.state = IDLE

    # ---- what comes down

    def _take(self, agent: Agent, message: link_pb2.CoordinatorMessage) -> None:
        kind = message.WhichOneof("kind")
        if kind == "ack":
            self._take_held(agent, message.ack.held, agent.heard_s, is_news=True)
            for gap in message.ack.refused:
                for seq in range(gap.first, gap.last + 1):
                    if agent.due.pop(seq, None) is not None:
                        self.counts.chunks_refused += 1
            self._pump(agent)
        elif kind == "welcome":
            self._take_held(agent, message.welcome.held, agent.heard_s, is_news=False)
            agent.state = STREAMING
            agent.connected_s = agent.spoke_s = agent.heard_s
            self._look_after(agent)
            self.counts.num_streaming += 1
            self.counts.chunks_resent += len(agent.due) - len(agent.waiting)
            agent.waiting = collections.deque(sorted(agent.due))
            self._pump(agent)
        elif kind == "retry_later":
            later = message.retry_later
            self._lost(agent, f"RetryLater: {later.reason[:80]}", later.delay_ms)

    def _take_held(
        self, agent: Agent, held: Iterable[media_pb2.LaneRanges], now_s: float, *, is_news: bool
    ) -> None:
        for lane in held:
            if lane.session_id != agent.session_id:
                self.counts.acked_twice += 1
                continue
            for ranges, is_first in ((lane.fsynced, is_news), (lane.stored, False)):
                for span in ranges:
                    for seq in range(span.first, span.last + 1):
                        due_s = agent.due.pop(seq, None)
                        if due_s is None:
                            self.counts.acked_twice += is_first
                            continue
                        self.counts.chunks_acked += 1
                        self.acked_due_s.append(due_s)
                        self.acked_ms.append(1000 * (now_s - due_s))

    def _pump(self, agent: Agent) -> None:
        """Send what waits, as far as there is room under way."""
        call = agent.call
        if call is None or not agent.waiting:
            return
        while agent.waiting and len(agent.due) - len(agent.waiting) < _AGENT.max_in_flight:
            seq = agent.waiting.popleft()
            if seq not in agent.due:
                continue
            start_ns = seq * _CHUNK_NS
            head = self._chunks.head(agent.whose, seq, start_ns, start_ns + _CHUNK_NS)
            call.send(head, self._chunks.payload)
            agent.spoke_s = time.monotonic()
        self._write(agent)


def _name_of(exc: OSError) -> str:
    # What ssl raises carries numbers of its own.
    if isinstance(exc, ssl.SSLError):
        return exc.reason or type(exc).__name__
    return errno.errorcode.get(exc.errno or 0, type(exc).__name__)
