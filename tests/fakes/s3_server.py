"""An S3 server in memory, enough for the object store's contract: path-style PUT, GET with ranges, HEAD, DELETE.

It checks no signatures, but wants them; a presigned address is refused once it has expired.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def log_message(self, *_: object) -> None:
        pass

    def do_PUT(self) -> None:
        body = self._body()
        if self._is_allowed():
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

    def _is_allowed(self) -> bool:
        query = parse_qs(urlsplit(self.path).query)
        if "X-Amz-Signature" in query:
            signed = datetime.datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%S%z")
            age_s = (datetime.datetime.now(datetime.UTC) - signed).total_seconds()
            is_allowed = age_s < int(query["X-Amz-Expires"][0])
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
def s3_server() -> Iterator[str]:
    """Serve on a free port of this machine; yields the endpoint."""
    handler = type("_Bound", (_Handler,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
