"""One PUT of one file, or of a stretch of it, to a signed URL, tried until it is done or the URL has expired.

Streamed from disk, never held in memory. Interruptible at each block and in each wait. A redirect is a refusal: the
file goes where the coordinator said, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import structlog

from agent.errors import LinkProblem
from agent.uplink.backoff import next_delay_s

log = structlog.get_logger(__name__)

_BLOCK_BYTES = 256 * 1024
_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=30.0, pool=10.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Bytes of a file: all of it from `offset` 0 with its size, or a part."""

    path: Path
    offset: int
    size_bytes: int


class UploadRefused(LinkProblem):
    """The store said no (bad or expired signature, too big): the same URL will not work again."""

    code = "upload_refused"
    retryable = False


class UploadStopped(LinkProblem):
    """Stopped by its owner before it was done."""

    code = "upload_stopped"


def put_stretch(
    stretch: Stretch,
    url_now: Callable[[], str],
    *,
    headers: tuple[tuple[str, str], ...] = (),
    expires_unix_ms: int,
    stopping: threading.Event,
    on_bytes: Callable[[int], None],
    on_try: Callable[[], None] = lambda: None,
    ca_path: Path | None = None,
) -> None:
    """PUT it; connect failures, 429 and 5xx are retried with jitter until the URL expires.

    Args:
        url_now: asked before each try: a reconnect of the link may have brought a fresh one.
        on_bytes: called with the size of each block as it leaves, retries included.
        on_try: called before each try: it begins at the first byte.
        ca_path: PEM file of a CA to trust for https beside the system's: the coordinator's own.

    Raises:
        UploadRefused: A 3xx or 4xx answer, or an address that is not http or https.
        UploadStopped: `stopping` was set.
        LinkProblem: It did not work before the URL expired; says what the last failure was.
        OSError: The file cannot be read, or is shorter than that.
    """
    attempt = 0
    problem = "the URL had expired already"
    with httpx.Client(
        timeout=_TIMEOUT, verify=_trusting(ca_path), follow_redirects=False, trust_env=False
    ) as client:
        while time.time() * 1000 < expires_unix_ms:
            on_try()
            try:
                answer = client.put(
                    _checked(url_now()),
                    content=_blocks(stretch, stopping, on_bytes),
                    headers={**dict(headers), "Content-Length": str(stretch.size_bytes)},
                )
            except httpx.TransportError as exc:
                problem = f"{type(exc).__name__}: {exc}"
            except httpx.InvalidURL as exc:
                raise UploadRefused(f"the upload address cannot be understood: {exc}") from exc
            else:
                if answer.is_success:
                    return
                problem = f"HTTP {answer.status_code} {answer.text[:200]}"
                if answer.status_code < 500 and answer.status_code != 429:
                    raise UploadRefused(f"the store refused the upload: {problem}")
            delay_s = max(0.2, next_delay_s(attempt, random.random()))
            attempt += 1
            log.info("source_upload_delayed", problem=problem, attempt=attempt, delay_s=round(delay_s, 2))
            if stopping.wait(delay_s):
                raise UploadStopped("stopped while an upload waited for its next try")
    raise LinkProblem(f"the upload did not succeed before its URL expired: {problem}")


def _checked(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise UploadRefused(f"the upload address {url[:20]!r} is neither http nor https")
    return url


def _trusting(ca_path: Path | None) -> ssl.SSLContext:
    # The system's authorities stay: a bucket's certificate is none of the coordinator's.
    context = ssl.create_default_context()
    if ca_path is not None:
        context.load_verify_locations(cafile=str(ca_path))
    return context


def _blocks(stretch: Stretch, stopping: threading.Event, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    remaining_bytes = stretch.size_bytes
    with stretch.path.open("rb") as file:
        file.seek(stretch.offset)
        while remaining_bytes > 0:
            if stopping.is_set():
                raise UploadStopped("stopped in the middle of an upload")
            block = file.read(min(_BLOCK_BYTES, remaining_bytes))
            if not block:
                raise OSError(f"{stretch.path.name} became shorter while it was read")
            remaining_bytes -= len(block)
            on_bytes(len(block))
            yield block
