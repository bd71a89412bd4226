"""Chunks of the lanes `chat` and `events` become rows, and rows become what a look knows. Pure.

What an agent sends is not believed: lines outside their chunk's span would escape an order to forget, and are left out;
texts are bounded, and hold nothing that a database or a page would stumble over.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
import re
import unicodedata
from typing import Any

from coordinator.errors import ChatUnusable
from coordinator.model.chat import AudienceRow, ChatRow, Chatter, EventRow
from coordinator.model.chunks import ChunkRow
from coordinator.model.highlight import Audience, ChatLine, GameEvent, SessionSignals
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS

WRITTEN_LANES = frozenset({media_pb2.LANE_CHAT, media_pb2.LANE_EVENTS})
MAX_TEXT, MAX_NAME, MAX_KIND = 500, 64, 32
# An agent puts 5,000 lines and 500 events into a chunk at most.
MAX_ITEMS = 6_000
_KINDS = {
    media_pb2.CHAT_KIND_MESSAGE: "message",
    media_pb2.CHAT_KIND_COMMAND: "command",
    media_pb2.CHAT_KIND_BOT: "bot",
    media_pb2.CHAT_KIND_RAID: "raid",
    media_pb2.CHAT_KIND_SUPPORT: "support",
}
_EVENT_KIND = re.compile(r"[a-z_]+")
_UNKNOWN_EVENT = "hype"
_TELLING_WEIGHT = 0.5
# A chat bursts when five seconds hold so much more than those of the minute before do by chance. Counting is enough:
# on made-up streams, weighing what the lines say found no more moments sooner (ADR 0026).
BEFORE_NS = 60 * SECOND_NS
_BURST_NS = 5 * SECOND_NS
_BURST_SIGMA = 4.0
_ZERO_WIDTH_JOINER = "\u200d"


def read_written(chunk: ChunkRow, data: bytes) -> Chatter:
    """Parse a chunk of either lane; it came from outside.

    Raises:
        ChatUnusable: It is no batch, or holds more than one may.
    """
    if chunk.lane == media_pb2.LANE_CHAT:
        batch = _parsed(media_pb2.ChatBatch, chunk, data)
        _check_size(chunk, len(batch.lines) + len(batch.audiences))
        lines = [_line(item) for item in batch.lines if _is_within(item.at_ns, chunk)]
        audiences = [
            AudienceRow(at_ns=item.at_ns, chat=_clean(item.chat, MAX_NAME), num_viewers=item.num_viewers)
            for item in batch.audiences
            if _is_within(item.at_ns, chunk)
        ]
        return Chatter(lines=tuple(lines), audiences=tuple(audiences))
    events = _parsed(media_pb2.EventBatch, chunk, data).events
    _check_size(chunk, len(events))
    return Chatter(events=tuple(_event(item) for item in events if _is_within(item.at_ns, chunk)))


def _parsed(kind: Any, chunk: ChunkRow, data: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(data)
    except DecodeError as exc:
        raise ChatUnusable(f"chunk {chunk.seq} of lane {chunk.lane} is no {kind.__name__}: {exc}") from exc


def _check_size(chunk: ChunkRow, num_items: int) -> None:
    if num_items > MAX_ITEMS:
        raise ChatUnusable(
            f"chunk {chunk.seq} of lane {chunk.lane} holds {num_items} items; allowed: {MAX_ITEMS}"
        )


def _is_within(at_ns: int, chunk: ChunkRow) -> bool:
    return chunk.start_ns <= at_ns <= chunk.end_ns


def _line(item: media_pb2.ChatLine) -> ChatRow:
    return ChatRow(
        at_ns=item.at_ns,
        text=_clean(item.text, MAX_TEXT),
        chat=_clean(item.chat, MAX_NAME),
        author=_clean(item.author, MAX_NAME),
        kind=_KINDS.get(item.kind, "message"),
        count=item.count,
    )


def _event(item: media_pb2.GameEvent) -> EventRow:
    is_known = _EVENT_KIND.fullmatch(item.kind) and len(item.kind) <= MAX_KIND
    return EventRow(
        at_ns=item.at_ns,
        kind=item.kind if is_known else _UNKNOWN_EVENT,
        weight=min(max(item.weight, 0.0), 1.0) if math.isfinite(item.weight) else 0.0,
        text=_clean(item.text, MAX_TEXT),
        source=_clean(item.source, MAX_NAME),
    )


def _clean(text: str, most: int) -> str:
    kept = (sign for sign in text if sign == _ZERO_WIDTH_JOINER or unicodedata.category(sign)[0] != "C")
    return "".join(kept)[:most]


def is_telling(chatter: Chatter, before: Chatter) -> bool:
    """Is this worth a look of its own soon? Cheap, and may be wrong.

    A raid is, a game that speaks of a moment, and a chat that answers something: most moments at which nobody shouts
    are seen there alone.

    Args:
        before: what was written in the `BEFORE_NS` before.
    """
    has_raid = any(line.kind == "raid" for line in chatter.lines)
    if has_raid or any(event.weight >= _TELLING_WEIGHT for event in chatter.events):
        return True
    earlier_ns, now_ns = (_people_ns(one) for one in (before, chatter))
    both_ns = [*earlier_ns, *now_ns]
    usual = len(earlier_ns) * _BURST_NS / BEFORE_NS
    most = max(
        (
            last - bisect.bisect_right(both_ns, both_ns[last] - _BURST_NS) + 1
            for last in range(len(earlier_ns), len(both_ns))
        ),
        default=0,
    )
    return most >= usual + _BURST_SIGMA * math.sqrt(usual + 1.0)


def _people_ns(chatter: Chatter) -> list[int]:
    return sorted(line.at_ns for line in chatter.lines if line.kind == "message")


def with_written(signals: SessionSignals, chatter: Chatter, since_ns: int) -> SessionSignals:
    """Add what was written and said to what a look knows, whose line starts at `since_ns`."""

    def at_s(at_ns: int) -> float:
        return (at_ns - since_ns) / SECOND_NS

    return dataclasses.replace(
        signals,
        chat=[
            ChatLine(
                at_s=at_s(row.at_ns),
                text=row.text,
                chat=row.chat,
                author=row.author,
                kind=row.kind,
                count=row.count,
            )
            for row in chatter.lines
        ],
        audiences=[
            Audience(at_s=at_s(row.at_ns), num_viewers=row.num_viewers, chat=row.chat)
            for row in chatter.audiences
        ],
        events=[
            GameEvent(at_s=at_s(row.at_ns), kind=row.kind, weight=row.weight, text=row.text)
            for row in chatter.events
        ],
    )
