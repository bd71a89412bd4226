"""One PUT of one file to a signed URL, tried until it is done or the URL has expired.

Streamed from disk, never held in memory. Interruptible at each block and in each wait.
"""

from __future__ import annotations

import dataclasses
import hashlib
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
class UploadedFile:
    """What was put."""

    size_bytes: int
    sha256: bytes


class UploadRefused(LinkProblem):
    """The store said no (bad or expired signature, too big): the same URL will not work again."""

    code = "upload_refused"
    retryable = False


class UploadStopped(LinkProblem):
    """Stopped by its owner before it was done."""

    code = "upload_stopped"


def put_file(
    path: Path,
    url: str,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    expires_unix_ms: int,
    stopping: threading.Event,
    on_bytes: Callable[[int], None],
    ca_path: Path | None = None,
) -> UploadedFile:
    """PUT `path` to `url`; connect failures, 429 and 5xx are retried with jitter until the URL expires.

    Args:
        on_bytes: called with the size of each block as it leaves, retries included.
        ca_path: PEM file of the CA to trust for https; None: the system's.

    Raises:
        UploadRefused: A 3xx or 4xx answer, or an address that is not http or https.
        UploadStopped: `stopping` was set.
        LinkProblem: It did not work before the URL expired; says what the last failure was.
        OSError: The file cannot be read.
    """
    if not url.startswith(("http://", "https://")):
        raise UploadRefused(f"the upload address {url[:20]!r} is neither http nor https")
    verify = ssl.create_default_context(cafile=str(ca_path)) if ca_path else True
    attempt = 0
    problem = "the URL had expired already"
    with httpx.Client(timeout=_TIMEOUT, verify=verify, follow_redirects=False, trust_env=False) as client:
        while time.time() * 1000 < expires_unix_ms:
            digest = hashlib.sha256()
            size_bytes = path.stat().st_size
            try:
                answer = client.put(
                    url,
                    content=_blocks(path, size_bytes, digest.update, stopping, on_bytes),
                    headers={**dict(headers), "Content-Length": str(size_bytes)},
                )
            except httpx.TransportError as exc:
                problem = f"{type(exc).__name__}: {exc}"
            except httpx.InvalidURL as exc:
                raise UploadRefused(f"the upload address cannot be understood: {exc}") from exc
            else:
                if answer.is_success:
                    return UploadedFile(size_bytes=size_bytes, sha256=digest.digest())
                problem = f"HTTP {answer.status_code} {answer.text[:200]}"
                if answer.status_code < 500 and answer.status_code != 429:
                    raise UploadRefused(f"the store refused the upload: {problem}")
            delay_s = max(0.2, next_delay_s(attempt, random.random()))
            attempt += 1
            log.info("source_upload_delayed", problem=problem, attempt=attempt, delay_s=round(delay_s, 2))
            if stopping.wait(delay_s):
                raise UploadStopped("stopped while an upload waited for its next try")
    raise LinkProblem(f"the upload did not succeed before its URL expired: {problem}")


def _blocks(
    path: Path,
    size_bytes: int,
    update: Callable[[bytes], None],
    stopping: threading.Event,
    on_bytes: Callable[[int], None],
) -> Iterator[bytes]:
    remaining_bytes = size_bytes
    with path.open("rb") as file:
        while remaining_bytes > 0:
            if stopping.is_set():
                raise UploadStopped("stopped in the middle of an upload")
            block = file.read(min(_BLOCK_BYTES, remaining_bytes))
            if not block:
                raise OSError(f"{path.name} became shorter while it was read")
            remaining_bytes -= len(block)
            update(block)
            on_bytes(len(block))
            yield block
