"""Servers on loopback that speak what the chats' platforms speak: IRC over TLS, HTTP, and Pusher's websocket.

Each is real: a socket, a certificate, frames. What they say is told by the test.
"""

from __future__ import annotations

import contextlib
import email.utils
import json
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.server import serve

from agent.chat.endpoint import LocalChat
from agent.chat.kick import KickChat
from agent.chat.twitch import JoinRate, TwitchChat
from agent.chat.youtube import YouTubeChat
from agent.chat_ports import ChatSource
from tests.fakes.link_parts import make_certificates


class TwitchPeer:
    """IRC over TLS: one caller at a time. `received` are its lines, `send` writes bytes as they are."""

    def __init__(self, folder: Path) -> None:
        made = make_certificates(folder)
        (folder / "irc.pem").write_bytes(made.tls.certificate + made.tls.key)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "irc.pem")
        self.trusting = ssl.create_default_context(cafile=str(made.ca_path))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.received: list[str] = []
        self.joined = threading.Semaphore(0)
        self._caller: ssl.SSLSocket | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def source(self, rate: JoinRate | None = None, **how: Any) -> TwitchChat:
        return TwitchChat(
            "Somebody",
            rate=rate or JoinRate(),
            address=("127.0.0.1", int(self._listening.getsockname()[1])),
            tls=self.trusting,
            **how,
        )

    def _run(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
                self._caller = self._tls.wrap_socket(plain, server_side=True)
            except OSError:
                if self._listening.fileno() < 0:
                    return
                continue
            rest = b""
            with self._caller as caller, contextlib.suppress(OSError):
                while data := caller.recv(4096):
                    *lines, rest = (rest + data).split(b"\r\n")
                    for line in lines:
                        self.received.append(line.decode())
                        if line.startswith(b"JOIN"):
                            self.joined.release()

    def send(self, *lines: bytes) -> None:
        assert self._caller is not None
        with contextlib.suppress(OSError):
            self._caller.sendall(b"".join(line + b"\r\n" for line in lines))

    def say(self, text: str, author: str) -> None:
        self.send(
            f"@badges=;user-id=7{author} :{author}!{author}@{author}.tmi.twitch.tv PRIVMSG #somebody :{text}".encode()
        )

    def ready(self) -> None:
        assert self.joined.acquire(timeout=10)

    def drop(self) -> None:
        assert self._caller is not None
        with contextlib.suppress(OSError):
            self._caller.shutdown(socket.SHUT_RDWR)
        self._caller.close()

    def close(self) -> None:
        # A blocked `accept` is woken by this, and not by `close`.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        if self._caller is not None:
            self._caller.close()


class HttpPeer:
    """A site of one process: `answers` by path, as (status, JSON or bytes); `asked`: paths with queries."""

    def __init__(self) -> None:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.asked.append(self.path)
                status, value = peer.answer(self.path.partition("?")[0])
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response_only(status)
                self.send_header("Date", email.utils.formatdate(peer.now_s, usegmt=True))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, Any]] = {}
        # The site's clock is an hour wrong for us.
        self.now_s = time.time() + 3600
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, path: str) -> tuple[int, Any]:
        return self.answers.get(path, (404, {}))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class YouTubePeer(HttpPeer):
    """The two resources of the Data API that are asked. Lines wait until they are asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.key_file = folder / "youtube-key"
        self.key_file.write_text("a-key\n", encoding="ascii")
        self.items: list[dict[str, Any]] = []
        self._num_items = 0
        self.answers["/videos"] = (
            200,
            {"items": [{"liveStreamingDetails": {"activeLiveChatId": "chat1", "concurrentViewers": "321"}}]},
        )

    def source(self) -> YouTubeChat:
        return YouTubeChat("abcdefghijk", self.key_file, poll_s=0.05, base_url=self.url)

    def answer(self, path: str) -> tuple[int, Any]:
        if path != "/liveChat/messages" or path in self.answers:
            return super().answer(path)
        items, self.items = self.items, []
        return 200, {"items": items, "nextPageToken": "next", "pollingIntervalMillis": 10}

    def say(
        self, text: str, author: str, *, ago_s: float = 0.0, kind: str = "textMessage", **details: Any
    ) -> None:
        self._num_items += 1
        at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(self.now_s - ago_s))
        self.items.append(
            {
                "id": f"m{self._num_items}",
                "snippet": {
                    "type": f"{kind}Event",
                    "publishedAt": at,
                    f"{kind}Details": {"messageText": text} | details,
                },
                "authorDetails": {"channelId": f"UC{author}", "displayName": f"@{author}"},
            }
        )

    def ready(self) -> None:
        pass

    def drop(self) -> None:
        self.answers["/liveChat/messages"] = (500, b"<html>")


class KickPeer(HttpPeer):
    """The channel's page, and the websocket. `send` is an event as Pusher frames it, `raw` a frame as it is."""

    def __init__(self, _folder: Path) -> None:
        super().__init__()
        self.answers["/api/v2/channels/somebody"] = (
            200,
            {"chatroom": {"id": 4711}, "livestream": {"viewer_count": 12}},
        )
        self.received: queue.Queue[dict[str, Any]] = queue.Queue()
        self._callers: list[Any] = []
        self._sockets = serve(self._serve, "127.0.0.1", 0)
        threading.Thread(target=self._sockets.serve_forever, daemon=True).start()

    def source(self) -> KickChat:
        port = self._sockets.socket.getsockname()[1]
        return KickChat("somebody", site_url=self.url, socket_url=f"ws://127.0.0.1:{port}/app")

    def _serve(self, connection: Any) -> None:
        self._callers.append(connection)
        with contextlib.suppress(Exception):
            for frame in connection:
                self.received.put(json.loads(frame))

    def raw(self, frame: str | bytes) -> None:
        with contextlib.suppress(Exception):
            self._callers[-1].send(frame)

    def send(self, event: str, data: Any) -> None:
        self.raw(json.dumps({"event": event, "data": json.dumps(data), "channel": "chatrooms.4711.v2"}))

    def say(self, text: str, author: str) -> None:
        sender = {"id": hash(author) % 1000, "username": author, "slug": author, "identity": {"badges": []}}
        self.send("App\\Events\\ChatMessageEvent", {"content": text, "sender": sender})

    def ready(self) -> None:
        assert self.received.get(timeout=10)["data"]["channel"] == "chatrooms.4711.v2"

    def drop(self) -> None:
        self._callers[-1].close()

    def close(self) -> None:
        super().close()
        for caller in self._callers:
            caller.close()
        self._sockets.shutdown()


class LocalPeer:
    """A bridge that feeds the local endpoint."""

    def __init__(self, folder: Path) -> None:
        self.token_file = folder / "chat-token"
        self._made = LocalChat(0, self.token_file)

    def source(self) -> LocalChat:
        return self._made

    def post(self, path: str, value: Any, **headers: str) -> httpx.Response:
        """A request as a bridge makes it; `headers` in place of its own, an underscore for a dash."""
        token = self.token_file.read_text(encoding="ascii").strip()
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        named = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        named |= {name.replace("_", "-"): text for name, text in headers.items()}
        with httpx.Client(trust_env=False) as client:
            return client.post(f"http://127.0.0.1:{self._made.port}{path}", content=content, headers=named)

    def say(self, text: str, author: str) -> None:
        assert self.post("/v1/chat", {"lines": [{"text": text, "author": author}]}).status_code == 202

    def ready(self) -> None:
        pass

    def close(self) -> None:
        self._made.close()


PEERS: dict[str, Any] = {"twitch": TwitchPeer, "youtube": YouTubePeer, "kick": KickPeer, "local": LocalPeer}


@contextlib.contextmanager
def chat_peer(name: str, folder: Path) -> Iterator[Any]:
    """A platform's server that runs."""
    peer = PEERS[name](folder)
    try:
        yield peer
    finally:
        peer.close()


def heard_until(source: ChatSource, num: int, *, deadline_s: float = 10.0) -> list[Any]:
    """Read until so many things came."""
    heard: list[Any] = []
    ends = time.monotonic() + deadline_s
    while len(heard) < num:
        assert time.monotonic() < ends, f"{len(heard)} of {num} came: {heard}"
        heard += source.read(0.1)
    return heard
