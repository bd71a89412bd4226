"""The local endpoint: who is let in, how much is taken, and what is answered to the rest."""

from __future__ import annotations

import socket
import stat
import threading

import pytest

from agent.chat.endpoint import BURST, MAX_BODY_BYTES, LocalChat, load_token
from agent.chat.feeding import MAX_BATCH
from agent.errors import ChatUnavailable
from agent.model.chat import Happened, Watched, Written
from tests.fakes.chat_peers import LocalPeer, heard_until

LINE = {"lines": [{"text": "gg"}]}


@pytest.fixture
def peer(tmp_path):
    made = LocalPeer(tmp_path)
    made.source().connect()
    yield made
    made.close()


def test_lines_viewers_and_events_are_taken(peer):
    line = {"text": "PogChamp", "author": "ada", "chat": "tiktok:me", "kind": "raid", "count": 9, "age_s": 2}
    taken = peer.post("/v1/chat", {"lines": [line], "viewers": [{"count": 77, "chat": "tiktok:me"}]})
    event = {"kind": "clutch", "weight": 0.9, "text": "ace", "source": "cs2"}
    also = peer.post("/v1/events", {"events": [event]})

    assert (taken.status_code, taken.json()) == (202, {"accepted": 2})
    assert also.status_code == 202
    assert heard_until(peer.source(), 3) == [
        Written(
            text="PogChamp",
            author_id="ada",
            author_name="ada",
            kind="raid",
            count=9,
            chat="tiktok:me",
            age_s=2,
        ),
        Watched(num_viewers=77, chat="tiktok:me"),
        Happened(kind="clutch", weight=0.9, text="ace", source="cs2"),
    ]


def test_the_token_is_in_a_file_that_only_the_user_may_read(peer):
    assert stat.S_IMODE(peer.token_file.stat().st_mode) == 0o600
    assert load_token(peer.token_file) == peer.token_file.read_text().strip()

    peer.token_file.chmod(0o644)
    with pytest.raises(ChatUnavailable, match="delete it"):
        load_token(peer.token_file)


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({"authorization": "Bearer wrong"}, 401, "token"),
        ({"authorization": ""}, 401, "token"),
        ({"authorization": "Basic eA=="}, 401, "token"),
        ({"origin": "https://evil.example"}, 403, "origin"),
        ({"origin": "null"}, 403, "origin"),
        ({"sec_fetch_site": "cross-site"}, 403, "origin"),
        ({"host": "evil.example"}, 403, "host"),
        ({"host": "evil.example:80"}, 403, "host"),
        ({"host": "127.0.0.1"}, 403, "host"),
        ({"content_type": "text/plain"}, 415, "content_type"),
        ({"transfer_encoding": "chunked"}, 411, "length"),
    ],
)
def test_who_is_not_let_in_is_told_why_and_nothing_is_taken(peer, headers, status, error):
    answer = peer.post("/v1/chat", LINE, **headers)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert peer.source().read(0.05) == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat", b"{", 400),
        ("/v1/chat", b"\xff", 400),
        ("/v1/chat", b"[" * 60_000, 400),
        ("/v1/chat", {"lines": [{"text": "x"}] * (MAX_BATCH + 1)}, 400),
        ("/v1/chat", {"lines": [{"text": 5}]}, 400),
        ("/v1/chat", {"lines": [{"text": "x", "kind": "god"}]}, 400),
        ("/v1/chat", {"lines": [{"text": "x", "chat": "a b"}]}, 400),
        ("/v1/chat", {"lines": [{"text": "x", "count": -1}]}, 400),
        ("/v1/chat", {"lines": [{"text": "x", "age_s": 1e9}]}, 400),
        ("/v1/chat", {"lines": [{"text": "x", "colour": "red"}]}, 400),
        ("/v1/events", {"events": []}, 400),
        ("/v1/events", {"events": [{"kind": "K!", "weight": 0.5}]}, 400),
        ("/v1/events", b'{"events": [{"kind": "hype", "weight": NaN}]}', 400),
        ("/v1/events", {"events": [{"kind": "hype", "weight": 1.5}]}, 400),
        ("/v2/chat", LINE, 404),
        ("/v1/chat?x=1", LINE, 404),
        ("/v1/chat", b"x" * (MAX_BODY_BYTES + 1), 413),
    ],
)
def test_what_is_not_understood_is_refused_with_its_reason(peer, path, body, status):
    answer = peer.post(path, body)

    assert answer.status_code == status
    assert answer.json()["message"]
    assert peer.source().read(0.05) == []


def test_other_methods_are_refused(peer):
    import httpx

    url = f"http://127.0.0.1:{peer.source().port}/v1/chat"
    with httpx.Client(trust_env=False) as client:
        assert {client.request(method, url).status_code for method in ("GET", "PUT", "OPTIONS")} == {405}


def test_a_flood_is_told_to_send_less_and_goes_on_later(tmp_path):
    class Clock:
        now_s = 0.0

        def __call__(self) -> float:
            return self.now_s

    clock = Clock()
    peer = LocalPeer(tmp_path)
    peer._made = LocalChat(0, peer.token_file, clock_s=clock)
    peer.source().connect()
    batch = {"lines": [{"text": "x"}] * MAX_BATCH}

    codes = [peer.post("/v1/chat", batch).status_code for _ in range(int(BURST) // MAX_BATCH + 1)]
    clock.now_s += 1
    later = peer.post("/v1/chat", batch)

    assert codes == [202] * (len(codes) - 1) + [429]
    assert later.status_code == 202
    peer.close()


def test_what_waits_is_bounded(tmp_path):
    clock = iter(float(1000 * second) for second in range(10_000))
    peer = LocalPeer(tmp_path)
    peer._made = LocalChat(0, peer.token_file, clock_s=lambda: next(clock))
    peer.source().connect()
    batch = {"lines": [{"text": "x"}] * MAX_BATCH}

    codes = [peer.post("/v1/chat", batch).status_code for _ in range(21)]

    assert codes == [202] * 20 + [503]
    assert len(peer.source().read(0.1)) == 4000
    peer.close()


def test_callers_that_say_nothing_do_not_keep_others_out(peer):
    silent = [socket.create_connection(("127.0.0.1", peer.source().port)) for _ in range(20)]

    assert peer.post("/v1/chat", LINE).status_code == 202
    assert sum(thread.name.startswith("Thread-") for thread in threading.enumerate()) < 20
    for one in silent:
        one.close()


def test_a_caller_that_goes_away_in_the_middle_is_forgotten(peer):
    token = peer.token_file.read_text().strip()
    with socket.create_connection(("127.0.0.1", peer.source().port)) as caller:
        caller.sendall(
            f"POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1:{peer.source().port}\r\nAuthorization: Bearer {token}\r\n"
            'Content-Type: application/json\r\nContent-Length: 90\r\n\r\n{"lines"'.encode()
        )

    assert peer.post("/v1/chat", LINE).status_code == 202
    assert len(heard_until(peer.source(), 1)) == 1


def test_a_port_that_is_taken_is_told(peer, tmp_path):
    second = LocalChat(peer.source().port, tmp_path / "other")

    with pytest.raises(ChatUnavailable, match=r"set chat\.local_port"):
        second.connect()


def test_only_loopback_is_listened_on(peer):
    assert peer.source()._server.server_address[0] == "127.0.0.1"
