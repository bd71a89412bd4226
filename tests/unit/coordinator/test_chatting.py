"""Chunks of chat and events become rows, whatever an agent puts into them."""

from __future__ import annotations

import math

import hypothesis
import hypothesis.strategies as st
import pytest

from coordinator.errors import ChatUnusable
from coordinator.model.chat import ChatRow, Chatter, EventRow
from coordinator.model.chunks import ChunkRow
from coordinator.model.highlight import Audience, ChatLine, GameEvent, SessionSignals
from coordinator.pipeline.chatting import MAX_ITEMS, MAX_TEXT, is_telling, read_written, with_written
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS


def chunk_of(lane: int) -> ChunkRow:
    return ChunkRow(
        session_id="5e55" * 8, lane=lane, seq=3, start_ns=10 * SECOND_NS, end_ns=15 * SECOND_NS, content_type="x",
        sha256=b"", size_bytes=1, place="object:x/0/1",
    )  # fmt: skip


CHAT, EVENTS = chunk_of(media_pb2.LANE_CHAT), chunk_of(media_pb2.LANE_EVENTS)


def read_lines(*lines: media_pb2.ChatLine) -> tuple[ChatRow, ...]:
    return read_written(CHAT, media_pb2.ChatBatch(lines=lines).SerializeToString()).lines


def test_lines_and_audiences_are_read():
    batch = media_pb2.ChatBatch()
    batch.lines.add(
        at_ns=12 * SECOND_NS, text="gg", chat="twitch:a", author="a1", kind="CHAT_KIND_RAID", count=9
    )
    batch.audiences.add(at_ns=13 * SECOND_NS, chat="kick:a", num_viewers=40)

    chatter = read_written(CHAT, batch.SerializeToString())

    assert chatter.lines == (
        ChatRow(at_ns=12 * SECOND_NS, text="gg", chat="twitch:a", author="a1", kind="raid", count=9),
    )
    assert [(row.chat, row.num_viewers) for row in chatter.audiences] == [("kick:a", 40)]


def test_lines_outside_their_chunk_would_escape_an_order_to_forget():
    times_s = [9, 10, 15, 16, -1]

    rows = read_lines(*(media_pb2.ChatLine(at_ns=at_s * SECOND_NS, text="x") for at_s in times_s))

    assert [row.at_ns // SECOND_NS for row in rows] == [10, 15]


def test_texts_are_bounded_and_hold_nothing_a_database_refuses():
    [row] = read_lines(
        media_pb2.ChatLine(
            at_ns=11 * SECOND_NS, text="a\x00b" * 1000, chat="c\x07" * 99, author="\u202e" + "d" * 99
        )
    )

    assert row.text == ("ab" * 1000)[:MAX_TEXT]
    assert (row.chat, row.author) == ("c" * 64, "d" * 64)


def test_a_kind_of_a_later_protocol_is_a_message():
    line = media_pb2.ChatLine(at_ns=11 * SECOND_NS, text="x")
    data = media_pb2.ChatBatch(lines=[line]).SerializeToString()
    # Field 5 with the number 77, as nobody writes today.
    later = data[:1] + bytes([data[1] + 2]) + data[2:] + b"\x28\x4d"

    assert read_written(CHAT, later).lines[0].kind == "message"


@pytest.mark.parametrize(
    ("kind", "weight", "expected"),
    [
        ("clutch", 0.5, ("clutch", 0.5)),
        ("clutch", math.nan, ("clutch", 0.0)),
        ("clutch", math.inf, ("clutch", 0.0)),
        ("clutch", -1.0, ("clutch", 0.0)),
        ("clutch", 7.0, ("clutch", 1.0)),
        ("<b>", 0.5, ("hype", 0.5)),
        ("x" * 33, 0.5, ("hype", 0.5)),
        ("", 0.5, ("hype", 0.5)),
    ],
)
def test_an_event_is_bounded(kind, weight, expected):
    batch = media_pb2.EventBatch()
    batch.events.add(at_ns=11 * SECOND_NS, kind=kind, weight=weight, text="ace")

    [event] = read_written(EVENTS, batch.SerializeToString()).events

    assert (event.kind, event.weight) == expected


@pytest.mark.parametrize("chunk", [CHAT, EVENTS])
def test_what_is_no_batch_is_said(chunk):
    with pytest.raises(ChatUnusable, match="chunk 3"):
        read_written(chunk, b"\xff\xff\xff")


def test_a_batch_with_more_than_one_may_hold_is_refused():
    data = media_pb2.ChatBatch(lines=[media_pb2.ChatLine()] * (MAX_ITEMS + 1)).SerializeToString()

    with pytest.raises(ChatUnusable, match=str(MAX_ITEMS)):
        read_written(CHAT, data)


@hypothesis.given(st.binary(max_size=400), st.sampled_from([CHAT, EVENTS]))
def test_whatever_bytes_come_they_are_rows_or_unusable(data, chunk):
    try:
        chatter = read_written(chunk, data)
    except ChatUnusable:
        return
    assert all(chunk.start_ns <= row.at_ns <= chunk.end_ns for row in (*chatter.lines, *chatter.events))


def lines_at(*at_s: float, kind: str = "message") -> Chatter:
    return Chatter(
        lines=tuple(
            ChatRow(at_ns=round(second * SECOND_NS), text="lol", chat="", author="", kind=kind, count=0)
            for second in at_s
        )
    )


def test_a_raid_or_a_heavy_event_is_worth_a_look():
    event = EventRow(at_ns=0, kind="clutch", weight=0.5, text="", source="")

    assert is_telling(lines_at(0.0, kind="raid"), Chatter())
    assert is_telling(Chatter(events=(event,)), Chatter())
    assert not is_telling(Chatter(), Chatter())


@pytest.mark.parametrize(
    ("usual", "now_s", "bursts"),
    [
        ([], [61, 62, 63], False),  # three who answer at once may be chance
        ([], [61, 62, 63, 64], True),
        ([], [61, 64, 67, 70], False),
        (range(0, 60, 2), [60, 62, 64, 66, 68, 70], False),
        (range(0, 60, 2), [61 + n / 4 for n in range(16)], True),
        # Ten a second, as ever; then seventeen.
        ([n / 10 for n in range(600)], [60 + n / 10 for n in range(100)], False),
        ([n / 10 for n in range(600)], [60 + n / 17 for n in range(100)], True),
        ([56.0, 57.0, 58.0, 59.0], [60.5], True),  # it began in the chunk before
    ],
)
def test_a_chat_that_answers_is_worth_a_look(usual, now_s, bursts):
    assert is_telling(lines_at(*now_s), lines_at(*usual)) is bursts


def test_what_bots_and_commands_write_is_no_answer():
    assert not is_telling(lines_at(*range(60, 70), kind="bot"), Chatter())


def test_rows_are_laid_on_the_line_of_a_look():
    batch = media_pb2.ChatBatch()
    batch.lines.add(at_ns=12 * SECOND_NS, text="gg", chat="twitch:a", author="a1")
    batch.audiences.add(at_ns=13 * SECOND_NS, num_viewers=40)
    chatter = read_written(CHAT, batch.SerializeToString())
    events = (EventRow(at_ns=14 * SECOND_NS, kind="fail", weight=1.0, text="oops", source="s"),)

    signals = with_written(
        SessionSignals(duration_s=20), Chatter(lines=chatter.lines, audiences=chatter.audiences, events=events),
        10 * SECOND_NS,
    )  # fmt: skip

    assert list(signals.chat) == [ChatLine(at_s=2.0, text="gg", chat="twitch:a", author="a1")]
    assert list(signals.audiences) == [Audience(at_s=3.0, num_viewers=40)]
    assert list(signals.events) == [GameEvent(at_s=4.0, kind="fail", weight=1.0, text="oops")]
