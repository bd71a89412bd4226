"""Answers the coordinator's wishes for full quality: pin at once, then make the exact file and upload it.

Two threads, so that a long upload never lets the ring run over the next wish: `source-pin` and `source-upload`.
The queue between them and the link is the outbox (at most 64 open wishes), so a wish survives kill -9, and so does its
file until the wish is answered: what had arrived of it is not sent again.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from agent.errors import AgentError, NothingToClip
from agent.model.clips import ClipFile, SourceWish
from agent.uplink.source_sending import SourceSender, UploadProgress
from agent.uplink.source_upload import UploadStopped
from agent.uplink.wishes import KeptFile, OpenWish, WishBook
from protos.clippy.v1 import link_pb2

log = structlog.get_logger(__name__)

_STOP_S = 2.0
_LOOK_S = 5.0
_BLOCK_BYTES = 1024**2
_REPLACED = "the clip is longer or shorter by now, and asked for anew"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceHooks:
    """What the engine does for a wish.

    Attributes:
        pin: take the span out of the ring's reach, durably; a second call for the same wish is harmless.
            Raises NothingToClip where the span is not (any more) there.
        make_exact: write the smart-cut file of the span, waiting for its end where it is still to come.
        release: the wish is answered: the pin and the file (None: there is none) are no longer needed.
        on_bytes: the meter; called with the size of each block that leaves.
        wait_reason: why an upload has to wait for now; empty: it need not. Asked every 5 s.
    """

    pin: Callable[[SourceWish], None]
    make_exact: Callable[[SourceWish], ClipFile]
    release: Callable[[SourceWish, ClipFile | None], None]
    on_bytes: Callable[[int], None] = lambda _num_bytes: None
    wait_reason: Callable[[SourceWish], str] = lambda _wish: ""


class SourceFulfiller:
    """`submit` may be called from any thread and returns at once."""

    def __init__(self, book: WishBook, hooks: SourceHooks, *, ca_path: Path | None = None) -> None:
        self._book = book
        self._hooks = hooks
        self._sender = SourceSender(book, on_bytes=hooks.on_bytes, ca_path=ca_path)
        self._stopping = threading.Event()
        self._to_pin = threading.Event()
        self._to_upload = threading.Event()
        self._threads: list[threading.Thread] = []
        # The wish that is being fulfilled, and what ends it.
        self._busy = threading.Condition()
        self._current: SourceWish | None = None
        self._held: list[str] = []
        self._stop_current = threading.Event()

    def start(self) -> None:
        """Start both threads; wishes from before a crash are taken up again."""
        for name, target in (("source-pin", self._pin_all), ("source-upload", self._upload_all)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop within 2 s; what was not answered stays in the outbox. Twice is once."""
        self._stopping.set()
        with self._busy:
            self._stop_current.set()
        self._to_pin.set()
        self._to_upload.set()
        deadline_s = time.monotonic() + _STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    @property
    def held_words(self) -> list[str]:
        """What waits and why, for people: `on a metered line: 2 requested clips wait`. Any thread."""
        return [
            f"{why}: {count} requested clip{'s wait' if count > 1 else ' waits'}"
            for why, count in collections.Counter(self._held).items()
        ]

    def submit(self, wish: SourceWish) -> None:
        """Take a wish; durable when this returns. The same one again only renews its URL.

        Raises:
            DiskFull, EnvironmentProblem: As `Outbox`; the coordinator asks again at the next connect.
        """
        if self._book.save(wish):
            self._sender.told(wish.request_id)
            self._to_pin.set()
            # A renewed URL may be what a waiting upload needs.
            self._to_upload.set()

    def progress(self) -> UploadProgress | None:
        """Of the upload under way; None: there is none. Any thread."""
        return self._sender.progress()

    def forget(self, session_id: str, start_ns: int, end_ns: int, *, timeout_s: float = 5.0) -> int:
        """Answer every open wish for part of this span with UNAVAILABLE, and end an upload of it; returns how many.

        Waits until nobody writes or sends such a file any more, at most `timeout_s`. Raises as `Outbox`.
        """

        def is_meant(wish: SourceWish | None) -> bool:
            return (
                wish is not None
                and wish.session_id == session_id
                and wish.start_ns < end_ns
                and wish.end_ns > start_ns
            )

        num_meant = self._end(is_meant, "the user had this span forgotten")
        with self._busy:
            if not self._busy.wait_for(lambda: not is_meant(self._current), timeout_s):
                log.warning("source_request_still_running", timeout_s=timeout_s)
        return num_meant

    def _end(self, is_meant: Callable[[SourceWish | None], bool], reason: str) -> int:
        """Answer these with UNAVAILABLE, and stop an upload of one; returns how many, and waits for nothing."""
        meant = [item.wish for item in self._book.open() if is_meant(item.wish)]
        for wish in meant:
            self._answer(wish, link_pb2.SourceReply.UNAVAILABLE, reason, None)
        with self._busy:
            if is_meant(self._current):
                self._stop_current.set()
        return len(meant)

    def _pin_all(self) -> None:
        self._loop(self._to_pin, self._pin_new)

    def _upload_all(self) -> None:
        self._loop(self._to_upload, self._upload_pinned)

    def _loop(self, signal: threading.Event, turn: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            signal.clear()
            try:
                turn()
            except AgentError as exc:
                log.warning("source_request_delayed", problem=str(exc))
            except Exception:
                log.exception("source_request_failed")
            signal.wait(_LOOK_S)

    def _pin_new(self) -> None:
        for item in self._book.open():
            if item.is_pinned or self._stopping.is_set():
                continue
            try:
                self._hooks.pin(item.wish)
            except Exception as exc:  # noqa: BLE001  a wish's outermost frame: what fails becomes its answer
                self._give_up(item.wish, exc, None)
                continue
            self._book.mark_pinned(item.wish)
            self._to_upload.set()
            # Only now: what both spans share was held by the old wish's pin until here.
            self._end(functools.partial(_is_one_of, item.wish.replaces), _REPLACED)

    def _upload_pinned(self) -> None:
        held: list[str] = []
        for listed in self._book.open():
            if listed.is_pinned and not self._stopping.is_set():
                reason = self._hooks.wait_reason(listed.wish)
                # One that nobody wants any more is answered all the same.
                if reason and listed.wish.expires_unix_ms > time.time() * 1000:
                    held.append(reason)
                    continue
                with self._busy:
                    if self._stopping.is_set():
                        return
                    self._current, self._stop_current = listed.wish, threading.Event()
                try:
                    # Read again: it may have been answered since the list was made.
                    item = self._book.find(listed.wish.request_id)
                    if item is not None:
                        self._fulfil(item)
                finally:
                    with self._busy:
                        self._current = None
                        self._busy.notify_all()
        self._held = held

    def _fulfil(self, item: OpenWish) -> None:
        wish, clip = item.wish, None if item.file is None else item.file.as_clip()
        try:
            if wish.expires_unix_ms <= time.time() * 1000:
                # The URL lives as long as the wish itself: nobody wants the span any more.
                log.info("source_request_expired", request_id=wish.request_id)
                self._answer(
                    wish, link_pb2.SourceReply.FAILED, "the request expired before it was fulfilled", clip
                )
                return
            file = item.file
            if file is None or not _is_there(file):
                clip = self._hooks.make_exact(wish)
                file = self._kept(wish, clip)
            if file is None or not self._send(wish, file):
                return
        except UploadStopped:
            # We stop: not answered, taken up again at the next start. Or forgotten: answered already.
            if not self._stopping.is_set():
                self._release(wish, clip)
            return
        except Exception as exc:  # noqa: BLE001  a wish's outermost frame: what fails becomes its answer
            self._give_up(wish, exc, clip)
            return
        reply = link_pb2.SourceReply(
            request_id=wish.request_id,
            state=link_pb2.SourceReply.UPLOADED,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            start_ns=max(file.start_ns, wish.start_ns),
            end_ns=min(file.end_ns, wish.end_ns),
        )
        self._book.answer(wish, reply)
        log.info("source_uploaded", request_id=wish.request_id, size_bytes=file.size_bytes)
        self._release(wish, file.as_clip())

    def _send(self, wish: SourceWish, file: KeptFile) -> bool:
        """False: not now; the next turn looks again."""
        try:
            return self._sender.send(wish, file, self._stop_current)
        except FileNotFoundError as exc:
            # Somebody emptied the folder: it is made again, and the upload begins anew.
            log.warning("source_file_gone", request_id=wish.request_id, problem=str(exc))
            self._book.keep_file(wish, None)
            return False

    def _kept(self, wish: SourceWish, clip: ClipFile) -> KeptFile | None:
        """The file just made, written down with its hash; None: it must not leave, and the wish is answered."""
        if not clip.is_exact or clip.end_ns <= wish.start_ns or clip.start_ns >= wish.end_ns:
            self._answer(wish, link_pb2.SourceReply.FAILED, "the file is not exactly the span", clip)
            return None
        size_bytes, sha256 = _hashed(Path(clip.path), self._stop_current)
        if 0 < wish.max_bytes < size_bytes:
            # Final: made again it would be as large.
            reason = f"the span has {size_bytes} bytes, the coordinator takes at most {wish.max_bytes}"
            self._answer(wish, link_pb2.SourceReply.UNAVAILABLE, reason, clip)
            return None
        file = KeptFile(
            path=clip.path,
            size_bytes=size_bytes,
            sha256=sha256,
            start_ns=clip.start_ns,
            end_ns=clip.end_ns,
        )
        self._book.keep_file(wish, file)
        return file

    def _give_up(self, wish: SourceWish, exc: Exception, clip: ClipFile | None) -> None:
        if isinstance(exc, NothingToClip):
            state = link_pb2.SourceReply.UNAVAILABLE
        else:
            state = link_pb2.SourceReply.FAILED
        if isinstance(exc, AgentError):
            log.info("source_request_unfulfilled", request_id=wish.request_id, problem=str(exc))
        else:
            log.error("source_request_failed", request_id=wish.request_id, exc_info=exc)
        self._answer(wish, state, str(exc)[:300] or type(exc).__name__, clip)

    def _answer(
        self,
        wish: SourceWish,
        state: link_pb2.SourceReply.State.ValueType,
        reason: str,
        clip: ClipFile | None,
    ) -> None:
        reply = link_pb2.SourceReply(request_id=wish.request_id, state=state, reason=reason)
        self._book.answer(wish, reply)
        self._release(wish, clip)

    def _release(self, wish: SourceWish, clip: ClipFile | None) -> None:
        self._sender.forget(wish.request_id)
        try:
            self._hooks.release(wish, clip)
        except Exception:
            log.exception("source_release_failed", request_id=wish.request_id)


def _is_one_of(request_ids: Sequence[str], wish: SourceWish | None) -> bool:
    return wish is not None and wish.request_id in request_ids


def _is_there(file: KeptFile) -> bool:
    try:
        return Path(file.path).stat().st_size == file.size_bytes
    except OSError:
        return False


def _hashed(path: Path, stopping: threading.Event) -> tuple[int, bytes]:
    """Size and sha256. Raises UploadStopped."""
    digest, size_bytes = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if stopping.is_set():
                raise UploadStopped("stopped while an upload's file was read")
            digest.update(block)
            size_bytes += len(block)
    return size_bytes, digest.digest()
