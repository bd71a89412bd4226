"""A chat that is read for a session: it comes back after what broke, says how it is, and rests while unwanted."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import pytest

from agent.chat.chunker import MAX_LINES, ChatChunker
from agent.chat.cleaning import Cleaner
from agent.chat.irc import LineCutter, heard_of, parse_line
from agent.chat.reading import UNWANTED, ChatReader, next_wait_s
from agent.config import Chat
from agent.control.words import chat_line
from agent.engine.chats import chat_status, open_sources
from agent.errors import ChatUnavailable
from agent.lanes.chat import ChatLane
from agent.model.chat import Heard, Watched, Written
from agent.model.media import LaneChunk
from agent.paths import AgentPaths
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS
from tests.fakes.chat_peers import chat_peer
from tests.fakes.desktop_here import wait_until


class Told:
    """A source that is told what happens next: an error, or what has come."""

    name = "twitch:a"

    def __init__(self, *turns: ChatUnavailable | Sequence[Heard]) -> None:
        self.turns = list(turns)
        self.calls: list[str] = []

    def connect(self) -> None:
        self.calls.append("connect")
        self._turn()

    def read(self, timeout_s: float) -> Sequence[Heard]:
        return self._turn()

    def close(self) -> None:
        self.calls.append("close")

    def _turn(self) -> Sequence[Heard]:
        turn = self.turns.pop(0)
        if isinstance(turn, ChatUnavailable):
            raise turn
        return turn


def reader_of(source, chunker=None, *, now_s: float = 100.0) -> ChatReader:
    return ChatReader(
        source, Cleaner(b"k" * 32), chunker or ChatChunker(lambda _chunk: None),
        now_ns=lambda: round(now_s * SECOND_NS), dice=lambda: 0.0,
    )  # fmt: skip


def test_what_broke_is_told_and_connected_again_after_a_while():
    source = Told([], ChatUnavailable("it broke; it is opened anew"), [])
    reader = reader_of(source)
    reader.step()
    assert reader.status().is_connected
    reader.step()
    lost = reader.status()
    assert wait_until(lambda: reader.step() or reader.status().is_connected)

    assert (lost.is_connected, lost.problem) == (False, "it broke; it is opened anew")
    assert reader.status().problem == ""


def test_a_source_that_knows_when_to_come_back_is_left_alone_until_then():
    source = Told(ChatUnavailable("no quota; wait", retry_s=3600))
    reader = reader_of(source)
    for _ in range(3):
        reader.step()

    assert source.calls == ["connect", "close"]


@pytest.mark.parametrize(
    ("attempt", "dice", "expected"),
    [(0, 0.0, 0.5), (0, 1.0, 1.0), (3, 1.0, 8.0), (7, 1.0, 120.0), (999, 0.0, 60.0)],
)
def test_waits_double_up_to_two_minutes(attempt, dice, expected):
    assert next_wait_s(attempt, dice) == expected


def test_lines_are_dated_by_their_arrival_less_their_age_within_bounds():
    chunks = []
    chunker = ChatChunker(chunks.append)
    source = Told([], [Written(text="x", age_s=age_s) for age_s in (0.0, 3.0, 1e9, -5.0)])
    reader = reader_of(source, chunker)
    reader.step()
    reader.step()
    chunker.cut(100 * SECOND_NS)

    [chunk] = chunks
    lines = media_pb2.ChatBatch.FromString(chunk.payload).lines
    assert [line.at_ns // SECOND_NS for line in lines] == [100, 97, 55, 100]
    assert (chunk.start_ns, chunk.end_ns) == (55 * SECOND_NS, 100 * SECOND_NS)


def test_the_status_counts_lines_and_what_was_too_many():
    source = Told([], [Watched(num_viewers=7)], [Written(text="x")] * (MAX_LINES + 5))
    reader = reader_of(source)
    for _ in range(3):
        reader.step()
    status = reader.status()

    assert (status.num_lines, status.num_dropped, status.num_viewers) == (MAX_LINES + 5, 5, 7)
    assert chat_line(chat_status(status)) == (
        "chat: twitch:a, connected, 5005 lines a minute, 7 watch; 5 of 5005 lines were too many at once and left out"
    )


def test_nothing_is_read_while_nothing_leaves():
    source = Told([])
    reader = reader_of(source)
    reader.step()
    reader.is_wanted = False
    reader.step()

    assert source.calls == ["connect", "close"]
    assert (reader.status().is_connected, reader.status().problem) == (False, UNWANTED)


@pytest.mark.logs("worker_failed")
def test_a_bug_in_a_source_is_told_and_ends_that_chat_alone():
    source = Told([], Watched(num_viewers=1))  # not a list of things
    reader = reader_of(source)
    reader.start()
    assert wait_until(lambda: reader.status().problem != "")
    assert wait_until(lambda: not reader.is_running)

    assert "restart the engine" in reader.status().problem
    assert not reader.status().is_connected
    assert source.calls == ["connect", "close"]


def test_only_what_is_set_is_opened(tmp_path):
    paths = AgentPaths(data=tmp_path)
    chat = Chat(
        twitch=("Ada",), kick=("bob=12",), youtube="abcdefghijk", youtube_key_file="key", local_port=4000
    )

    assert open_sources(paths, Chat()) == []
    assert [source.name for source in open_sources(paths, chat)] == [
        "twitch:ada",
        "youtube",
        "kick:bob",
        "local",
    ]


def test_a_lane_reads_a_server_and_ends_with_what_came_last(tmp_path):
    chunks = []
    with chat_peer("twitch", tmp_path) as peer:
        lane = ChatLane([peer.source()], now_ns=lambda: 9 * SECOND_NS, on_chunk=chunks.append)
        lane.start()
        peer.ready()
        peer.say("gg", "ada")
        assert wait_until(lambda: lane.statuses()[0].num_lines == 1)
        assert lane.stop()
        assert lane.stop()

    [line] = media_pb2.ChatBatch.FromString(chunks[0].payload).lines
    assert (line.text, line.chat) == ("gg", "twitch:somebody")


def test_what_a_line_costs():
    """`pytest -s` prints it: CPU seconds, from bytes of Twitch's to a chunk."""
    words = ("LUL KEKW", "no way he did that", "gg wp", "PogChamp PogChamp clip it")
    tags = "badges=subscriber/6;color=#FF0000;emotes=25:0-4;mod=0;room-id=1;subscriber=1;tmi-sent-ts=1700000000000"
    data = "".join(
        f"@{tags};user-id={at % 3000} :user{at % 3000}!u@u PRIVMSG #somebody :{words[at % 4]}\r\n"
        for at in range(20_000)
    ).encode()
    chunks: list[LaneChunk] = []
    cutter, cleaner, chunker = LineCutter(), Cleaner(b"k" * 32), ChatChunker(chunks.append)
    num_lines, began_s = 0, time.process_time()
    for first in range(0, len(data), 65_536):
        for text in cutter.feed(data[first : first + 65_536]):
            said = heard_of(parse_line(text))
            assert isinstance(said, Written)
            line = cleaner.clean(said, chat="twitch:somebody", at_s=num_lines / 100)
            assert line is not None and chunker.add_line(line, num_lines)
            num_lines += 1
            if num_lines % 500 == 0:
                chunker.cut(num_lines)
    cost_us = (time.process_time() - began_s) / num_lines * 1e6
    num_bytes = sum(len(chunk.payload) for chunk in chunks)
    sys.stdout.write(f"{num_lines} lines: {cost_us:.0f} us of CPU, {num_bytes / num_lines:.0f} bytes each\n")

    assert num_lines == 20_000
