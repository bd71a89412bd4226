"""Uploads that go on: the kept file, the talk with the coordinator, and where bytes may go at all."""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.config import Config, Uplink
from agent.engine.sending import Sending
from agent.engine.upload_files import upload_name
from agent.errors import LinkProblem
from agent.model.clips import ClipFile, SourcePart, SourceWish
from agent.paths import AgentPaths
from agent.uplink.outbox import Outbox
from agent.uplink.source_fulfiller import SourceFulfiller, SourceHooks
from agent.uplink.source_sending import SourceSender, check_parts
from agent.uplink.source_upload import Stretch, UploadRefused, put_stretch
from agent.uplink.wishes import KeptFile, WishBook
from protos.clippy.v1 import link_pb2
from tests.fakes.link_parts import make_certificates

SESSION = "c" * 32
NOWHERE = "http://127.0.0.1:9/x"
DATA = b"0123456789"
SHA256 = hashlib.sha256(DATA).digest()


def wish(**changes: Any) -> SourceWish:
    values: dict[str, Any] = {
        "request_id": "r1",
        "session_id": SESSION,
        "start_ns": 0,
        "end_ns": 10,
        "upload_url": NOWHERE,
        "headers": (),
        "expires_unix_ms": int((time.time() + 20) * 1000),
        "reason": "a cheer",
    }
    return SourceWish(**(values | changes))


def part(
    number: int, offset: int, size_bytes: int, *, url: str = NOWHERE, is_held: bool = False
) -> SourcePart:
    return SourcePart(number=number, offset=offset, size_bytes=size_bytes, is_held=is_held, url=url)


def kept(path: Path) -> KeptFile:
    path.write_bytes(DATA)
    return KeptFile(path=str(path), size_bytes=len(DATA), sha256=SHA256, start_ns=0, end_ns=10)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db")
    opened.start_session(SESSION, 1)
    yield opened
    opened.close()


class Store:
    """Takes PUTs, or answers with what it was told to; with a certificate it speaks TLS."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.puts: list[tuple[str, bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = store.answers.pop(0) if store.answers else (200, {})
                store.puts.append((self.path, body))
                self.send_response(status)
                for name, value in (headers | {"Content-Length": "0"}).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store()
    yield opened
    opened.close()


def put(path: Path, url_now: Callable[[], str], *, lasting_s: float = 20.0, **changes: Any) -> None:
    stretch = Stretch(path=path, offset=2, size_bytes=5)
    put_stretch(
        stretch,
        url_now,
        expires_unix_ms=int((time.time() + lasting_s) * 1000),
        stopping=threading.Event(),
        on_bytes=lambda _num: None,
        **changes,
    )


def offers(outbox: Outbox) -> list[link_pb2.SourceOffer]:
    messages = [event.message for event in outbox.events_after(0, limit=100)]
    return [item.source_offer for item in messages if item.WhichOneof("kind") == "source_offer"]


def test_a_stretch_of_a_file_is_just_that(store: Store, tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(DATA)

    put(path, lambda: f"{store.url}/a")

    assert store.puts == [("/a", b"23456")]


def test_each_try_asks_where_it_goes_now(store: Store, tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    urls = iter([NOWHERE, f"{store.url}/fresh"])

    put(path, lambda: next(urls))

    assert store.puts == [("/fresh", b"23456")]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_refusal_and_the_file_goes_nowhere_else(store: Store, tmp_path: Path, status: int):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    elsewhere = Store()
    store.answers = [(status, {"Location": f"{elsewhere.url}/stolen"})]

    with pytest.raises(UploadRefused, match=f"HTTP {status}"):
        put(path, lambda: f"{store.url}/a")
    elsewhere.close()

    assert elsewhere.puts == []


def test_the_coordinators_own_ca_is_trusted_and_no_stranger_is(tmp_path: Path):
    certificates = make_certificates(tmp_path)
    (tmp_path / "server.pem").write_bytes(certificates.tls.certificate)
    (tmp_path / "server.key").write_bytes(certificates.tls.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    store = Store(context)
    path = tmp_path / "file"
    path.write_bytes(DATA)

    with pytest.raises(LinkProblem, match="CERTIFICATE_VERIFY_FAILED"):
        put(path, lambda: f"{store.url}/a", lasting_s=0.5)
    put(path, lambda: f"{store.url}/a", ca_path=certificates.ca_path)
    store.close()

    assert store.puts == [("/a", b"23456")]


def test_a_file_that_became_shorter_is_an_error_and_no_shorter_upload(store: Store, tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(DATA[:4])

    with pytest.raises(OSError, match="shorter"):
        put(path, lambda: f"{store.url}/a")


@pytest.mark.parametrize(
    "parts",
    [
        (part(0, 0, 4), part(1, 5, 5)),  # a hole
        (part(0, 0, 6), part(1, 4, 6)),  # twice
        (part(0, 0, 4), part(1, 4, 4)),  # too short
        (part(0, 0, 4), part(1, 4, 60)),  # too long
        (part(0, 0, 10), part(1, 10, 0)),  # nothing
        (),
    ],
)
def test_parts_that_are_not_the_file_are_an_error(tmp_path: Path, parts: tuple[SourcePart, ...]):
    with pytest.raises(LinkProblem):
        check_parts(parts, kept(tmp_path / "file"))


def test_a_large_file_is_offered_once_and_waits_for_the_answer(outbox: Outbox, tmp_path: Path):
    book = WishBook(outbox)
    sender = SourceSender(book, on_bytes=lambda _num: None)
    asked = wish(part_bytes=4)
    book.save(asked)

    for _ in range(3):
        assert not sender.send(asked, kept(tmp_path / "file"), threading.Event())

    assert [(item.request_id, item.size_bytes, item.sha256) for item in offers(outbox)] == [
        ("r1", 10, SHA256)
    ]


def test_word_from_before_a_restart_is_not_believed(store: Store, outbox: Outbox, tmp_path: Path):
    book = WishBook(outbox)
    sender = SourceSender(book, on_bytes=lambda _num: None)
    parts = (part(0, 0, 6, url=f"{store.url}/0"), part(1, 6, 4, url=f"{store.url}/1"))
    told = wish(part_bytes=6, offered_sha256=SHA256, parts=parts)
    book.save(told)

    assert not sender.send(told, kept(tmp_path / "file"), threading.Event())
    assert store.puts == []
    # The connect says that the first one had arrived after all.
    fresh = wish(part_bytes=6, offered_sha256=SHA256, parts=(part(0, 0, 6, is_held=True), parts[1]))
    book.save(fresh)
    sender.told("r1")
    assert sender.send(fresh, kept(tmp_path / "file"), threading.Event())

    assert store.puts == [("/1", DATA[6:])]
    assert offers(outbox) == []


def test_a_store_that_refuses_every_fresh_url_is_given_up(
    store: Store, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("random.random", lambda: 0.0)
    book = WishBook(outbox)
    sender = SourceSender(book, on_bytes=lambda _num: None)
    asked = wish(part_bytes=100, upload_url=f"{store.url}/a")
    book.save(asked)
    store.answers = [(403, {})] * 4

    for _ in range(3):
        sender.told("r1")
        assert not sender.send(asked, kept(tmp_path / "file"), threading.Event())
    sender.told("r1")
    with pytest.raises(UploadRefused):
        sender.send(asked, kept(tmp_path / "file"), threading.Event())

    assert len(store.puts) == 4


def fulfiller(outbox: Outbox, make: Callable[[SourceWish], ClipFile]) -> SourceFulfiller:
    hooks = SourceHooks(pin=lambda _wish: None, make_exact=make, release=lambda _wish, _clip: None)
    return SourceFulfiller(WishBook(outbox), hooks)


def wait_until(condition: Callable[[], Any]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends, "did not come true in time"
        time.sleep(0.01)


def answers(outbox: Outbox) -> list[link_pb2.SourceReply]:
    replies = [event.message.source_reply for event in outbox.events_after(0, limit=100)]
    return [item for item in replies if item.state not in (0, link_pb2.SourceReply.PINNED)]


def test_the_same_file_is_sent_after_a_restart_and_none_is_made(store: Store, outbox: Outbox, tmp_path: Path):
    book = WishBook(outbox)
    book.save(wish(upload_url=f"{store.url}/a"))
    book.keep_file(wish(), kept(tmp_path / "file"))

    def make(_wish: SourceWish) -> ClipFile:
        raise AssertionError("a file was made")

    running = fulfiller(outbox, make)
    running.start()
    wait_until(lambda: answers(outbox))
    running.stop()

    assert [(item.state, item.sha256) for item in answers(outbox)] == [
        (link_pb2.SourceReply.UPLOADED, SHA256)
    ]
    assert store.puts == [("/a", DATA)]


@pytest.mark.parametrize("left", [None, DATA[:3]])
def test_a_kept_file_that_is_gone_or_cut_off_is_made_again(
    store: Store, outbox: Outbox, tmp_path: Path, left: bytes | None
):
    path = tmp_path / "file"
    book = WishBook(outbox)
    book.save(wish(upload_url=f"{store.url}/a"))
    book.keep_file(wish(), kept(path))
    path.unlink()
    if left is not None:
        path.write_bytes(left)

    def make(_wish: SourceWish) -> ClipFile:
        path.write_bytes(b"made anew")
        return ClipFile(path=str(path), start_ns=0, end_ns=10, size_bytes=9, is_exact=True)

    running = fulfiller(outbox, make)
    running.start()
    wait_until(lambda: answers(outbox))
    running.stop()

    assert store.puts == [("/a", b"made anew")]


def test_a_file_that_is_too_large_is_not_sent_and_not_asked_for_again(
    store: Store, outbox: Outbox, tmp_path: Path
):
    path = tmp_path / "file"

    def make(_wish: SourceWish) -> ClipFile:
        return kept(path).as_clip()

    running = fulfiller(outbox, make)
    running.start()
    running.submit(wish(upload_url=f"{store.url}/a", max_bytes=9))
    wait_until(lambda: answers(outbox))
    running.stop()

    [answer] = answers(outbox)
    assert answer.state == link_pb2.SourceReply.UNAVAILABLE
    assert "10 bytes, the coordinator takes at most 9" in answer.reason
    assert store.puts == []


def test_at_start_only_files_of_open_wishes_stay(tmp_path: Path):
    paths = AgentPaths(data=tmp_path / "data")
    paths.data.mkdir()
    paths.uploads.mkdir()
    outbox = Outbox(paths.outbox)
    book = WishBook(outbox)
    for request_id in ("kept", "unfinished"):
        book.save(wish(request_id=request_id))
        (paths.uploads / upload_name(request_id)).write_bytes(DATA)
    book.keep_file(wish(request_id="kept"), kept(paths.uploads / upload_name("kept")))
    (paths.uploads / upload_name("answered")).write_bytes(DATA)
    outbox.close()

    uplink = Uplink(address="localhost:1", ca_file=str(tmp_path / "ca"), token_file=str(tmp_path / "token"))
    sending = Sending(paths, Config(uplink=uplink), on_change=lambda: None)
    names = sending.open_uploads()
    status = sending.status()
    sending.stop()

    assert [path.name for path in paths.uploads.iterdir()] == [upload_name("kept")]
    assert names == {upload_name("kept"), upload_name("unfinished")}
    assert status.sources_waiting == 2
    assert not status.HasField("source_upload")


def test_a_request_cannot_name_a_path():
    assert "/" not in upload_name("../../escape")
