"""A Hugging Face hub on the loopback, with faults to order: cut, stall, corrupt, lose.

Serves every repository from one folder: files over 1 KB as LFS objects with a SHA-256, smaller ones with
Git's own hash, and knows `Range`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_LFS_FROM_BYTES = 1_024


@dataclasses.dataclass(kw_only=True)
class ModelHub:
    """What to serve and which faults to make; change the faults while it runs.

    Attributes:
        cut_after_bytes: drop the connection after so many bytes of a file, `num_cuts` times.
        stalls: send the first bytes of a file and then nothing until `release` is set.
        corrupts: name of a file whose bytes differ from its hash.
        status: answer everything with this status.
        requests: (path, Range header) in the order they came.
    """

    folder: Path
    repository: str
    cut_after_bytes: int | None = None
    num_cuts: int = 0
    stalls: bool = False
    ignores_range: bool = False
    corrupts: str | None = None
    status: int | None = None
    listing: object = None
    url: str = ""
    requests: list[tuple[str, str | None]] = dataclasses.field(default_factory=list)
    release: threading.Event = dataclasses.field(default_factory=threading.Event)

    def entries(self) -> list[dict[str, object]]:
        """Return the listing of the repository's main branch."""
        return [_entry(path) for path in sorted(self.folder.iterdir()) if path.is_file()]

    def content(self, name: str) -> bytes:
        """Return a file's bytes, spoilt if so ordered."""
        data = (self.folder / name).read_bytes()
        return bytes([data[0] ^ 0xFF]) + data[1:] if name == self.corrupts else data


@contextmanager
def running_hub(folder: Path, repository: str = "Systran/faster-whisper-base") -> Iterator[ModelHub]:
    """Serve a folder as a repository until the block ends."""
    hub = ModelHub(folder=folder, repository=repository)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.release.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


class _Handler(BaseHTTPRequestHandler):
    hub: ModelHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append((path, self.headers.get("Range")))
        if self.hub.status is not None:
            return self._send_json(self.hub.status, {"error": "as ordered"})
        if path == f"/api/models/{self.hub.repository}/tree/main":
            return self._send_json(
                200, self.hub.listing if self.hub.listing is not None else self.hub.entries()
            )
        prefix = f"/{self.hub.repository}/resolve/main/"
        if path.startswith(prefix) and (self.hub.folder / path.removeprefix(prefix)).is_file():
            return self._send_file(self.hub.content(path.removeprefix(prefix)))
        return self._send_json(404, {"error": "Repository not found"})

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test reads `requests`."""

    def _send_json(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, data: bytes) -> None:
        wanted = None if self.hub.ignores_range else self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        limit = self.hub.cut_after_bytes
        if limit is not None and self.hub.num_cuts > 0 and len(body) > limit:
            self.hub.num_cuts -= 1
            self.wfile.write(body[:limit])
            self.close_connection = True
            return
        if self.hub.stalls:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.hub.release.wait(timeout=30)
            self.close_connection = True
            return
        self.wfile.write(body)


def _entry(path: Path) -> dict[str, object]:
    data = path.read_bytes()
    git_sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    entry: dict[str, object] = {"type": "file", "path": path.name, "size": len(data), "oid": git_sha1}
    if len(data) >= _LFS_FROM_BYTES:
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return entry
