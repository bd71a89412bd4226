"""Each platform's own ways, against a server on loopback that has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.chat.twitch import JoinRate
from agent.chat.youtube import YouTubeChat
from agent.errors import ChatUnavailable
from agent.model.chat import Watched, Written
from tests.fakes.chat_peers import chat_peer, heard_until


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def twitch(tmp_path):
    with chat_peer("twitch", tmp_path) as peer:
        yield peer


@pytest.fixture
def youtube(tmp_path):
    with chat_peer("youtube", tmp_path) as peer:
        yield peer


@pytest.fixture
def kick(tmp_path):
    with chat_peer("kick", tmp_path) as peer:
        yield peer


def connected(peer: Any, **how: Any) -> Any:
    source = peer.source(**how)
    source.connect()
    peer.ready()
    return source


def until(condition, source) -> None:
    for _ in range(100):
        source.read(0.05)
        if condition():
            return
    raise AssertionError("it did not come true")


# ---- Twitch


def test_twitch_is_read_without_an_account_and_nothing_is_written(twitch):
    source = connected(twitch)
    twitch.send(b"PING :tmi.twitch.tv")
    until(lambda: "PONG :tmi.twitch.tv" in twitch.received, source)
    source.close()

    capability, password, nick, join, pong = twitch.received
    assert capability == "CAP REQ :twitch.tv/tags twitch.tv/commands"
    assert password == "PASS SCHMOOPIIE" and nick.startswith("NICK justinfan")
    assert (join, pong) == ("JOIN #somebody", "PONG :tmi.twitch.tv")


def test_twitch_may_ask_for_a_new_connection(twitch):
    source = connected(twitch)
    twitch.send(b":tmi.twitch.tv RECONNECT")

    with pytest.raises(ChatUnavailable, match="maintenance"):
        until(lambda: False, source)
    source.close()
    source.connect()
    twitch.ready()
    twitch.say("there you are", "ada")

    assert heard_until(source, 1)[0].text == "there you are"
    source.close()


def test_a_channel_that_does_not_exist_is_told_and_not_asked_for_at_once(twitch):
    source = connected(twitch)
    twitch.send(b"@msg-id=msg_channel_suspended :tmi.twitch.tv NOTICE #somebody :gone")

    with pytest.raises(ChatUnavailable, match=r"correct chat\.twitch") as raised:
        until(lambda: False, source)
    assert raised.value.retry_s >= 60
    source.close()


def test_a_dead_line_is_noticed_though_nothing_breaks(twitch):
    clock = Clock()
    source = connected(twitch, clock_s=clock)
    clock.now_s += 100
    until(lambda: "PING :clippy" in twitch.received, source)
    clock.now_s += 31

    with pytest.raises(ChatUnavailable, match="does not answer"):
        source.read(0.01)
    source.close()


def test_rubbish_and_other_channels_cost_no_more_than_themselves(twitch):
    source = connected(twitch)
    twitch.send(b"\xff\xfe\x00", b"@" * 40_000, b":x PRIVMSG #another :not here", b"PRIVMSG", b"")
    twitch.say("still here", "ada")

    assert [item.text for item in heard_until(source, 1)] == ["still here"]
    source.close()


def test_a_flood_comes_in_parts(twitch):
    source = connected(twitch)
    for _ in range(20):
        twitch.send(*[b":ada!ada@x PRIVMSG #somebody :spam" for _ in range(200)])

    assert len(heard_until(source, 4000)) == 4000
    source.close()


def test_an_unknown_authority_is_refused(twitch):
    import ssl

    source = twitch.source()
    source._tls = ssl.create_default_context()

    with pytest.raises(ChatUnavailable, match="cannot be reached"):
        source.connect()


def test_joins_are_paced_over_all_channels():
    clock = Clock()
    rate = JoinRate(clock)

    assert [rate.take() for _ in range(10)] == [0.0] * 10
    assert rate.take() == pytest.approx(10.0)
    clock.now_s += 10
    assert rate.take() == 0.0


# ---- YouTube


def test_what_youtube_has_from_before_is_left_out_and_each_line_has_its_age(youtube):
    youtube.say("old", "ada", ago_s=3)
    source = connected(youtube)
    assert [item for item in source.read(0.2) if isinstance(item, Written)] == []
    youtube.say("new", "ada", ago_s=7)
    youtube.say("newer", "bob", ago_s=2)
    heard = [item for item in heard_until(source, 2) if isinstance(item, Written)]

    # The site's clock is an hour ahead of ours, and that does not count.
    assert [(item.text, item.age_s) for item in heard] == [
        ("new", pytest.approx(7, abs=1)),
        ("newer", pytest.approx(2, abs=1)),
    ]
    assert "pageToken=next" in youtube.asked[-1]
    source.close()


def test_youtube_says_how_many_watch(youtube):
    source = connected(youtube)

    assert source.read(0.2) == [Watched(num_viewers=321)]
    source.close()


def test_gifts_on_youtube_are_support(youtube):
    source = connected(youtube)
    source.read(0.2)
    youtube.say("", "ada", kind="superChat", userComment="take it")
    youtube.say("", "bob", kind="membershipGifting", giftMembershipsCount=5)
    youtube.say("", "bob", kind="giftMembershipReceived")
    youtube.say("", "bob", kind="messageDeleted")
    heard = heard_until(source, 2)

    assert [(item.text, item.kind, item.count) for item in heard] == [
        ("take it", "support", 1),
        ("", "support", 5),
    ]
    source.close()


@pytest.mark.parametrize(
    ("reason", "words", "least_s"),
    [
        ("quotaExceeded", "used up", 1800),
        ("rateLimitExceeded", "too often", 30),
        ("liveChatEnded", "has ended", 30),
        ("liveChatNotFound", r"set chat\.youtube", 30),
        ("keyInvalid", "API key is wrong", 300),
        ("somethingNew", "403", 30),
    ],
)
def test_what_youtube_refuses_is_told_with_what_to_do(youtube, reason, words, least_s):
    source = connected(youtube)
    youtube.answers["/liveChat/messages"] = (403, {"error": {"errors": [{"reason": reason}]}})

    with pytest.raises(ChatUnavailable, match=words) as raised:
        source.read(0.2)
    assert raised.value.retry_s >= least_s
    assert "a-key" not in str(raised.value)
    source.close()


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"\xff\xfe"),
        (200, b"[" * 100_000),
        (200, []),
        (500, b"<html>"),
        (403, {"error": "text"}),
        (403, {"error": {"errors": "text"}}),
        (302, b""),
    ],
)
def test_an_answer_that_is_none_is_told(youtube, answer):
    source = connected(youtube)
    youtube.answers["/liveChat/messages"] = answer

    with pytest.raises(ChatUnavailable):
        source.read(0.2)
    source.close()


@pytest.mark.parametrize(
    "items",
    [
        "text",
        [1, None, []],
        [{"id": 7, "snippet": None}],
        [{"id": "a", "snippet": {"type": 3}}],
        [{"id": "a", "snippet": {"type": "textMessageEvent", "textMessageDetails": [], "publishedAt": 5}}],
        [
            {
                "id": "a",
                "snippet": {"type": "textMessageEvent", "publishedAt": "9999-99-99"},
                "authorDetails": 1,
            }
        ],
    ],
)
def test_items_that_are_none_are_left_out(youtube, items):
    source = connected(youtube)
    source.read(0.2)
    youtube.answers["/liveChat/messages"] = (200, {"items": items, "pollingIntervalMillis": "soon"})

    assert all(item.text == "" for item in source.read(0.2))
    source.close()


def test_a_video_that_is_not_live_is_told(youtube):
    youtube.answers["/videos"] = (200, {"items": []})

    with pytest.raises(ChatUnavailable, match="not live"):
        youtube.source().connect()


def test_a_video_may_be_named_by_its_address(tmp_path):
    source = YouTubeChat("https://www.youtube.com/watch?v=abcdefghijk&t=3", tmp_path, poll_s=5)

    assert source._video == "abcdefghijk"


# ---- Kick


def test_kick_tells_raids_gifts_emotes_and_how_many_watch(kick):
    source = connected(kick)
    kick.send("App\\Events\\StreamHostEvent", {"number_viewers": 33, "host_username": "ada"})
    kick.send(
        "App\\Events\\GiftedSubscriptionsEvent", {"gifted_usernames": ["a", "b"], "gifter_username": "c"}
    )
    badge = {"identity": {"badges": [{"type": "bot"}]}, "id": 1, "slug": "timer"}
    kick.send("App\\Events\\ChatMessageEvent", {"content": "ha [emote:37226:KEKW]", "sender": badge})

    watched, raid, gifts, said = heard_until(source, 4)
    assert watched == Watched(num_viewers=12)
    assert (raid.kind, raid.count) == ("raid", 33)
    assert (gifts.kind, gifts.count) == ("support", 2)
    assert (said.text, said.is_bot) == ("ha KEKW", True)
    source.close()


def test_kick_asks_whether_we_are_there(kick):
    source = connected(kick)
    kick.raw(json.dumps({"event": "pusher:ping", "data": {}}))
    until(lambda: not kick.received.empty(), source)

    assert kick.received.get()["event"] == "pusher:pong"
    source.close()


@pytest.mark.parametrize(("code", "least_s"), [(4001, 60), (4200, 0)])
def test_what_kick_refuses_is_told(kick, code, least_s):
    source = connected(kick)
    kick.raw(json.dumps({"event": "pusher:error", "data": {"code": code, "message": "no such app"}}))

    with pytest.raises(ChatUnavailable, match="no such app") as raised:
        until(lambda: False, source)
    assert raised.value.retry_s >= least_s
    source.close()


def test_frames_that_are_none_are_left_out_and_one_that_is_too_large_ends_it(kick):
    source = connected(kick)
    source.read(0.1)
    for frame in ("", "[", "{}", '{"event": 3}', b"\xff\xff", "[" * 5000):
        kick.raw(frame)
    kick.raw(json.dumps({"event": "App\\Events\\ChatMessageEvent", "data": {"sender": 5, "content": []}}))
    kick.say("after it", "ada")
    until_texts = [item.text for item in heard_until(source, 2)]
    assert until_texts == ["", "after it"]
    kick.raw("x" * 300_000)

    with pytest.raises(ChatUnavailable):
        until(lambda: False, source)
    source.close()


def test_a_room_that_kick_does_not_tell_can_be_given(kick):
    kick.answers.clear()

    with pytest.raises(ChatUnavailable, match="somebody=NUMBER"):
        kick.source().connect()
