"""A provider of a language model on the loopback: OpenAI's HTTP, a true sliding window, and misbehaviour to order.

As a process: `python -m tests.fakes.llm_server --rpm 100` prints its address and serves until its input ends. In a
test: `with running_llm_server(rpm=100) as server`. Either way it is told over HTTP what to do: `POST /script` with
`{"next": ["500", "hang"], "always": "ok"}`, and `GET /seen` tells what came. Left alone it answers sensibly.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import email.utils
import functools
import gzip
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.http_here import Handler, HttpHere, serving_here

MODEL = "fake-model"
# What an obedient model takes for an order, anywhere in what people said: `!all TITLE`.
_ORDER = "!all "


@dataclasses.dataclass(kw_only=True)
class LlmServer:
    """What to answer, and what was asked.

    Attributes:
        rpm: requests in any `window_s`; 0 is no limit.
        latency_s: before each answer.
        always: the behaviour of every request for which `following` has none: a name in `_TEXTS` or `_STATUSES`, or
            429-seconds, 429-date, hang, drop, drip, huge, bomb.
        models_status: of the list of models.
        retry_after_s: what a 429 asks for.
        answer: makes the answer of a request that is to be answered sensibly, from the data of its question.
        num_over: requests that the window refused.
        seen: behaviour, Authorization and body of each request, in order.
    """

    rpm: int = 0
    window_s: float = 60.0
    latency_s: float = 0.0
    always: str = "ok"
    models_status: int = 200
    retry_after_s: int = 2
    answer: Callable[[dict[str, Any]], dict[str, Any]] = dataclasses.field(default_factory=lambda: sensible)
    url: str = ""
    following: collections.deque[str] = dataclasses.field(default_factory=collections.deque)
    seen: list[tuple[str, str, dict[str, Any]]] = dataclasses.field(default_factory=list)
    num_over: int = 0
    num_taken: int = 0
    release: threading.Event = dataclasses.field(default_factory=threading.Event)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    taken_at_s: collections.deque[float] = dataclasses.field(default_factory=collections.deque)

    def next_behaviour(self) -> str:
        """What to do with this request: `429-...` when the window is full, else as ordered."""
        with self.lock:
            now_s = time.monotonic()
            while self.taken_at_s and self.taken_at_s[0] <= now_s - self.window_s:
                self.taken_at_s.popleft()
            if self.rpm and len(self.taken_at_s) >= self.rpm:
                self.num_over += 1
                return "429-date" if self.num_over % 2 else "429-seconds"
            self.taken_at_s.append(now_s)
            self.num_taken += 1
            return self.following.popleft() if self.following else self.always

    def questions(self) -> list[dict[str, Any]]:
        """The data of each request: `{"windows": [...]}`."""
        return [data_of(body) for _, _, body in self.seen]


@contextlib.contextmanager
def running_llm_server(**settings: Any) -> Iterator[LlmServer]:
    """Serve in threads until the block ends. `settings` are `LlmServer`'s."""
    server = LlmServer(**settings)
    with serving_here(_serving(server, 0), server.release):
        yield server


def _serving(server: LlmServer, port: int) -> HttpHere:
    http = HttpHere(_Handler, port=port, server_state=server)
    server.url = f"{http.url}/v1"
    return http


def data_of(body: dict[str, Any]) -> dict[str, Any]:
    """What stands between the two delimiter lines of a question."""
    content = body["messages"][-1]["content"]
    first, _, rest = content.partition("\n")
    data: dict[str, Any] = json.loads(rest.rpartition(f"\n{first}")[0])
    return data


def sensible(data: dict[str, Any]) -> dict[str, Any]:
    """Loud moments up, quiet ones down, and the first words for a title."""
    windows = []
    for window in data["windows"]:
        candidates = []
        for candidate in window["candidates"]:
            is_control = candidate["kind"] == "control"
            words = candidate["said"].split()[:8] or [candidate["kind"]]
            candidates.append(
                {
                    "index": candidate["index"],
                    "adjustment": 0.0 if is_control else max(-1.0, min(1.0, 2 * candidate["score"] - 1)),
                    "title": "" if is_control else " ".join(words).capitalize(),
                }
            )
        tags = [] if window["candidates"][0]["kind"] == "control" else ["clip"]
        windows.append({"id": window["id"], "candidates": candidates, "hashtags": tags})
    return {"windows": windows}


def obedient(data: dict[str, Any]) -> dict[str, Any]:
    """What a model says that does whatever anybody in the data tells it: everything up or down, one title for all."""
    answer = sensible(data)
    said = json.dumps(data, ensure_ascii=False)
    if _ORDER not in said:
        return answer
    title = said.partition(_ORDER)[2].partition('"')[0]
    for window in answer["windows"]:
        window["hashtags"] = ["pwned"]
        for candidate in window["candidates"]:
            candidate |= {"adjustment": -1_000.0, "title": title}
    return answer


class _Handler(Handler):
    server_state: LlmServer

    def get(self) -> None:
        state = self.server_state
        if self.path == "/v1/models":
            listed = {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
            return self._send(state.models_status, listed)
        if self.path == "/seen":
            counts = {"num_taken": state.num_taken, "num_over": state.num_over}
            return self._send(200, counts | {"behaviours": [behaviour for behaviour, _, _ in state.seen]})
        return self._send(404, {"error": {"message": "not found"}})

    def post(self, body: bytes) -> None:
        state = self.server_state
        asked = json.loads(body)
        if self.path == "/script":
            with state.lock:
                state.following.extend(asked.get("next", []))
                state.always = asked.get("always", state.always)
                state.latency_s = asked.get("latency_s", state.latency_s)
            return self._send(200, {})
        if self.path != "/v1/chat/completions":
            return self._send(404, {"error": {"message": "not found"}})
        behaviour = state.next_behaviour()
        state.seen.append((behaviour, self.headers.get("Authorization", ""), asked))
        if state.latency_s:
            state.release.wait(state.latency_s)
        return self._behave(behaviour, asked)

    def _behave(self, behaviour: str, body: dict[str, Any]) -> None:
        if behaviour in _STATUSES:
            status, headers, content = _STATUSES[behaviour]
            return self._send(status, content, headers)
        if behaviour == "429-seconds":
            return self._send(
                429, _error("rate limit"), {"Retry-After": str(self.server_state.retry_after_s)}
            )
        if behaviour == "429-date":
            return self._send(
                429,
                _error("rate limit"),
                {
                    "Retry-After": email.utils.formatdate(
                        time.time() + self.server_state.retry_after_s, usegmt=True
                    )
                },
            )
        if behaviour == "hang":
            return self.leave_hanging(self.server_state.release)
        if behaviour == "drop":
            self.close_connection = True
            return None
        if behaviour == "drip":
            headers = {"Content-Type": "application/json", "Content-Length": "100000"}
            return self.drip(self.server_state.release, b" ", headers, every_s=0.05)
        if behaviour == "bomb":
            return self.send_bytes(
                200, _bomb(), {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            )
        if behaviour == "huge":
            return self._flood()
        data = data_of(body)
        if behaviour == "too-long-for-many":
            if len(data["windows"]) > 1:
                return self._send(*_STATUSES["too-long"][::2])
            behaviour = "ok"
        text = json.dumps(self.server_state.answer(data)) if behaviour == "ok" else _TEXTS[behaviour](data)
        reason = "length" if behaviour == "truncated" else "stop"
        usage = {"prompt_tokens": len(json.dumps(body)) // 4, "completion_tokens": len(text) // 4}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
        return self._send(
            200, {"object": "chat.completion", "model": MODEL, "choices": [choice], "usage": usage}
        )

    def _flood(self) -> None:
        self._send_head(200, {"Content-Type": "application/json", "Connection": "close"})
        with contextlib.suppress(OSError):
            for _ in range(64):
                self.wfile.write(b" " * 1024**2)
        self.close_connection = True

    def _send(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        self.send_bytes(
            status, json.dumps(content).encode(), {"Content-Type": "application/json"} | (headers or {})
        )


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b" " * 16 * 1024**2)


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "fake"}}


def _hostile(data: dict[str, Any]) -> str:
    answer = sensible(data)
    for window in answer["windows"]:
        window["hashtags"] = ["#ok", "https://evil.example/x", "two words", "<b>", "ok"]
        for candidate in window["candidates"]:
            candidate["adjustment"] = 99.0
            candidate["title"] = "<b>Win</b> at https://evil.example/x @everyone \u202e\u0007" + "now " * 60
    return json.dumps(answer)


def _with_wrong_ids(data: dict[str, Any]) -> str:
    answer = sensible(data)
    answer["windows"][0]["id"] = "somebody-elses"
    return json.dumps(answer)


def _with_wrong_index(data: dict[str, Any]) -> str:
    answer = sensible(data)
    answer["windows"][0]["candidates"][0]["index"] = 4_711
    return json.dumps(answer)


def _without_the_last(data: dict[str, Any]) -> str:
    answer = sensible(data)
    return json.dumps({"windows": answer["windows"][:-1]})


_TEXTS = {
    "fenced": lambda data: f"Sure!\n```json\n{json.dumps(sensible(data))}\n```",
    "obeys": lambda data: json.dumps(obedient(data)),
    "hostile": _hostile,
    "wrong-ids": _with_wrong_ids,
    "wrong-index": _with_wrong_index,
    "missing-ids": _without_the_last,
    "broken": lambda data: json.dumps(sensible(data))[:-3],
    "truncated": lambda data: json.dumps(sensible(data))[:40],
    "no-json": lambda _data: "I would rather not say.",
    "nan": lambda data: json.dumps(sensible(data)).replace('"adjustment": ', '"adjustment": NaN, "was": '),
    "deep": lambda _data: "{" + '"windows": [' * 20_000,
    # Well behaved for a single window alone.
    "single-only": lambda data: json.dumps(sensible(data)) if len(data["windows"]) == 1 else "{}",
}
_STATUSES: dict[str, tuple[int, dict[str, str], object]] = {
    "401": (401, {}, _error("bad key")),
    "404": (404, {}, _error("no such model")),
    "498": (498, {}, _error("capacity exceeded")),
    "500": (500, {}, _error("internal")),
    "503": (503, {}, _error("unavailable")),
    "too-long": (400, {}, _error("This model's maximum context length is 8192 tokens")),
    "413": (413, {}, _error("Request too large")),
    "bad-request": (400, {}, _error("unknown parameter")),
    "redirect": (302, {"Location": "http://127.0.0.1:1/elsewhere"}, {}),
    "no-choices": (200, {}, {"choices": []}),
    "not-json": (200, {}, "a string"),
    "negative-usage": (200, {}, {"choices": [], "usage": {"prompt_tokens": -5, "completion_tokens": -5}}),
}


def main() -> None:
    """Serve as a process of its own until its input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rpm", type=int, default=0)
    parser.add_argument("--window-s", type=float, default=60.0)
    parser.add_argument("--latency-s", type=float, default=0.0)
    options = parser.parse_args()
    server = LlmServer(rpm=options.rpm, window_s=options.window_s, latency_s=options.latency_s)
    http = _serving(server, options.port)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
