"""What every chat source keeps, each against a server on loopback that speaks its protocol."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from agent.chat.kick import KickChat
from agent.chat.twitch import JoinRate, TwitchChat
from agent.chat.youtube import YouTubeChat
from agent.errors import ChatUnavailable
from agent.model.chat import Watched, Written
from tests.fakes.chat_peers import PEERS, chat_peer

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(params=sorted(PEERS))
def peer(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Any]:
    with chat_peer(request.param, tmp_path) as running:
        yield running


@pytest.fixture
def source(peer: Any) -> Iterator[Any]:
    made = peer.source()
    made.connect()
    peer.ready()
    # What is there when it begins is history.
    made.read(0.1)
    yield made
    made.close()


def lines_of(source: Any, num: int) -> list[Written]:
    lines: list[Written] = []
    ends = time.monotonic() + 10
    while len(lines) < num:
        assert time.monotonic() < ends
        lines += [item for item in source.read(0.1) if isinstance(item, Written)]
    return lines


def test_lines_come_in_their_order_each_with_its_author(peer, source):
    for index in range(5):
        peer.say(f"line {index} ✨", f"viewer{index % 2}")

    lines = lines_of(source, 5)

    assert [line.text for line in lines] == [f"line {index} ✨" for index in range(5)]
    assert [line.author_name for line in lines] == [f"viewer{index % 2}" for index in range(5)]
    assert lines[0].author_id == lines[2].author_id != lines[1].author_id
    assert {line.kind for line in lines} == {"message"}


def test_silence_is_an_empty_answer_in_its_time(source):
    began = time.monotonic()

    assert [item for item in source.read(0.05) if not isinstance(item, Watched)] == []
    assert time.monotonic() - began < 5


def test_it_is_named_and_may_be_closed_twice_and_connected_again(peer, source):
    assert source.name.partition(":")[0] in PEERS
    source.close()
    source.close()
    source.connect()
    peer.ready()
    source.read(0.1)
    peer.say("back", "viewer")

    assert lines_of(source, 1)[0].text == "back"


def test_what_is_closed_cannot_be_read(source):
    source.close()

    with pytest.raises(ChatUnavailable):
        source.read(0.01)


def test_a_peer_that_goes_away_ends_it(peer, source):
    if not hasattr(peer, "drop"):
        pytest.skip("the local endpoint is the peer")
    peer.drop()

    with pytest.raises(ChatUnavailable):
        for _ in range(50):
            source.read(0.1)


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: TwitchChat("somebody", rate=JoinRate(), address=("127.0.0.1", 9)),
        lambda folder: YouTubeChat("abcdefghijk", folder / "key", poll_s=5, base_url=NOBODY),
        lambda folder: YouTubeChat("abcdefghijk", folder / "absent", poll_s=5, base_url=NOBODY),
        lambda folder: KickChat("somebody", site_url=NOBODY, socket_url="ws://127.0.0.1:9/"),
        lambda folder: KickChat("somebody=4711", site_url=NOBODY, socket_url="ws://127.0.0.1:9/"),
    ],
)
def test_where_nobody_answers_it_says_so_and_what_to_do(make, tmp_path):
    (tmp_path / "key").write_text("secret-key", encoding="ascii")
    source = make(tmp_path)

    with pytest.raises(ChatUnavailable) as raised:
        source.connect()

    source.close()
    assert ";" in str(raised.value)
    assert "secret-key" not in str(raised.value)
