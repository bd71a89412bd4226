"""Uploads on request: a real HTTP server on loopback, retries, refusals, and wishes that survive."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.errors import DiskFull, LinkProblem, NothingToClip
from agent.model.clips import ClipFile, SourceWish
from agent.uplink.outbox import Outbox
from agent.uplink.source_fulfiller import SourceFulfiller, SourceHooks
from agent.uplink.source_upload import Stretch, UploadRefused, UploadStopped, put_stretch
from agent.uplink.wishes import MAX_OPEN_WISHES, WishBook
from protos.clippy.v1 import link_pb2

SESSION = "c" * 32
SECOND_NS = 1_000_000_000
State = link_pb2.SourceReply


class Store:
    """A store that takes PUTs, after answering with what it was told to."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.is_slow = threading.Event()
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                store.headers.append(dict(self.headers))
                body = self.rfile.read(int(self.headers["Content-Length"]))
                while store.is_slow.is_set():
                    time.sleep(0.02)
                status = store.answers.pop(0) if store.answers else 200
                if status == 200:
                    store.bodies.append(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/sources/r1.mp4?sig=1"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.is_slow.clear()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store()
    yield opened
    opened.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db")
    opened.start_session(SESSION, 1)
    yield opened
    opened.close()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "exact.mp4"
    path.write_bytes(bytes(range(256)) * 3000)
    return path


def put(video: Path, url: str, *, lasting_s: float = 20.0, **changes: Any) -> None:
    values: dict[str, Any] = {
        "expires_unix_ms": int((time.time() + lasting_s) * 1000),
        "stopping": threading.Event(),
        "on_bytes": lambda _num: None,
    }
    whole = Stretch(path=video, offset=0, size_bytes=video.stat().st_size)
    put_stretch(whole, lambda: url, **(values | changes))


def wish(url: str, *, request_id: str = "r1", lasting_s: float = 20.0) -> SourceWish:
    return SourceWish(
        request_id=request_id,
        session_id=SESSION,
        start_ns=10 * SECOND_NS,
        end_ns=20 * SECOND_NS,
        upload_url=url,
        headers=(("X-Test", "1"),),
        expires_unix_ms=int((time.time() + lasting_s) * 1000),
        reason="a cheer",
    )


def replies(outbox: Outbox) -> list[link_pb2.SourceReply]:
    return [event.message.source_reply for event in outbox.events_after(0, limit=100)]


def wait_until(condition: Callable[[], Any], deadline_s: float = 10.0) -> None:
    ends = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends, "did not come true in time"
        time.sleep(0.01)


class Engine:
    """What the fulfiller asks of the engine."""

    def __init__(self, video: Path) -> None:
        self.video = video
        self.pinned: list[str] = []
        self.released: list[str] = []
        self.num_bytes = 0
        self.pin_error: Exception | None = None
        self.make_error: Exception | None = None
        self.clip = ClipFile(
            path=str(video),
            start_ns=10 * SECOND_NS,
            end_ns=20 * SECOND_NS + 5,
            size_bytes=video.stat().st_size,
            is_exact=True,
        )

    def pin(self, wish: SourceWish) -> None:
        if self.pin_error is not None:
            raise self.pin_error
        self.pinned.append(wish.request_id)

    def make(self, wish: SourceWish) -> ClipFile:
        if self.make_error is not None:
            raise self.make_error
        return self.clip

    def release(self, wish: SourceWish, _clip: ClipFile | None) -> None:
        self.released.append(wish.request_id)

    def count(self, num_bytes: int) -> None:
        self.num_bytes += num_bytes

    def hooks(self) -> SourceHooks:
        return SourceHooks(pin=self.pin, make_exact=self.make, release=self.release, on_bytes=self.count)


@pytest.fixture
def engine(video: Path) -> Engine:
    return Engine(video)


def test_a_file_is_put_whole_with_its_length(store: Store, video: Path):
    put(video, store.url, headers=(("X-Test", "1"),))

    assert store.bodies == [video.read_bytes()]
    assert store.headers[0]["Content-Length"] == str(video.stat().st_size)
    assert store.headers[0]["X-Test"] == "1"


def test_a_store_that_is_down_for_a_moment_is_tried_again(store: Store, video: Path):
    store.answers = [503, 500]

    put(video, store.url)

    assert len(store.bodies) == 1
    assert len(store.headers) == 3


def test_a_refusal_is_final(store: Store, video: Path):
    store.answers = [403]

    with pytest.raises(UploadRefused, match="HTTP 403"):
        put(video, store.url)

    assert len(store.headers) == 1


def test_an_upload_gives_up_when_its_url_expires(video: Path):
    with pytest.raises(LinkProblem, match="expired"):
        put(video, "http://127.0.0.1:9/x", lasting_s=0.5)


def test_an_address_that_is_no_web_address_is_refused(video: Path):
    with pytest.raises(UploadRefused, match="neither http nor https"):
        put(video, f"file://{video}")


def test_an_upload_can_be_stopped_while_it_waits(video: Path):
    stopping = threading.Event()
    threading.Timer(0.2, stopping.set).start()

    with pytest.raises(UploadStopped):
        put(video, "http://127.0.0.1:9/x", stopping=stopping)


def test_a_wish_is_pinned_then_uploaded_then_released(store: Store, outbox: Outbox, engine: Engine):
    fulfiller = SourceFulfiller(WishBook(outbox), engine.hooks())
    fulfiller.start()

    fulfiller.submit(wish(store.url))
    wait_until(lambda: engine.released)
    fulfiller.stop()

    pinned, uploaded = replies(outbox)
    assert (pinned.state, uploaded.state) == (State.PINNED, State.UPLOADED)
    assert (uploaded.start_ns, uploaded.end_ns) == (10 * SECOND_NS, 20 * SECOND_NS)
    assert uploaded.size_bytes == len(store.bodies[0]) == engine.num_bytes
    assert uploaded.sha256 == hashlib.sha256(store.bodies[0]).digest()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (NothingToClip("10 s to 20 s are no longer in the ring"), State.UNAVAILABLE),
        (DiskFull("no room in the ring's folder"), State.FAILED),
        (ZeroDivisionError("a bug"), State.FAILED),  # still an answer, not a silent thread
    ],
)
@pytest.mark.logs("source_request_failed")
def test_a_span_that_cannot_be_pinned_is_answered_with_the_reason(
    outbox: Outbox, engine: Engine, error: Exception, state: int
):
    engine.pin_error = error
    fulfiller = SourceFulfiller(WishBook(outbox), engine.hooks())
    fulfiller.start()

    fulfiller.submit(wish("http://127.0.0.1:9/x"))
    wait_until(lambda: replies(outbox))
    fulfiller.stop()

    assert [(reply.state, reply.reason) for reply in replies(outbox)] == [(state, str(error))]


def test_a_file_with_hidden_pre_roll_never_leaves(store: Store, outbox: Outbox, engine: Engine):
    engine.clip = dataclasses.replace(engine.clip, is_exact=False)
    fulfiller = SourceFulfiller(WishBook(outbox), engine.hooks())
    fulfiller.start()

    fulfiller.submit(wish(store.url))
    wait_until(lambda: len(replies(outbox)) == 2)
    fulfiller.stop()

    assert replies(outbox)[1].state == State.FAILED
    assert store.headers == []


def test_a_later_wish_is_pinned_while_an_upload_is_under_way(store: Store, outbox: Outbox, engine: Engine):
    store.is_slow.set()
    fulfiller = SourceFulfiller(WishBook(outbox), engine.hooks())
    fulfiller.start()

    fulfiller.submit(wish(store.url))
    wait_until(lambda: store.headers)
    fulfiller.submit(wish(store.url, request_id="r2"))
    wait_until(lambda: engine.pinned == ["r1", "r2"])
    store.is_slow.clear()
    wait_until(lambda: engine.released == ["r1", "r2"])
    fulfiller.stop()


def test_a_wish_from_before_a_crash_is_taken_up_again(store: Store, outbox: Outbox, engine: Engine):
    WishBook(outbox).save(wish(store.url))
    outbox.close()

    again = Outbox(outbox.file.path)
    fulfiller = SourceFulfiller(WishBook(again), engine.hooks())
    fulfiller.start()
    wait_until(lambda: engine.released)
    fulfiller.stop()
    states = [reply.state for reply in replies(again)]
    again.close()

    assert states == [State.PINNED, State.UPLOADED]


def test_a_wish_that_was_answered_is_not_done_twice(store: Store, outbox: Outbox, engine: Engine):
    fulfiller = SourceFulfiller(WishBook(outbox), engine.hooks())
    fulfiller.start()
    fulfiller.submit(wish(store.url))
    wait_until(lambda: engine.released)

    fulfiller.submit(wish(store.url))
    fulfiller.stop()

    assert WishBook(outbox).open() == []
    assert len(store.bodies) == 1


def test_too_many_wishes_are_answered_instead_of_piling_up(outbox: Outbox):
    book = WishBook(outbox)
    for index in range(MAX_OPEN_WISHES):
        book.save(wish("http://127.0.0.1:9/x", request_id=f"r{index}"))

    assert not book.save(wish("http://127.0.0.1:9/x", request_id="one-more"))
    assert [(reply.request_id, reply.state) for reply in replies(outbox)] == [("one-more", State.FAILED)]


def test_a_wish_that_replaces_another_ends_it_once_its_own_span_is_safe(
    store: Store, outbox: Outbox, engine: Engine
):
    released_at_pin: list[list[str]] = []

    def pin(wish: SourceWish) -> None:
        engine.pin(wish)
        released_at_pin.append(list(engine.released))

    fulfiller = SourceFulfiller(WishBook(outbox), dataclasses.replace(engine.hooks(), pin=pin))
    fulfiller.start()
    fulfiller.submit(wish("http://127.0.0.1:9/never", request_id="r1"))
    wait_until(lambda: engine.pinned == ["r1"])

    grown = dataclasses.replace(wish(store.url, request_id="r2"), start_ns=0, replaces=("r0", "r1"))
    fulfiller.submit(grown)
    wait_until(lambda: "r2" in engine.released)
    fulfiller.stop()

    assert released_at_pin == [[], []]
    assert [(reply.request_id, reply.state) for reply in replies(outbox)] == [
        ("r1", State.PINNED), ("r2", State.PINNED), ("r1", State.UNAVAILABLE), ("r2", State.UPLOADED),
    ]  # fmt: skip
    assert WishBook(outbox).open() == []
