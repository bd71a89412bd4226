"""A channel's chat on Kick: its public websocket (Pusher's protocol), read only, without an account.

Kick documents neither the socket nor the address of the room's number; both are what its own page uses, and may change.
Where the number cannot be asked for, `chat.kick = ["name=NUMBER"]` gives it. Not run against Kick itself: see
docs/assessment.md.

Source: Pusher's documentation of its Channels protocol, version 7.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import httpx

from agent.chat.values import object_in, objects_of, text_of
from agent.errors import ChatUnavailable
from agent.model.chat import Heard, Watched, Written

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

SITE_URL = "https://kick.com"
SOCKET_URL = "wss://ws-us2.pusher.com/app/32cbd69e4b950bf97679?protocol=7&client=js&version=8.4.0&flash=false"
_TIMEOUT_S = 10.0
_MAX_FRAME_BYTES = 256 * 1024
_MAX_ANSWER_BYTES = 4 * 1024**2
# One `read` hands over so many at most, so that a flood cannot hold its thread.
_MAX_FRAMES = 500
_VIEWERS_S = 60.0
_REFUSED_S = 300.0
_QUIET_S, _DEAD_S = 90.0, 30.0
_EMOTE = re.compile(r"\[emote:\d+:([\w-]*)\]")
_EVENTS = "App\\Events\\"


class KickChat:
    """Port `ChatSource`."""

    def __init__(
        self,
        channel: str,
        *,
        site_url: str = SITE_URL,
        socket_url: str = SOCKET_URL,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args: channel: its name, or `name=NUMBER` with that of its chat room."""
        slug, _, self._room = channel.partition("=")
        self._slug = slug.lower()
        self.name = f"kick:{self._slug}"
        self._site_url = site_url
        self._socket_url = socket_url
        self._clock_s = clock_s
        self._connection: ClientConnection | None = None
        self._heard_s = self._viewers_s = 0.0
        self._asked_s: float | None = None

    def connect(self) -> None:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        if not self._room:
            self._look_at_channel(is_needed=True)
        # The first read asks how many watch.
        self._viewers_s = self._clock_s() - _VIEWERS_S
        try:
            self._connection = connect(
                self._socket_url,
                open_timeout=_TIMEOUT_S,
                close_timeout=1.0,
                max_size=_MAX_FRAME_BYTES,
                proxy=None,
            )
        except (OSError, WebSocketException, ValueError) as exc:
            raise ChatUnavailable(
                f"Kick's chat cannot be reached: {exc}; check the network; it is tried again"
            ) from exc
        self._heard_s, self._asked_s = self._clock_s(), None
        self._send("pusher:subscribe", {"auth": "", "channel": f"chatrooms.{self._room}.v2"})

    def read(self, timeout_s: float) -> Sequence[Heard]:
        self._look_alive()
        heard: list[Heard] = []
        if self._clock_s() - self._viewers_s >= _VIEWERS_S:
            heard += self._look_at_channel(is_needed=False)
        for index in range(_MAX_FRAMES):
            frame = self._receive(0.0 if index else timeout_s)
            if frame is None:
                break
            event = object_in(frame.encode(errors="replace"))
            if event is not None and (said := self._heed(event)) is not None:
                heard.append(said)
        return heard

    def close(self) -> None:
        taken, self._connection = self._connection, None
        if taken is not None:
            with contextlib.suppress(Exception):
                taken.close()

    def _heed(self, event: dict[str, Any]) -> Heard | None:
        name = text_of(event, "event")
        if name == "pusher:ping":
            self._send("pusher:pong", {})
        elif name == "pusher:error":
            data = _data_of(event)
            code = data.get("code")
            # Pusher's own classes: 4000 to 4099 will not get better by trying at once.
            is_refused = isinstance(code, int) and 4000 <= code < 4100
            raise ChatUnavailable(
                f"Kick's chat refuses: {text_of(data, 'message')[:200] or 'no reason given'}; it is tried again",
                retry_s=_REFUSED_S if is_refused else 0.0,
            )
        elif name == "pusher:subscription_error":
            raise ChatUnavailable(
                f"Kick has no chat room {self._room}; correct chat.kick", retry_s=_REFUSED_S
            )
        elif name.startswith(_EVENTS):
            return heard_of(name.removeprefix(_EVENTS), _data_of(event))
        return None

    def _receive(self, timeout_s: float) -> str | None:
        from websockets.exceptions import WebSocketException

        if self._connection is None:
            raise ChatUnavailable("not connected to Kick")
        try:
            frame = self._connection.recv(timeout=timeout_s)
        except TimeoutError:
            return None
        except (OSError, WebSocketException) as exc:
            raise ChatUnavailable(f"the connection to Kick broke: {exc}; it is opened anew") from exc
        self._heard_s, self._asked_s = self._clock_s(), None
        return frame if isinstance(frame, str) else ""

    def _look_alive(self) -> None:
        now_s = self._clock_s()
        if self._asked_s is not None and now_s - self._asked_s > _DEAD_S:
            raise ChatUnavailable("Kick does not answer any more; the connection is opened anew")
        if self._asked_s is None and now_s - self._heard_s > _QUIET_S:
            self._asked_s = now_s
            self._send("pusher:ping", {})

    def _send(self, event: str, data: dict[str, str]) -> None:
        from websockets.exceptions import WebSocketException

        if self._connection is None:
            raise ChatUnavailable("not connected to Kick")
        try:
            self._connection.send(json.dumps({"event": event, "data": data}))
        except (OSError, WebSocketException) as exc:
            raise ChatUnavailable(f"the connection to Kick broke: {exc}; it is opened anew") from exc

    def _look_at_channel(self, *, is_needed: bool) -> list[Heard]:
        """How many watch, and the number of the room where it is not known.

        Raises:
            ChatUnavailable: The number is needed, and Kick does not tell it.
        """
        self._viewers_s = self._clock_s()
        answer = self._ask_site()
        room = answer.get("chatroom")
        room_id = text_of(room, "id") if isinstance(room, dict) else ""
        if is_needed:
            if not room_id.isdigit():
                raise ChatUnavailable(
                    f"Kick does not tell the chat room of {self._slug}; set chat.kick to `{self._slug}=NUMBER`",
                    retry_s=_REFUSED_S,
                )
            self._room = room_id
        live = answer.get("livestream")
        viewers = live.get("viewer_count") if isinstance(live, dict) else None
        return [Watched(num_viewers=viewers)] if isinstance(viewers, int) else []

    def _ask_site(self) -> dict[str, Any]:
        """What the site tells of the channel; empty: nothing."""
        content = b""
        url = f"{self._site_url}/api/v2/channels/{self._slug}"
        try:
            with httpx.stream("GET", url, timeout=_TIMEOUT_S, trust_env=False) as response:
                if response.status_code != 200:
                    return {}
                for part in response.iter_bytes():
                    content += part
                    if len(content) > _MAX_ANSWER_BYTES:
                        return {}
        except httpx.HTTPError:
            return {}
        return object_in(content) or {}


def _data_of(event: dict[str, Any]) -> dict[str, Any]:
    """Pusher sends an event's data as JSON in a string, and some as an object."""
    data = event.get("data")
    if isinstance(data, str):
        return object_in(data.encode(errors="replace")) or {}
    return data if isinstance(data, dict) else {}


def heard_of(event: str, data: dict[str, Any]) -> Heard | None:
    """What one of Kick's events says that a viewer would see; None: nothing. Pure, and total."""
    if event == "ChatMessageEvent":
        sender = data.get("sender")
        sender = sender if isinstance(sender, dict) else {}
        identity = sender.get("identity")
        badges = objects_of(identity.get("badges")) if isinstance(identity, dict) else []
        return Written(
            text=_EMOTE.sub(r"\1", text_of(data, "content")[:4_000]),
            author_id=text_of(sender, "id") or text_of(sender, "slug"),
            author_name=text_of(sender, "slug") or text_of(sender, "username"),
            is_bot=any(text_of(badge, "type") == "bot" for badge in badges),
        )
    if event == "SubscriptionEvent":
        return Written(text="", author_name=text_of(data, "username"), kind="support", count=1)
    if event == "GiftedSubscriptionsEvent":
        given = data.get("gifted_usernames")
        num = len(given) if isinstance(given, list) else 1
        return Written(
            text="", author_name=text_of(data, "gifter_username"), kind="support", count=max(num, 1)
        )
    if event == "StreamHostEvent":
        viewers = data.get("number_viewers")
        count = viewers if isinstance(viewers, int) and not isinstance(viewers, bool) else 0
        return Written(text="", author_name=text_of(data, "host_username"), kind="raid", count=count)
    return None
