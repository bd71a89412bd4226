"""The link to the coordinator: one thread that keeps one stream open for as long as it lives.

A coordinator that is down, full or gone is a state with a reason, never an exception to the owner.
Thread `uplink` owns the stream; `start`, `stop`, `wake` and `uplink` may be called from any thread.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import structlog

from agent.errors import AgentError
from agent.uplink.backoff import next_delay_s, told_delay_s
from agent.uplink.channel import Coordinator
from agent.uplink.counters import Counters, State
from agent.uplink.link_stream import LinkHooks, LinkSettings, LinkStream, StreamEnd
from agent.uplink.outbox import Outbox
from agent.uplink.sluice import Sluice
from agent.uplink.thrift import LineState, held_words
from protos.clippy.v1 import control_pb2, link_pb2
from protos.segment import PROTOCOL_VERSION

log = structlog.get_logger(__name__)

_STOP_S = 2.0
# A stream that held this long was a working one: the next wait begins from the bottom.
_WORKED_S = 5.0


class LinkClient:
    """Sends what the outbox holds and takes what the coordinator says, again and again until stopped."""

    def __init__(
        self,
        coordinator: Coordinator,
        outbox: Outbox,
        *,
        agent_id: str,
        agent_version: str,
        hooks: LinkHooks | None = None,
        settings: LinkSettings | None = None,
        words_after: Callable[[str], int] | None = None,
    ) -> None:
        """Args: words_after: up to which words of a session came down; None: none are wanted. Thread `uplink`."""
        self.coordinator = coordinator
        self.counters = Counters()
        self._sluice = Sluice()
        self._outbox = outbox
        self._agent_id = agent_id
        self._agent_version = agent_version
        self._hooks = hooks or LinkHooks()
        self._settings = settings or LinkSettings()
        self._words_after = words_after
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._state: State = "off"
        self._problem = ""
        self._stream: LinkStream | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread `uplink`; the outbox wakes it from now on."""
        self._outbox.listen(self.wake)
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop within 2 s, whatever the peer does. Twice is once."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self.wake()
        if self._thread is not None:
            self._thread.join(_STOP_S)
            if self._thread.is_alive():
                log.warning("uplink_still_stopping", waited_s=_STOP_S)

    def wake(self) -> None:
        """There is something new to send. Returns at once."""
        stream = self._stream
        if stream is not None:
            stream.wake()

    @property
    def state(self) -> State:
        """off, connecting, connected or waiting."""
        return self._state

    @property
    def problem(self) -> str:
        """Why it is not connected, for people; empty when it is."""
        return self._problem

    def set_line(self, line: LineState) -> None:
        """What this PC hangs on from now on; what may leave then does so at once. Any thread."""
        if self._sluice.set_line(line):
            self.wake()

    @property
    def held_lanes(self) -> frozenset[int]:
        """The lanes that wait. Any thread."""
        return frozenset(self._sluice.held)

    def wait_for(self, state: State, *, timeout_s: float) -> bool:
        """Wait until the link is in `state`; False at the deadline."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state == state, timeout_s)

    def uplink(self) -> control_pb2.Uplink:
        """How the link is doing. `source_bytes_sent` and `bytes_sent_today` are for others to fill in."""
        message = control_pb2.Uplink(
            state=self._state,
            coordinator=self.coordinator.address,
            problem=self._problem,
            chunks_sent=self.counters.chunks_sent,
            chunks_fsynced=self.counters.chunks_fsynced,
            chunks_stored=self.counters.chunks_stored,
            bytes_sent=self.counters.bytes_sent,
        )
        try:
            waiting = self._outbox.waiting_by_lane()
            message.chunks_waiting = sum(waiting.values())
            message.held_back.extend(held_words(self._sluice.held, waiting))
            message.gaps.extend(self._outbox.gap_lines())
        except AgentError as exc:
            message.problem = message.problem or str(exc)
        return message

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            end = self._connect_once()
            if self._stopping.is_set():
                break
            dice = random.random()
            if end.delay_ms is not None:
                delay_s = told_delay_s(end.delay_ms, dice)
                attempt = 0
            else:
                attempt = 0 if end.connected_s > _WORKED_S else attempt
                delay_s = min(next_delay_s(attempt, dice), self._settings.max_backoff_s)
                attempt += 1
            self._enter("waiting", end.problem)
            log.info("link_lost", problem=end.problem, delay_s=round(delay_s, 2), attempt=attempt)
            self._stopping.wait(delay_s)
        self._enter("off", "")

    def _connect_once(self) -> StreamEnd:
        self._enter("connecting", self._problem)
        try:
            hello = link_pb2.Hello(
                agent_id=self._agent_id,
                agent_version=self._agent_version,
                protocol_version=PROTOCOL_VERSION,
                sessions=self._outbox.sessions(),
                wants_words=self._words_after is not None,
            )
            if self._words_after is not None:
                for session in hello.sessions:
                    session.words_after = self._words_after(session.session_id)
            stream = LinkStream(
                self.coordinator,
                hello,
                self._outbox,
                hooks=self._hooks,
                settings=self._settings,
                counters=self.counters,
                sluice=self._sluice,
                on_connected=self._connected,
            )
            self._stream = stream
            return stream.run(self._stopping)
        except AgentError as exc:
            return StreamEnd(problem=str(exc))
        except Exception as exc:  # the thread's outermost frame
            log.exception("link_failed")
            return StreamEnd(problem=f"the link failed: {exc}")
        finally:
            self._stream = None

    def _connected(self) -> None:
        self.counters.connects += 1
        self._enter("connected", "")
        log.info("link_connected", coordinator=self.coordinator.address)

    def _enter(self, state: State, problem: str) -> None:
        with self._changed:
            self._state = state
            self._problem = problem
            self._changed.notify_all()
