"""Collects what was heard, and cuts it into chunks of the lanes `chat` and `events`; none where nothing came.

A chunk is bounded by lines and by bytes: what a flood brings beyond that is refused. Any thread; a lock is
all that sources share.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent.chat.cleaning import MAX_COUNT, clean_name, clean_text
from agent.model.chat import CHAT_KINDS, CleanLine, Happened
from agent.model.media import LaneChunk, LaneName
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS

CHAT_TYPE = "application/x-protobuf; messageType=clippy.v1.ChatBatch"
EVENTS_TYPE = "application/x-protobuf; messageType=clippy.v1.EventBatch"
# Five seconds of the busiest chats there are stay well below: 400 lines a second.
MAX_LINES = 5_000
MAX_AUDIENCES = 200
MAX_EVENTS = 500
MAX_BYTES = 1_000_000
# A chunk may be no longer than a minute, and is cut every few seconds.
MAX_AGE_S = 45.0
# Of a field and its length.
_ENVELOPE_BYTES = 48


class ChatChunker:
    """What came since the last cut. `on_chunk` is called in the thread that cuts; it returns at once."""

    def __init__(self, on_chunk: Callable[[LaneChunk], None]) -> None:
        self._on_chunk = on_chunk
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._chat = media_pb2.ChatBatch()
        self._events = media_pb2.EventBatch()
        self._num_bytes = 0
        self._first_ns: dict[LaneName, int] = {}

    def add_line(self, line: CleanLine, at_ns: int) -> bool:
        """Keep a line that was written at `at_ns` of the session; False: there is no room before the next cut."""
        size = 4 * len(line.text) + len(line.chat) + _ENVELOPE_BYTES
        with self._lock:
            if len(self._chat.lines) >= MAX_LINES or self._num_bytes + size > MAX_BYTES:
                return False
            self._num_bytes += size
            self._note("chat", at_ns)
            self._chat.lines.add(
                at_ns=at_ns,
                text=line.text,
                chat=line.chat,
                author=line.author,
                kind=media_pb2.ChatKind.ValueType(CHAT_KINDS.index(line.kind)),
                count=line.count,
            )
        return True

    def add_audience(self, chat: str, num_viewers: int, at_ns: int) -> None:
        """Keep how many watched."""
        with self._lock:
            if len(self._chat.audiences) < MAX_AUDIENCES:
                self._note("chat", at_ns)
                # A platform's count has no bound of ours but the field's.
                most = 100 * MAX_COUNT
                self._chat.audiences.add(at_ns=at_ns, chat=chat, num_viewers=min(max(num_viewers, 0), most))

    def add_event(self, happened: Happened, at_ns: int) -> bool:
        """Keep what a game said; False: there is no room before the next cut."""
        with self._lock:
            if len(self._events.events) >= MAX_EVENTS:
                return False
            self._note("events", at_ns)
            self._events.events.add(
                at_ns=at_ns,
                kind=clean_name(happened.kind, most=32),
                weight=min(max(happened.weight, 0.0), 1.0),
                text=clean_text(happened.text),
                source=clean_name(happened.source),
            )
        return True

    def _note(self, lane: LaneName, at_ns: int) -> None:
        self._first_ns[lane] = min(self._first_ns.get(lane, at_ns), at_ns)

    def cut(self, now_ns: int) -> None:
        """Hand on what came, one chunk a lane at most."""
        with self._lock:
            chat, events, first_ns = self._chat, self._events, self._first_ns
            self._begin()
        for lane, content_type, batch in (("chat", CHAT_TYPE, chat), ("events", EVENTS_TYPE, events)):
            if lane in first_ns:
                self._on_chunk(
                    LaneChunk(
                        lane=lane,
                        start_ns=first_ns[lane],
                        end_ns=max(now_ns, first_ns[lane] + 1),
                        content_type=content_type,
                        payload=batch.SerializeToString(deterministic=True),
                    )
                )


def oldest_ns(now_ns: int) -> int:
    """What was written before this is dated here: a chunk spans a minute at most."""
    return max(0, now_ns - round(MAX_AGE_S * SECOND_NS))
