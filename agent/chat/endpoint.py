"""The local endpoint: bots and bridges on this PC hand over chat lines and game events. Port `ChatSource`.

    POST /v1/chat     {"lines": [{"text": "...", "author": "...", ...}], "viewers": [{"count": 120}]}
    POST /v1/events   {"events": [{"kind": "clutch", "weight": 0.8, "text": "ace"}]}

Loopback only. Whoever calls must know the token, which is in a file that only the user may read. A page in a browser is
no caller: an `Origin` is refused, and so is a `Host` that is not this address (a name that was bound anew to loopback).
Connections, sizes, batches and rates are bounded; what is more is refused with its reason.
"""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import structlog

from agent.chat.feeding import Refusal, heard_of_body
from agent.errors import ChatUnavailable
from agent.model.chat import Heard
from agent.paths import write_private

log = structlog.get_logger()

ADDRESS = "127.0.0.1"
MAX_BODY_BYTES = 64 * 1024
MAX_WAITING = 4_000
# Of all callers together; a burst is a batch of a bridge that was away for some seconds.
RATE_PER_S, BURST = 200.0, 2_000.0
_MAX_CONNECTIONS = 8
_IDLE_S = 5.0
# A caller may keep its connection, not for ever: slow ones hold a place of few.
_LIFE_S = 60.0
_TAKEN_S = 60.0
_TOKEN_BYTES = 24
_MAX_DRAINED_BYTES = 4 * MAX_BODY_BYTES


class LocalChat:
    """Port `ChatSource`: connected while it listens."""

    name = "local"

    def __init__(self, port: int, token_file: Path, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Args: port: 0: any that is free (see `port`)."""
        self._wanted_port = port
        self._token_file = token_file
        self._clock_s = clock_s
        self._waiting: queue.Queue[Heard] = queue.Queue(MAX_WAITING)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0: nowhere."""
        return 0 if self._server is None else int(self._server.server_address[1])

    def connect(self) -> None:
        token = load_token(self._token_file)
        try:
            self._server = _Server(self._wanted_port, token, self._waiting, _Rate(self._clock_s))
        except OSError as exc:
            raise ChatUnavailable(
                f"cannot listen on {ADDRESS}:{self._wanted_port}: {exc.strerror}; end the program that has the port, "
                "or set chat.local_port",
                retry_s=_TAKEN_S,
            ) from exc
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.2},
            name="chat-endpoint",
            daemon=True,
        )
        self._thread.start()

    def read(self, timeout_s: float) -> Sequence[Heard]:
        if self._thread is None or not self._thread.is_alive():
            raise ChatUnavailable("the local endpoint does not listen; it is opened anew")
        heard: list[Heard] = []
        with contextlib.suppress(queue.Empty):
            heard.append(self._waiting.get(timeout=timeout_s))
            while len(heard) < MAX_WAITING:
                heard.append(self._waiting.get_nowait())
        return heard

    def close(self) -> None:
        server, self._server = self._server, None
        thread, self._thread = self._thread, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.drop_all()
        if thread is not None:
            thread.join(2.0)


def load_token(path: Path) -> str:
    """The token of this data directory, made at the first need.

    Raises:
        ChatUnavailable: The file cannot be read or written, or others may read it.
    """
    try:
        if path.exists():
            if sys.platform != "win32" and path.stat().st_mode & 0o077:
                raise ChatUnavailable(
                    f"others may read {path.name}; delete it: a new one is made", retry_s=_TAKEN_S
                )
            token = path.read_text(encoding="ascii").strip()
            if len(token) >= _TOKEN_BYTES:
                return token
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        write_private(path, f"{token}\n".encode())
    except (OSError, UnicodeDecodeError) as exc:
        raise ChatUnavailable(
            f"cannot keep the endpoint's token in {path.name}: {exc}; check the rights of the data directory",
            retry_s=_TAKEN_S,
        ) from exc
    return token


class _Rate:
    """A bucket of lines. Any thread."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._left = BURST
        self._at_s = clock_s()

    def take(self, num: int) -> bool:
        with self._lock:
            now_s = self._clock_s()
            self._left = min(BURST, self._left + (now_s - self._at_s) * RATE_PER_S)
            self._at_s = now_s
            if num > self._left:
                return False
            self._left -= num
            return True


class _Server(socketserver.ThreadingTCPServer):
    # On Windows it would let another program take the port over.
    allow_reuse_address = sys.platform != "win32"
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, port: int, token: str, waiting: queue.Queue[Heard], rate: _Rate) -> None:
        self.token = token
        self.waiting = waiting
        self.rate = rate
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        super().__init__((ADDRESS, port), _Handler)
        self.hosts = {f"{name}:{self.server_address[1]}" for name in (ADDRESS, "localhost")}

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            # The one that has been here longest makes room: few wait long for an answer.
            oldest = self._open.pop(0) if len(self._open) >= _MAX_CONNECTIONS else None
            self._open.append(request)
        if oldest is not None:
            _shut(oldest)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._open.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that went away in the middle is none of our problems."""
        log.info("chat_caller_lost")

    def drop_all(self) -> None:
        """End every connection."""
        with self._lock:
            remaining, self._open = self._open, []
        for request in remaining:
            _shut(request)


def _shut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One connection. Owned by a thread of its own."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Clippy", ""
    timeout = _IDLE_S
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._until_s = time.monotonic() + _LIFE_S
        self._is_read = False

    def do_POST(self) -> None:
        try:
            body = self._body()
            heard = heard_of_body(self.path, body)
            self._put(heard)
        except Refusal as exc:
            self._answer(exc.status, {"error": exc.code, "message": str(exc)})
            return
        self._answer(202, {"accepted": len(heard)})

    def _refuse(self) -> None:
        self._answer(405, {"error": "method", "message": "only POST is taken; see docs/protocol.md"})

    do_GET = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _refuse  # noqa: N815

    def _body(self) -> bytes:
        """What was sent, once it is clear who sends it and how much."""
        if self.headers.get_all("Host", []) not in ([host] for host in self.server.hosts):
            raise Refusal(403, "host", f"call it by {ADDRESS} and its port")
        if self.headers.get("Origin") is not None or self.headers.get("Sec-Fetch-Site") is not None:
            raise Refusal(403, "origin", "pages in a browser are not let in")
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(
            token.strip().encode(errors="replace"), self.server.token.encode()
        ):
            raise Refusal(401, "token", "send `Authorization: Bearer` with what the file chat-token holds")
        if self.headers.get_content_type() != "application/json":
            raise Refusal(415, "content_type", "send application/json")
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not (length.isascii() and length.isdigit()):
            raise Refusal(411, "length", "say how long it is with Content-Length")
        if len(length) > 9 or int(length) > MAX_BODY_BYTES:
            raise Refusal(413, "too_large", f"at most {MAX_BODY_BYTES} bytes at once; send several batches")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise Refusal(400, "cut_off", "fewer bytes came than were announced")
        self._is_read = True
        return body

    def _put(self, heard: Sequence[Heard]) -> None:
        if self.server.waiting.qsize() + len(heard) > MAX_WAITING:
            raise Refusal(503, "busy", "too much waits to be taken; send it again in some seconds")
        if not self.server.rate.take(len(heard)):
            raise Refusal(429, "rate", f"at most {RATE_PER_S:.0f} lines a second; send less")
        for item in heard:
            # Two callers at once may be a batch over the bound; what does not fit then is left out.
            with contextlib.suppress(queue.Full):
                self.server.waiting.put_nowait(item)

    def _answer(self, status: int, value: dict[str, object]) -> None:
        content = json.dumps(value).encode()
        # What was not read would be taken for the next request.
        was_read, self._is_read = self._is_read, False
        is_kept = was_read and time.monotonic() < self._until_s
        self.close_connection = self.close_connection or not is_kept
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status in (429, 503):
            self.send_header("Retry-After", "2")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        if not was_read:
            self._drain()

    def _drain(self) -> None:
        """Read what was refused unread: closing before would take the answer away with it."""
        length = self.headers.get("Content-Length", "")
        if length.isascii() and length.isdigit() and len(length) <= 9:
            self.wfile.flush()
            self.rfile.read(min(int(length), _MAX_DRAINED_BYTES))

    def log_message(self, format: str, *values: object) -> None:
        """Nothing: what callers do is counted in the status."""
