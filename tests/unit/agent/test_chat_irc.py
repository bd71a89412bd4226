"""Lines of IRC as Twitch sends them, and as somebody hostile does."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest

from agent.chat.irc import MAX_LINE_BYTES, LineCutter, heard_of, parse_line

CHAT = ":ada!ada@ada.tmi.twitch.tv PRIVMSG #somebody"


def heard(text: str):
    return heard_of(parse_line(text))


def test_a_message_carries_its_author_and_its_text():
    said = heard(f"@badges=subscriber/6;display-name=Ada;user-id=77 {CHAT} :gg: wp :)")

    assert (said.text, said.author_id, said.author_name, said.kind) == ("gg: wp :)", "77", "ada", "message")


@pytest.mark.parametrize(
    ("line", "kind", "count"),
    [
        (f"@bits=100 {CHAT} :Cheer100", "support", 100),
        (f"@bits=-5 {CHAT} :no", "message", 0),
        (f"@bits=9999999999999 {CHAT} :no", "message", 0),
        ("@msg-id=raid;msg-param-viewerCount=250;login=ada :tmi USERNOTICE #somebody", "raid", 250),
        ("@msg-id=raid;msg-param-viewerCount=many :tmi USERNOTICE #somebody", "raid", 0),
        (r"@msg-id=resub;system-msg=ada\shas\ssubscribed :tmi USERNOTICE #somebody :love it", "support", 1),
        ("@msg-id=submysterygift;msg-param-mass-gift-count=20 :tmi USERNOTICE #somebody", "support", 20),
        ("@msg-id=subgift :tmi USERNOTICE #somebody", "support", 1),
        ("@msg-id=announcement :tmi USERNOTICE #somebody :hear ye", "message", 0),
    ],
)
def test_what_the_platform_says_of_a_line_is_its_kind(line, kind, count):
    said = heard(line)

    assert (said.kind, said.count) == (kind, count)


def test_the_platforms_own_sentence_is_left_out_for_it_names_people():
    said = heard(r"@msg-id=resub;login=ada;system-msg=ada\shas\ssubscribed :tmi USERNOTICE #somebody")

    assert said.text == ""


def test_a_gift_out_of_many_is_counted_once():
    assert heard("@msg-id=subgift;msg-param-community-gift-id=1 :tmi USERNOTICE #somebody") is None


def test_a_badge_tells_a_program():
    assert heard(f"@badges=bot-badge/1 {CHAT} :timer").is_bot


def test_an_action_is_its_text():
    assert heard(f"{CHAT} :\x01ACTION waves\x01").text == "waves"


@pytest.mark.parametrize(
    "line", ["", "@", "@;;=;a", ":", " : :", "PRIVMSG", "@x=\\ :a PRIVMSG", "USERNOTICE"]
)
def test_what_is_no_line_raises_nothing(line):
    heard(line)


@hypothesis.given(st.lists(st.binary(max_size=300), max_size=20))
def test_whatever_comes_from_the_socket_raises_nothing(parts):
    cutter = LineCutter()

    for part in parts:
        for line in cutter.feed(part):
            heard(line)


def test_a_line_that_is_too_long_is_left_out_and_the_next_is_read():
    cutter = LineCutter()
    lines = []
    for _ in range(40):
        lines += cutter.feed(b"x" * 1000)
    lines += cutter.feed(b"end\r\nPING :a\r\n" + b"y" * (MAX_LINE_BYTES + 1) + b"\nPING :b\r\n")

    assert lines == ["PING :a", "PING :b"]
    assert cutter.num_oversized == 2


def test_a_line_may_come_in_any_pieces_and_broken_text_is_replaced():
    cutter = LineCutter()
    data = "PRIVMSG #a :✨".encode() + b"\xff\xfe\r\n"

    lines = [line for at in range(len(data)) for line in cutter.feed(data[at : at + 1])]

    assert lines == ["PRIVMSG #a :✨\ufffd\ufffd"]
