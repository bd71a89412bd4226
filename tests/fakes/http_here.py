"""An HTTP service on the loopback for tests: in threads of its own, silent, its clients free to hang up at any time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Longer than a test may take: whoever waits for it fails.
HANG_S = 300.0


class HttpHere(ThreadingHTTPServer):
    """On a free port, or the one that is asked for."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[Handler], *, port: int = 0, **state: Any) -> None:
        """Args: state: attributes of each handler."""
        super().__init__(("127.0.0.1", port), type("Handler", (handler,), state))
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the play."""


@contextlib.contextmanager
def serving_here(server: HttpHere, release: threading.Event) -> Iterator[None]:
    """Serve until the block ends; then whoever waits for `release` is let go."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        release.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


class Handler(BaseHTTPRequestHandler):
    """What each of these services does with a request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def get(self) -> None:
        """Answer a GET."""
        self.send_bytes(404, b"{}")

    def post(self, body: bytes) -> None:
        """Answer a POST."""
        self.send_bytes(404, b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test reads what was seen."""

    def send_bytes(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Answer, whether anybody still listens or not."""
        self._send_head(status, {"Content-Length": str(len(body)), **(headers or {})})
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def leave_hanging(self, release: threading.Event) -> None:
        """No answer at all, for longer than a test may take; then the end."""
        release.wait(HANG_S)
        self.close_connection = True

    def drip(
        self, release: threading.Event, part: bytes, headers: Mapping[str, str], *, every_s: float
    ) -> None:
        """An answer that never ends: each wait is short, and all of them are not."""
        self._send_head(200, headers)
        with contextlib.suppress(OSError):
            while not release.wait(every_s):
                self.wfile.write(part)
                self.wfile.flush()
        self.close_connection = True

    def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
