"""What of a line may leave: no name, bounded text, and who is a program."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest

from agent.chat.chunker import MAX_BYTES, MAX_LINES, ChatChunker
from agent.chat.cleaning import MAX_TEXT, Cleaner, clean_text
from agent.model.chat import CleanLine, Happened, Written
from protos import segment
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def clean(cleaner: Cleaner, text: str, *, at_s: float = 0.0, chat: str = "twitch:a", **how) -> CleanLine:
    line = cleaner.clean(Written(text=text, **how), chat=chat, at_s=at_s)
    assert line is not None
    return line


def test_an_author_is_the_same_within_a_session_and_another_in_the_next():
    first, again = (clean(Cleaner(KEY), "hi", author_id="77", author_name="Ada") for _ in range(2))
    later = clean(Cleaner(OTHER_KEY), "hi", author_id="77", author_name="Ada")
    elsewhere = clean(Cleaner(KEY), "hi", chat="kick:a", author_id="77", author_name="Ada")

    assert first.author == again.author != later.author
    assert elsewhere.author != first.author
    assert len(first.author) == 16 and "ada" not in first.author and first.author != "77"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b\x1b[31m\u202ec\u200b", "ab[31mc"),  # control and direction signs
        ("two\r\nlines\tin  one", "two lines in one"),
        ("@Ada_1 look @bob.x", "@ look @"),  # names of others
        ("👩\u200d🚀 ✨", "👩\u200d🚀 ✨"),  # a joined emoji stays whole
        ("\ud83d broken", "broken"),  # half a surrogate pair
        ("x" * 9000, "x" * MAX_TEXT),
        ("\u200b", ""),
    ],
)
def test_text_is_bounded_and_has_no_control_characters(text, expected):
    assert clean_text(text) == expected


@hypothesis.given(st.text(max_size=2000))
def test_whatever_is_written_can_be_sent(text):
    line = Cleaner(KEY).clean(Written(text=text, author_id=text), chat="local", at_s=0.0)

    if line is not None:
        assert len(line.text.encode()) <= 4 * MAX_TEXT
        assert line.text.isprintable() or "\u200d" in line.text


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({"text": "!uptime"}, "command"),
        ({"text": "!!! what"}, "message"),
        ({"text": "follow us", "author_name": "NightBot"}, "bot"),
        ({"text": "hello", "is_bot": True}, "bot"),
        ({"text": "", "kind": "raid", "count": 40}, "raid"),
        ({"text": "", "kind": "support", "count": -3}, "support"),
    ],
)
def test_who_wrote_it_is_said(how, kind):
    line = clean(Cleaner(KEY), **how)

    assert line.kind == kind
    assert line.count == max(0, how.get("count", 0))


def test_who_posts_like_a_timer_is_a_program():
    cleaner = Cleaner(KEY)

    kinds = [clean(cleaner, f"drink {at}", author_id="t", at_s=300.0 * at).kind for at in range(6)]

    assert kinds == ["message"] * 4 + ["bot"] * 2


def test_who_posts_nothing_but_links_is_a_program():
    cleaner = Cleaner(KEY)

    kinds = [clean(cleaner, f"https://x.example/{n}", author_id="l", at_s=n * (n + 7)).kind for n in range(4)]

    assert kinds == ["message"] * 2 + ["bot"] * 2


def test_a_person_who_writes_often_is_none():
    cleaner = Cleaner(KEY)

    kinds = {clean(cleaner, "gg", author_id="p", at_s=float(at)).kind for at in range(60)}
    kinds |= {clean(cleaner, "gg", author_id="q", at_s=25.0 * at + at % 3 * 5).kind for at in range(30)}

    assert kinds == {"message"}


# ---- chunks


def line_of(text: str = "gg") -> CleanLine:
    return CleanLine(text=text, author="a", kind="message", count=0, chat="twitch:a")


def test_a_chunk_holds_what_came_and_silence_makes_none():
    chunks = []
    chunker = ChatChunker(chunks.append)
    chunker.cut(SECOND_NS)
    chunker.add_line(line_of(), 3 * SECOND_NS)
    chunker.add_audience("twitch:a", 40, 4 * SECOND_NS)
    chunker.add_event(Happened(kind="Clutch!", weight=2.0, text="ace\x00"), 2 * SECOND_NS)
    chunker.cut(5 * SECOND_NS)
    chunker.cut(10 * SECOND_NS)

    assert [(chunk.lane, chunk.start_ns, chunk.end_ns) for chunk in chunks] == [
        ("chat", 3 * SECOND_NS, 5 * SECOND_NS),
        ("events", 2 * SECOND_NS, 5 * SECOND_NS),
    ]
    [event] = media_pb2.EventBatch.FromString(chunks[1].payload).events
    assert (event.kind, event.weight, event.text) == ("clutch", 1.0, "ace")
    batch = media_pb2.ChatBatch.FromString(chunks[0].payload)
    assert (len(batch.lines), batch.audiences[0].num_viewers) == (1, 40)


@pytest.mark.parametrize(("text", "most"), [("gg", MAX_LINES), ("✨" * MAX_TEXT, MAX_BYTES // 2000)])
def test_a_flood_fills_one_chunk_and_no_more(text, most):
    chunks = []
    chunker = ChatChunker(chunks.append)

    kept = [chunker.add_line(line_of(text), SECOND_NS) for _ in range(MAX_LINES + 1)]
    chunker.cut(2 * SECOND_NS)

    assert 0 < sum(kept) <= most
    assert len(chunks[0].payload) <= segment.MAX_PAYLOAD_BYTES
    assert chunker.add_line(line_of(), 3 * SECOND_NS)
