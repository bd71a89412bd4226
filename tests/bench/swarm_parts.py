"""What a swarm is made of: its agents, what is counted, whose turn it is, and how it speaks TLS."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import gc
import socket
import ssl
import uuid
from collections.abc import Iterator
from typing import Protocol

from tests.bench import link_messages

IDLE, CONNECTING, HANDSHAKING, OPENING, STREAMING = range(5)


class Call(Protocol):
    """What carries messages over a connection; see grpc_call.py."""

    outgoing: bytearray
    ended: str | None

    def send(self, head: bytes, payload: bytes = b"") -> None: ...

    def receive(self, data: bytes) -> list[bytes]: ...


class Agent:
    """One of them. `due` holds every chunk that is not acknowledged, with the instant it was due."""

    __slots__ = (
        *("attempt", "call", "connected_s", "due", "heard_s", "index", "is_blocked", "next_seq", "num_tries"),
        *("session_id", "sock", "spoke_s", "state", "token", "waiting", "whose"),
    )

    def __init__(self, index: int, token: str) -> None:
        self.index = index
        self.token = token
        self.session_id = uuid.uuid4().hex
        self.whose = link_messages.session_part(self.session_id)
        self.sock: socket.socket | ssl.SSLSocket | None = None
        self.call: Call | None = None
        self.state = IDLE
        self.is_blocked = False
        self.num_tries = 0
        self.attempt = 0
        self.connected_s = self.heard_s = self.spoke_s = 0.0
        self.next_seq = 0
        self.due: dict[int, float] = {}
        self.waiting: collections.deque[int] = collections.deque()

    def oldest_under_way_s(self) -> float | None:
        """Since when the oldest chunk that was sent is not acknowledged."""
        if len(self.due) == len(self.waiting):
            return None
        # Of the chunks that are due the oldest is sent first.
        return max(next(iter(self.due.values())), self.connected_s)


@dataclasses.dataclass(slots=True)
class Counts:
    """What happened, plain numbers.

    Attributes:
        num_ends: connections that failed or were cut; each was followed by another try.
        ends: why, and how often.
    """

    chunks_made: int = 0
    chunks_acked: int = 0
    acked_twice: int = 0
    chunks_refused: int = 0
    chunks_resent: int = 0
    heartbeats: int = 0
    num_streaming: int = 0
    num_ends: int = 0
    ends: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


class Rhythm:
    """Calls each agent in turn, evenly spread over a period. `due_s` is when the next one is."""

    def __init__(self, num: int, period_s: float, start_s: float) -> None:
        self._num, self._step_s, self._start_s, self._next = num, period_s / num, start_s, 0
        self.due_s = start_s

    def turns(self, now_s: float) -> Iterator[tuple[int, float]]:
        """Whose turn has come, and when it came."""
        while self.due_s <= now_s:
            yield self._next % self._num, self.due_s
            self._next += 1
            self.due_s = self._start_s + self._next * self._step_s


@contextlib.contextmanager
def collector_at_rest() -> Iterator[None]:
    """No pauses of the garbage collector while a swarm runs: ten thousand agents are much to look through."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def client_context(ca_path: str, *protocols: str) -> ssl.SSLContext:
    """TLS as an agent uses it: the coordinator's own authority and no other."""
    context = ssl.create_default_context(cafile=ca_path)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
