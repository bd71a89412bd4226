"""The way to the coordinator: outbox, link, and fulfilling what it asks for. Without an address there is none.

Nothing here may stop a recording: a coordinator that is down is a state, told in the status.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from agent import __version__
from agent.config import Config
from agent.engine.agent_id import read_agent_id
from agent.engine.forgetting import ForgottenSpans
from agent.engine.line_watch import LineWatch
from agent.engine.recording import Recording
from agent.engine.said import keep_heard, words_after
from agent.engine.upload_files import kept_names, tidy, upload_name
from agent.engine.way import Way, find_way
from agent.errors import AgentError
from agent.library.forgetting import LibraryForgetting
from agent.library.library import Library
from agent.model.clips import ClipFile, SavedClip, SourceWish
from agent.model.media import LaneChunk
from agent.paths import AgentPaths
from agent.privacy.meter import Meter
from agent.uplink.link import LinkClient
from agent.uplink.link_stream import LinkHooks
from agent.uplink.outbox import Outbox
from agent.uplink.outbox_forgetting import OutboxForgetting
from agent.uplink.outbox_leaving import clear, drop_waiting
from agent.uplink.press_telling import tell_change, tell_press
from agent.uplink.source_fulfiller import SourceFulfiller, SourceHooks
from agent.uplink.thrift import LineState, source_wait
from agent.uplink.wishes import WishBook
from protos.clippy.v1 import control_pb2, link_pb2

log = structlog.get_logger()

_WAIT_FOR_END_S = 20.0
_OTHER_ACCOUNT = (
    "this session was sent to another account; sending begins at the engine's next start, so run `clippy stop` "
    "and start it again"
)
_WAIT_FOR_RECEIPT_S = 5.0


class Sending:
    """Everything that leaves this PC. Built before the recording, joined to it, started after it.

    The way to the coordinator may change while it runs (`take_up`, `give_up`); `_lock` guards it.
    """

    def __init__(self, paths: AgentPaths, config: Config, *, on_change: Callable[[], None]) -> None:
        """Open the outbox, and put what a kill left in order.

        Raises:
            InputUnusable: The address has no CA or token beside it, and this PC is not paired.
            DiskFull, EnvironmentProblem: The outbox or the pairing cannot be used.
        """
        way = find_way(paths, config)
        self.meter = Meter(paths.meter)
        self.source_bytes = 0
        # Of these spans nothing is sent any more, not even what is still being made.
        self.forgotten = ForgottenSpans()
        self._paths = paths
        self._config = config
        self._on_order: Callable[[link_pb2.Forget], None] = lambda _order: None
        self._on_change = on_change
        self._uploads = paths.uploads
        self._recording: Recording | None = None
        self._library: Library | None = None
        self._session_id = ""
        self._lock = threading.RLock()
        self._line = LineState()
        self._way: Way | None = None
        self._link: LinkClient | None = None
        self._fulfiller: SourceFulfiller | None = None
        self._line_watch = LineWatch(config.uplink.metered, self._take_line)
        self._outbox = Outbox(paths.outbox, max_bytes=config.uplink.max_outbox_bytes)
        self._book = WishBook(self._outbox)
        tidy(self._uploads, keep=kept_names(self._book))
        if way is not None:
            self._begin(way)

    @property
    def address(self) -> str:
        """Where it is sent to; empty: nowhere. Any thread."""
        way = self._way
        return "" if way is None else way.coordinator.address

    def take_up(self, way: Way) -> None:
        """Send this way from now on, in place of the one before. Any thread.

        Raises:
            DiskFull, EnvironmentProblem: The outbox cannot be written; what was sent to before is not any more.
        """
        with self._lock:
            self._end()
            self._begin(way)
            self._start()
        self._on_change()

    def give_up(self, reason: str) -> int:
        """Send nothing any more, and drop what waits; returns how many chunks that were. Any thread."""
        with self._lock:
            self._end()
            num_dropped = drop_waiting(self._outbox, reason)
        self._on_change()
        return num_dropped

    @property
    def has_leftovers(self) -> bool:
        """Is there anything in the outbox, of whatever account? Any thread."""
        return bool(self._outbox.sessions())

    def _begin(self, way: Way) -> None:
        self._way = way
        if way.kept is not None and way.kept.record.starts_empty:
            if any(item.session_id == self._session_id for item in self._outbox.sessions()):
                # Its numbers are known to the other account: it cannot go on here.
                return
            clear(self._outbox)
            way.kept.begin()
        ca_path = way.coordinator.ca_path
        self._fulfiller = SourceFulfiller(
            self._book,
            SourceHooks(
                pin=self._pin,
                make_exact=self._make_exact,
                release=self._release,
                on_bytes=self._count_source,
                wait_reason=self._wait_reason,
            ),
            ca_path=ca_path,
        )
        self._link = LinkClient(
            way.coordinator,
            self._outbox,
            agent_id=read_agent_id(self._paths.agent_id_file),
            agent_version=__version__,
            hooks=LinkHooks(
                on_source_request=self._fulfiller.submit,
                on_moment=lambda moment: self._keep(lambda library: library.upsert_moment(moment)),
                on_taste=self._take_taste,
                on_export=lambda export: self._keep(lambda library: library.upsert_export(export)),
                on_bytes=lambda num_bytes, lane: self.meter.add("chunk", num_bytes, lane=lane),
                on_tier=way.kept.take_tier if way.kept is not None else lambda _tier: None,
                on_picture_bound=self._bound_picture,
                on_forget=self._hand_on,
                on_forgotten=OutboxForgetting(self._outbox).take_receipt,
                on_heard=lambda heard: self._keep(
                    lambda library: keep_heard(library, heard, self._recording)
                ),
            ),
            words_after=lambda session_id: (
                0 if self._library is None else words_after(self._library, session_id)
            ),
        )
        self._link.set_line(self._line)

    def _start(self) -> None:
        recording = self._recording
        if recording is None or self._link is None or self._fulfiller is None:
            return
        self._outbox.start_session(self._session_id, recording.started_unix_ms)
        recording.set_leaving(True)
        self._fulfiller.start()
        self._link.start()

    def _end(self) -> None:
        if self._recording is not None:
            self._recording.set_leaving(False)
            self._recording.video.set_proxy_bound(None)
        if self._fulfiller is not None:
            self._fulfiller.stop()
        if self._link is not None:
            self._link.stop()
        self._way = self._link = self._fulfiller = None

    def _take_line(self, line: LineState) -> None:
        """In the thread `line-watch`."""
        with self._lock:
            self._line = line
            if self._link is not None:
                self._link.set_line(line)
        self._on_change()

    def take_chunk(self, chunk: LaneChunk) -> None:
        """Keep a chunk for sending; thread `keeper`. Raises AgentError."""
        if self._link is None:
            return
        if self.forgotten.overlap(chunk.start_ns, chunk.end_ns):
            OutboxForgetting(self._outbox).put_forgotten(self._session_id, chunk)
        else:
            self._outbox.put(self._session_id, chunk)

    def take_press(self, clip: SavedClip, at_ns: int) -> None:
        """Tell the coordinator of a press, once its file is closed."""
        self._tell("pressed", lambda: tell_press(self._outbox, self._session_id, clip, at_ns))

    def take_change(self, clip: SavedClip) -> None:
        """Tell the coordinator of a clip that has grown, or whose ends were moved, whichever session it is of."""

        def read() -> SavedClip | None:
            return None if self._library is None else self._library.clip(clip.clip_id)

        self._tell("pressed", lambda: tell_change(self._outbox, self._session_id, read=read))

    def take_taste(self, news: link_pb2.TasteNews) -> None:
        """Tell the coordinator what was done with a moment, whichever session that is of."""
        message = link_pb2.AgentMessage(taste=news)
        self._tell("taste", lambda: self._outbox.put_event(self._session_id, "taste", message))

    def _tell(self, kind: str, put: Callable[[], object]) -> None:
        if self._link is None:
            return
        try:
            put()
        except AgentError as exc:
            log.warning("event_not_told", kind=kind, problem=str(exc))

    def outbox_forgetting(self) -> OutboxForgetting:
        """The outbox's side of forgetting."""
        return OutboxForgetting(self._outbox, is_asking=lambda: self._link is not None or self.has_leftovers)

    def follow_orders(self, on_order: Callable[[link_pb2.Forget], None]) -> None:
        """Hand on orders to forget that are given at the coordinator; before `start`. `on_order` returns at once."""
        self._on_order = on_order

    def await_receipt(self, forget_id: str) -> link_pb2.Forgotten | None:
        """What the coordinator says of an order to forget, if it does so within seconds. Raises AgentError."""
        outbox = self.outbox_forgetting()
        deadline = time.monotonic() + _WAIT_FOR_RECEIPT_S
        while (link := self._link) is not None and link.state == "connected":
            receipt = outbox.receipt(forget_id)
            if receipt is not None or time.monotonic() > deadline:
                return receipt
            time.sleep(0.1)
        return None

    def forget_lines(self) -> list[str]:
        """What the coordinator has not confirmed to be forgotten, for people."""
        outbox = self.outbox_forgetting()
        try:
            num = outbox.num_unconfirmed()
        except AgentError:
            return []  # the outbox's own trouble is told elsewhere
        if num == 0:
            return []
        spans = "a span that you had" if num == 1 else f"{num} spans that you had"
        return [f"the coordinator has not yet confirmed {spans} forgotten; it is asked at each connect"]

    def end_requests(self, session_id: str, start_ns: int, end_ns: int) -> int:
        """End what is being made or sent of a span for the coordinator; returns how many requests. Any thread."""
        fulfiller = self._fulfiller
        return 0 if fulfiller is None else fulfiller.forget(session_id, start_ns, end_ns)

    def open_uploads(self) -> set[str]:
        """Names of the files that open requests have, or are about to have. Raises as `Outbox`."""
        return {upload_name(item.wish.request_id) for item in self._book.open()}

    def start(self, recording: Recording) -> None:
        """Begin the session and start the threads.

        Raises:
            DiskFull, EnvironmentProblem: The outbox cannot be written.
        """
        self._recording, self._library = recording, recording.library
        self._session_id = recording.session_id
        with self._lock:
            self._start()
        self._line_watch.start()

    def finish_session(self, duration_ns: int) -> None:
        """The recording has stopped: say so, and give its last chunks a little time to leave."""
        link = self._link
        if link is None:
            return
        try:
            self._outbox.end_session(self._session_id, duration_ns)
        except AgentError as exc:
            log.warning("session_end_not_kept", problem=str(exc))
            return
        deadline = time.monotonic() + _WAIT_FOR_END_S
        while link.state == "connected" and time.monotonic() < deadline and self._has_waiting(link):
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the threads; what was not sent stays in the outbox for the next start."""
        self._line_watch.stop()
        with self._lock:
            self._end()
        self._outbox.close()
        self.meter.close()

    def status(self) -> control_pb2.Uplink:
        """As the control API tells it."""
        with self._lock:
            way, link, fulfiller = self._way, self._link, self._fulfiller
        status = control_pb2.Uplink(state="off") if link is None else link.uplink()
        if way is not None:
            status.coordinator = way.coordinator.address
            if way.record is not None:
                status.pairing.CopyFrom(way.record.shown(way.note))
            if link is None:
                status.state, status.problem = "waiting", _OTHER_ACCOUNT
        status.source_bytes_sent = self.source_bytes
        status.bytes_sent_today = self.meter.today()
        if fulfiller is not None:
            _tell_sources(status, fulfiller)
            # The link tells of an outbox that cannot be read.
            with contextlib.suppress(AgentError):
                status.sources_waiting = self._book.num_open()
        return status

    def _has_waiting(self, link: LinkClient) -> bool:
        held = link.held_lanes
        return any(
            count for lane, count in self._outbox.waiting_by_lane().items() if lane not in held
        ) or bool(self._outbox.events_after(0, limit=1))

    # ---- full quality, on request only

    def _pin(self, wish: SourceWish) -> None:
        assert self._recording is not None
        ring = self._recording.ring
        if any(pin.owner_id == wish.request_id for pin in ring.pins.pins()):
            return
        if wish.session_id == self._session_id:
            ring.pin(wish.start_ns, wish.end_ns, kind="request", owner_id=wish.request_id)
        else:
            # An older session's packets are not in the ring's reach any more: it is enough that they are there.
            ring.snapshot_of(wish.session_id, wish.start_ns, wish.end_ns).close()

    def _wait_reason(self, wish: SourceWish) -> str:
        assert self._library is not None
        rule = self._config.uplink.sources_on_metered
        line = self._line
        if not source_wait(line, rule, is_pressed=False):
            return ""
        clips = LibraryForgetting(self._library).overlapping(wish.session_id, wish.start_ns, wish.end_ns)
        return source_wait(line, rule, is_pressed=bool(clips))

    def _make_exact(self, wish: SourceWish) -> ClipFile:
        assert self._recording is not None
        path = self._uploads / upload_name(wish.request_id)
        with self._recording.ring.snapshot_of(wish.session_id, wish.start_ns, wish.end_ns) as span:
            return self._recording.writer.write(span, path, is_exact=True)

    def _release(self, wish: SourceWish, clip: ClipFile | None) -> None:
        if self._recording is not None:
            for pin in self._recording.ring.pins.pins():
                if pin.owner_id == wish.request_id:
                    self._recording.ring.release(pin.pin_id)
        if clip is not None:
            Path(clip.path).unlink(missing_ok=True)

    def _take_taste(self, news: link_pb2.TasteNews) -> None:
        if self._recording is not None:
            self._recording.tasting.take(news)
            self._on_change()

    def _bound_picture(self, bound_bps: int | None) -> None:
        if self._recording is not None:
            self._recording.video.set_proxy_bound(bound_bps)

    def _hand_on(self, order: link_pb2.Forget) -> None:
        self._on_order(order)

    def _count_source(self, num_bytes: int) -> None:
        self.source_bytes += num_bytes
        self.meter.add("source", num_bytes)

    def _keep(self, write: Callable[[Library], None]) -> None:
        if self._library is not None:
            write(self._library)
            self._on_change()


def _tell_sources(status: control_pb2.Uplink, fulfiller: SourceFulfiller) -> None:
    status.held_back.extend(fulfiller.held_words)
    if (progress := fulfiller.progress()) is not None:
        status.source_upload.request_id = progress.request_id
        status.source_upload.bytes_there = progress.bytes_there
        status.source_upload.size_bytes = progress.size_bytes
