"""An S3 server in memory, enough for the object store's contract: path-style PUT, GET with ranges, HEAD, DELETE.

It checks no signatures, but wants them; a presigned address is refused once it has expired. `S3Traffic` counts what
presigned PUTs brought, and holds or refuses them.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


@dataclasses.dataclass(kw_only=True)
class S3Traffic:
    """What came by presigned PUTs, and what a test wants done with them. Keys are `bucket/key`.

    Attributes:
        received: bytes of the bodies, those of PUTs that were cut off too.
        whole: keys of the PUTs that came to their end, in order.
        hold_after: once so many were whole, the next ones stop in the middle until this is None.
        held: one stands still now.
        is_down: connections are ended without an answer, kept ones too.
        signed_after: addresses signed before that are refused, as if they had expired.
    """

    objects: dict[str, bytes] = dataclasses.field(default_factory=dict)
    received: dict[str, int] = dataclasses.field(default_factory=dict)
    whole: list[str] = dataclasses.field(default_factory=list)
    hold_after: int | None = None
    held: threading.Event = dataclasses.field(default_factory=threading.Event)
    is_down: bool = False
    signed_after: datetime.datetime | None = None
    num_refused: int = 0

    def is_holding(self) -> bool:
        """Should a PUT that has begun stop?"""
        return self.hold_after is not None and len(self.whole) >= self.hold_after


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    traffic: S3Traffic

    def log_message(self, *_: object) -> None:
        pass

    def parse_request(self) -> bool:
        if self.traffic.is_down:
            self.close_connection = True
            return False
        return super().parse_request()

    def do_PUT(self) -> None:
        is_presigned = "X-Amz-Signature" in self.path
        body = self._counted_body() if is_presigned else self._body()
        if body is None:
            self.close_connection = True
        elif self._is_allowed():
            if is_presigned:
                self.traffic.whole.append(self._key())
            self.objects[self._key()] = body
            self._answer(200, b"", {"ETag": _etag(body)})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self._is_allowed():
            return
        found = self.objects.get(self._key())
        if found is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        headers = {"ETag": _etag(found), "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._answer(200, found, headers)
            return
        first = int(wanted[1])
        last = min(int(wanted[2] or len(found) - 1), len(found) - 1)
        if first > last:
            self._answer(416, b"<Error><Code>InvalidRange</Code></Error>")
            return
        headers["Content-Range"] = f"bytes {first}-{last}/{len(found)}"
        self._answer(206, found[first : last + 1], headers)

    def do_DELETE(self) -> None:
        self.objects.pop(self._key(), None)
        self._answer(204, b"")

    def do_POST(self) -> None:
        keys = re.findall(r"<Key>([^<]+)</Key>", self._body().decode())
        bucket = urlsplit(self.path).path.strip("/")
        for key in keys:
            self.objects.pop(f"{bucket}/{key}", None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).strip("/")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _counted_body(self) -> bytes | None:
        """None: the sender went away."""
        length, body = int(self.headers.get("Content-Length", 0)), bytearray()
        while len(body) < length:
            # Half of it has come: a test may stop the sender here.
            while len(body) >= length // 2 and self.traffic.is_holding():
                self.traffic.held.set()
                time.sleep(0.01)
            block = self.rfile.read1(min(16 * 1024, length - len(body)))
            if not block:
                return None
            body += block
            self.traffic.received[self._key()] = self.traffic.received.get(self._key(), 0) + len(block)
        return bytes(body)

    def _is_allowed(self) -> bool:
        query = parse_qs(urlsplit(self.path).query)
        if "X-Amz-Signature" in query:
            signed = datetime.datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%S%z")
            age_s = (datetime.datetime.now(datetime.UTC) - signed).total_seconds()
            is_allowed = age_s < int(query["X-Amz-Expires"][0])
            if self.traffic.signed_after is not None and signed <= self.traffic.signed_after:
                is_allowed = False
                self.traffic.num_refused += 1
        else:
            is_allowed = self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256")
        if not is_allowed:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        return is_allowed

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@contextmanager
def s3_server(traffic: S3Traffic | None = None, *, port: int = 0) -> Iterator[str]:
    """Serve on this port of this machine (0: a free one); yields the endpoint."""
    traffic = traffic or S3Traffic()
    handler = type("_Bound", (_Handler,), {"objects": traffic.objects, "traffic": traffic})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        traffic.hold_after = None
        server.shutdown()
        server.server_close()
        thread.join(5)
