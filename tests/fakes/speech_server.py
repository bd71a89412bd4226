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
import wave
from collections.abc import Iterator
from typing import Any

from tests.fakes.http_here import Handler, HttpHere, serving_here


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
    http = HttpHere(_Handler, state=server)
    server.url = f"{http.url}/v1"
    with serving_here(http, server.release):
        yield server


class _Handler(Handler):
    state: SpeechServer

    def post(self, body: bytes) -> None:
        state = self.state
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        parts = {_name(part): part.get_payload(decode=True) for part in form.iter_parts()}
        sound = parts.pop("file")
        fields = {name: value.decode() for name, value in parts.items()}
        state.seen.append((self.headers.get("Authorization", ""), fields))
        if self.path != "/v1/audio/transcriptions":
            return self.send_bytes(404, b"{}")
        if state.behaviour == "hang":
            return self.leave_hanging(state.release)
        if state.behaviour == "drop":
            self.close_connection = True
            return None
        if state.behaviour in ("drip", "huge"):
            part = b" " if state.behaviour == "drip" else b" " * 65_536
            return self.drip(state.release, part, {"Connection": "close"}, every_s=0.01)
        content = json.dumps(_transcript(sound)).encode() if state.content is None else state.content
        return self.send_bytes(state.status, content, state.headers)


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
