"""Sends the file of one wish: in one PUT, or part by part, each once.

The parts that the store holds, and where the others go, are the coordinator's word; it is asked by an offer of the
file, and tells again at each connect. Owned by the thread `source-upload`, but for `told` and `progress`.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from agent.errors import LinkProblem
from agent.model.clips import SourcePart, SourceWish
from agent.uplink.backoff import next_delay_s
from agent.uplink.source_upload import Stretch, UploadRefused, UploadStopped, put_stretch
from agent.uplink.wishes import KeptFile, WishBook

log = structlog.get_logger(__name__)

_OFFER_AGAIN_S = 60.0
# A store that refuses fresh URLs as often as that without taking a part in between does not want the file.
_MAX_REFUSALS = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UploadProgress:
    """The upload under way. `bytes_there`: what the store holds, and what has left since."""

    request_id: str
    bytes_there: int
    size_bytes: int


@dataclasses.dataclass(slots=True)
class _Talk:
    """What was said of one wish since this process started."""

    asked_s: float | None = None
    is_told: bool = False
    num_refusals: int = 0


class SourceSender:
    """One file at a time."""

    def __init__(
        self, book: WishBook, *, on_bytes: Callable[[int], None], ca_path: Path | None = None
    ) -> None:
        self._book = book
        self._on_bytes = on_bytes
        self._ca_path = ca_path
        self._talks: dict[str, _Talk] = {}
        self._lock = threading.Lock()
        self._wish_id = ""
        self._size_bytes = 0
        self._held_bytes = 0
        self._try_bytes = 0

    def told(self, request_id: str) -> None:
        """The coordinator has sent this wish, with fresh URLs. Any thread."""
        with self._lock:
            self._talks.setdefault(request_id, _Talk()).is_told = True

    def forget(self, request_id: str) -> None:
        """It was answered. Any thread."""
        with self._lock:
            self._talks.pop(request_id, None)

    def progress(self) -> UploadProgress | None:
        """Of the upload under way; None: there is none. Any thread."""
        request_id, size_bytes = self._wish_id, self._size_bytes
        bytes_there = min(size_bytes, self._held_bytes + self._try_bytes)
        if not request_id:
            return None
        return UploadProgress(request_id=request_id, bytes_there=bytes_there, size_bytes=size_bytes)

    def send(self, wish: SourceWish, file: KeptFile, stopping: threading.Event) -> bool:
        """Send what is not there yet. False: the coordinator was asked where it goes; again once it has told.

        Raises:
            UploadRefused: The store refuses it for good.
            UploadStopped: `stopping` was set.
            LinkProblem: It did not work before the wish expired, or the coordinator's parts are not the file's.
            OSError: The file cannot be read.
        """
        talk = self._talk(wish.request_id)
        in_parts = 0 < wish.part_bytes < file.size_bytes
        if in_parts and wish.offered_sha256 != file.sha256:
            return self._ask(wish, file, talk)
        if (in_parts or talk.num_refusals) and not talk.is_told:
            # Word from before a restart: what is there may be more by now. The next connect brings it.
            if talk.asked_s is None:
                talk.asked_s = time.monotonic()
                return False
            return self._ask(wish, file, talk)
        self._held_bytes = self._try_bytes = 0
        self._wish_id, self._size_bytes = wish.request_id, file.size_bytes
        try:
            if in_parts:
                self._send_parts(wish, file, talk, stopping)
            else:
                whole = Stretch(path=Path(file.path), offset=0, size_bytes=file.size_bytes)
                self._put(whole, wish, lambda: self._latest(wish).upload_url, stopping)
        except UploadRefused as exc:
            talk.num_refusals += 1
            if wish.part_bytes == 0 or talk.num_refusals > _MAX_REFUSALS:
                raise
            # Its URLs may have been signed with a key that counts no more: fresh ones come with the answer.
            delay_s = next_delay_s(talk.num_refusals - 1, random.random())
            log.info("source_urls_refused", request_id=wish.request_id, problem=str(exc), delay_s=delay_s)
            if stopping.wait(delay_s):
                raise UploadStopped("stopped while fresh addresses were waited for") from exc
            return self._ask(wish, file, talk, is_urgent=True)
        finally:
            self._wish_id = ""
        return True

    def _send_parts(self, wish: SourceWish, file: KeptFile, talk: _Talk, stopping: threading.Event) -> None:
        check_parts(wish.parts, file)
        self._held_bytes = sum(part.size_bytes for part in wish.parts if part.is_held)
        sent: set[int] = set()
        while missing := [
            part for part in self._latest(wish).parts if not part.is_held and part.number not in sent
        ]:
            part = missing[0]
            stretch = Stretch(path=Path(file.path), offset=part.offset, size_bytes=part.size_bytes)
            self._put(stretch, wish, functools.partial(self._url_of, wish, part), stopping)
            sent.add(part.number)
            talk.num_refusals = 0
            self._held_bytes, self._try_bytes = self._held_bytes + part.size_bytes, 0
            log.info("source_part_sent", request_id=wish.request_id, number=part.number)

    def _latest(self, wish: SourceWish) -> SourceWish:
        """The wish as a reconnect may have renewed it meanwhile; of the same file."""
        found = self._book.find(wish.request_id)
        if found is None or found.wish.offered_sha256 != wish.offered_sha256:
            return wish
        return found.wish

    def _url_of(self, wish: SourceWish, part: SourcePart) -> str:
        urls = (item.url for item in self._latest(wish).parts if item.number == part.number)
        return next((url for url in urls if url), part.url)

    def _put(
        self, stretch: Stretch, wish: SourceWish, url_now: Callable[[], str], stopping: threading.Event
    ) -> None:
        def count(num_bytes: int) -> None:
            self._try_bytes += num_bytes
            self._on_bytes(num_bytes)

        def begin() -> None:
            self._try_bytes = 0

        put_stretch(
            stretch,
            url_now,
            headers=wish.headers,
            expires_unix_ms=wish.expires_unix_ms,
            stopping=stopping,
            on_bytes=count,
            on_try=begin,
            ca_path=self._ca_path,
        )

    def _ask(self, wish: SourceWish, file: KeptFile, talk: _Talk, *, is_urgent: bool = False) -> bool:
        now_s = time.monotonic()
        if is_urgent or talk.asked_s is None or now_s - talk.asked_s >= _OFFER_AGAIN_S:
            talk.asked_s = now_s
            talk.is_told = False
            self._book.offer(wish, file)
        return False

    def _talk(self, request_id: str) -> _Talk:
        with self._lock:
            return self._talks.setdefault(request_id, _Talk())


def check_parts(parts: tuple[SourcePart, ...], file: KeptFile) -> None:
    """Return quietly when the parts are the file, each byte once and in order. Pure.

    Raises:
        LinkProblem: They are not.
    """
    offset = 0
    for part in sorted(parts, key=lambda part: part.offset):
        if part.offset != offset or part.size_bytes <= 0:
            raise LinkProblem(
                f"the coordinator's part {part.number} begins at byte {part.offset}, not {offset}"
            )
        offset += part.size_bytes
    if offset != file.size_bytes:
        raise LinkProblem(f"the coordinator's parts have {offset} bytes, the file {file.size_bytes}")
