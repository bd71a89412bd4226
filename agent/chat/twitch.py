"""A channel's chat on Twitch: IRC over TLS, read only, without an account (`justinfan` and a number).

Source: Twitch's documentation of IRC (capabilities `tags` and `commands`, PING, RECONNECT, 20 joins in 10 s).
Not run against Twitch itself: see docs/assessment.md.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from agent.chat.irc import LineCutter, heard_of, parse_line
from agent.errors import ChatUnavailable
from agent.model.chat import Heard

HOST, PORT = "irc.chat.twitch.tv", 6697
_CONNECT_S = 10.0
_READ_BYTES = 65_536
# Twitch asks about every five minutes; a line that died says nothing at all.
_QUIET_S, _DEAD_S = 90.0, 30.0
_REFUSED_S = 300.0
# Half of what is allowed: other programs of the same address join, too.
_MAX_JOINS, _JOINS_S = 10, 10.0
_FATAL_NOTICES = {
    "msg_channel_suspended": "the channel is suspended or does not exist",
    "msg_room_not_found": "there is no such channel",
    "msg_banned": "this address may not read the channel",
}


class JoinRate:
    """At most ten joins in ten seconds, of all channels together. Any thread."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._joins_s: deque[float] = deque()

    def take(self) -> float:
        """0: join now; else so many seconds are to be waited first, and nothing was taken."""
        now_s = self._clock_s()
        with self._lock:
            while self._joins_s and now_s - self._joins_s[0] >= _JOINS_S:
                self._joins_s.popleft()
            if len(self._joins_s) >= _MAX_JOINS:
                return _JOINS_S - (now_s - self._joins_s[0])
            self._joins_s.append(now_s)
        return 0.0


class TwitchChat:
    """Port `ChatSource`."""

    def __init__(
        self,
        channel: str,
        *,
        rate: JoinRate,
        address: tuple[str, int] = (HOST, PORT),
        tls: ssl.SSLContext | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        rate: shared by all channels.
        tls: None: the system's authorities.
        """
        self._channel = channel.lower()
        self.name = f"twitch:{self._channel}"
        self._rate = rate
        self._address = address
        self._tls = tls
        self._clock_s = clock_s
        self._socket: ssl.SSLSocket | None = None
        self._cutter = LineCutter()
        self._heard_s = 0.0
        self._asked_s: float | None = None

    def connect(self) -> None:
        wait_s = self._rate.take()
        if wait_s > 0:
            raise ChatUnavailable(
                "Twitch takes only so many joins; it is joined in some seconds", retry_s=wait_s
            )
        tls = self._tls or ssl.create_default_context()
        try:
            plain = socket.create_connection(self._address, timeout=_CONNECT_S)
            try:
                self._socket = tls.wrap_socket(plain, server_hostname=self._address[0])
            except (OSError, ValueError):
                plain.close()
                raise
        except (OSError, ValueError) as exc:
            raise ChatUnavailable(
                f"Twitch's chat at {self._address[0]}:{self._address[1]} cannot be reached: {exc}; "
                "check the network; it is tried again"
            ) from exc
        self._cutter = LineCutter()
        self._heard_s, self._asked_s = self._clock_s(), None
        # A new number each time: nobody is to be recognised by it.
        nick = f"justinfan{random.randrange(10_000, 99_999_999)}"
        self._say("CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS SCHMOOPIIE", f"NICK {nick}")
        self._say(f"JOIN #{self._channel}")

    def read(self, timeout_s: float) -> Sequence[Heard]:
        self._look_alive()
        heard: list[Heard] = []
        for text in self._cutter.feed(self._receive(timeout_s)):
            line = parse_line(text)
            if line.command == "PING":
                self._say(f"PONG :{line.trailing[:400] or 'tmi.twitch.tv'}")
            elif line.command == "RECONNECT":
                raise ChatUnavailable("Twitch closes this connection for maintenance; it is opened anew")
            elif line.command == "NOTICE":
                self._heed(line.tags.get("msg-id", ""), line.trailing)
            elif self._is_here(line.parameters) and (said := heard_of(line)) is not None:
                heard.append(said)
        return heard

    def close(self) -> None:
        taken, self._socket = self._socket, None
        if taken is not None:
            with contextlib.suppress(OSError):
                taken.close()

    def _receive(self, timeout_s: float) -> bytes:
        connected = self._socket
        if connected is None:
            raise ChatUnavailable("not connected to Twitch")
        try:
            connected.settimeout(max(timeout_s, 0.001))
            data = connected.recv(_READ_BYTES)
        except (TimeoutError, ssl.SSLWantReadError):
            return b""
        except (OSError, ValueError) as exc:
            raise ChatUnavailable(f"the connection to Twitch broke: {exc}; it is opened anew") from exc
        if not data:
            raise ChatUnavailable("Twitch closed the connection; it is opened anew")
        self._heard_s, self._asked_s = self._clock_s(), None
        return data

    def _look_alive(self) -> None:
        now_s = self._clock_s()
        if self._asked_s is not None and now_s - self._asked_s > _DEAD_S:
            raise ChatUnavailable("Twitch does not answer any more; the connection is opened anew")
        if self._asked_s is None and now_s - self._heard_s > _QUIET_S:
            self._asked_s = now_s
            self._say("PING :clippy")

    def _heed(self, notice: str, words: str) -> None:
        reason = _FATAL_NOTICES.get(notice)
        if reason is not None:
            raise ChatUnavailable(
                f"Twitch says of #{self._channel}: {reason}; correct chat.twitch", retry_s=_REFUSED_S
            )
        if "authentication failed" in words.lower() or "improperly formatted auth" in words.lower():
            raise ChatUnavailable(
                "Twitch lets nobody in without an account just now; it is tried again later",
                retry_s=_REFUSED_S,
            )

    def _is_here(self, parameters: tuple[str, ...]) -> bool:
        return bool(parameters) and parameters[0].lower() == f"#{self._channel}"

    def _say(self, *lines: str) -> None:
        connected = self._socket
        if connected is None:
            raise ChatUnavailable("not connected to Twitch")
        try:
            connected.settimeout(_CONNECT_S)
            connected.sendall("".join(f"{line}\r\n" for line in lines).encode())
        except (OSError, ValueError) as exc:
            raise ChatUnavailable(f"the connection to Twitch broke: {exc}; it is opened anew") from exc
