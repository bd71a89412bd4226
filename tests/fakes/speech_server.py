"""A speech service on the loopback: OpenAI's `POST /audio/transcriptions`, and misbehaviour to order.

Its words follow from the sound it is sent, so a window that got another's answer shows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import email.message
import email.parser
import email.policy
import hashlib
import io
import json
import threading
import time
import wave
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Longer than a test may take: whoever waits for it fails.
_HANG_S = 300.0


@dataclasses.dataclass(kw_only=True)
class SpeechServer:
    """What to answer, and what was asked.

    Attributes:
        status: of each answer.
        headers: added to each.
        content: instead of a transcript; None for a sensible one.
        behaviour: "", or hang, drop, drip, huge.
        seen: Authorization and form fields of each request.
    """

    url: str = ""
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    content: bytes | None = None
    behaviour: str = ""
    seen: list[tuple[str, dict[str, str]]] = dataclasses.field(default_factory=list)
    release: threading.Event = dataclasses.field(default_factory=threading.Event)


@contextlib.contextmanager
def running_speech_server() -> Iterator[SpeechServer]:
    """Serve in threads until the block ends."""
    server = SpeechServer()
    http = _HttpServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": server}))
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        http.shutdown()
        http.server_close()
        thread.join(timeout=5)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    state: SpeechServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        parts = {_name(part): part.get_payload(decode=True) for part in form.iter_parts()}
        sound = parts.pop("file")
        fields = {name: value.decode() for name, value in parts.items()}
        self.state.seen.append((self.headers.get("Authorization", ""), fields))
        if self.path != "/v1/audio/transcriptions":
            return self._send(404, b"{}")
        if self.state.behaviour in ("hang", "drop"):
            self.state.release.wait(_HANG_S if self.state.behaviour == "hang" else 0)
            self.close_connection = True
            return None
        if self.state.behaviour in ("drip", "huge"):
            return self._stream()
        content = self.state.content
        return self._send(
            self.state.status, json.dumps(_transcript(sound)).encode() if content is None else content
        )

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test reads `seen`."""

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        part = b" " if self.state.behaviour == "drip" else b" " * 65_536
        ends_at = time.monotonic() + 30
        with contextlib.suppress(OSError):
            while time.monotonic() < ends_at and not self.state.release.wait(0.01):
                self.wfile.write(part)
                self.wfile.flush()
        self.close_connection = True

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.state.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)


def _name(part: email.message.Message) -> str:
    return str(part.get_param("name", header="content-disposition"))


def _transcript(sound: bytes) -> dict[str, Any]:
    with wave.open(io.BytesIO(sound)) as file:
        seconds = file.getnframes() / file.getframerate()
        digest = hashlib.sha256(file.readframes(file.getnframes())).hexdigest()
    words = [
        {"word": digest[at : at + 4], "start": at / 16 * seconds, "end": (at + 4) / 16 * seconds}
        for at in range(0, 16, 4)
    ]
    text = " ".join(str(word["word"]) for word in words)
    segment = {
        "id": 0,
        "start": 0.0,
        "end": seconds,
        "text": text,
        "avg_logprob": -0.2,
        "no_speech_prob": 0.01,
    }
    return {"text": text, "language": "english", "duration": seconds, "words": words, "segments": [segment]}
