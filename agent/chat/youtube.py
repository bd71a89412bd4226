"""The chat of a live video on YouTube: Data API v3, asked every some seconds with the streamer's own key.

An answer holds what was written since the last one, each line with its time: compared with the answer's own date that
is how long ago, whatever this PC's clock says. Not run against YouTube itself: see docs/assessment.md.

Source: YouTube's documentation of `liveChatMessages.list`, `videos.list` and their errors.
"""

from __future__ import annotations

import datetime
import email.utils
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from agent.chat.values import object_in, objects_of, text_of
from agent.config import YOUTUBE_VIDEO
from agent.errors import ChatUnavailable
from agent.model.chat import ChatKind, Heard, Watched, Written

BASE_URL = "https://www.googleapis.com/youtube/v3"
_TIMEOUT_S = 10.0
_MAX_ANSWER_BYTES = 8 * 1024**2
_MAX_KNOWN = 4_000
_VIEWERS_S = 60.0
# The day of a key's units ends at midnight in California; asked once an hour, that is soon found.
_QUOTA_S, _REFUSED_S, _ENDED_S = 3600.0, 600.0, 60.0
_REASONS = {
    "quotaExceeded": ("today's units of the API key are used up; raise chat.youtube_poll_s", _QUOTA_S),
    "dailyLimitExceeded": ("today's units of the API key are used up; raise chat.youtube_poll_s", _QUOTA_S),
    "rateLimitExceeded": ("YouTube was asked too often; it is asked again later", _ENDED_S),
    "userRateLimitExceeded": ("YouTube was asked too often; it is asked again later", _ENDED_S),
    "liveChatEnded": ("the stream has ended; set chat.youtube to the next one's video", _ENDED_S),
    "liveChatDisabled": ("the stream's chat is switched off; switch it on at YouTube", _ENDED_S),
    "liveChatNotFound": ("there is no such chat any more; set chat.youtube to the live video", _ENDED_S),
    "keyInvalid": ("the API key is wrong; correct what chat.youtube_key_file holds", _REFUSED_S),
    "badRequest": ("it refuses the request; check the key in chat.youtube_key_file", _REFUSED_S),
    "accessNotConfigured": ("the key's project lacks the YouTube Data API v3; enable it there", _REFUSED_S),
    "forbidden": ("the key may not read this chat; check its restrictions", _REFUSED_S),
}
_SUPPORT = frozenset(
    {
        "superChatEvent",
        "superStickerEvent",
        "newSponsorEvent",
        "memberMilestoneChatEvent",
        "membershipGiftingEvent",
    }
)


class YouTubeChat:
    """Port `ChatSource`. One answer is read in one `read`; between two it waits."""

    def __init__(
        self,
        video: str,
        key_file: Path,
        *,
        poll_s: float,
        base_url: str = BASE_URL,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        found = re.search(YOUTUBE_VIDEO, video)
        self._video = found[1] if found else video
        self.name = "youtube"
        self._key_file = key_file
        self._poll_s = poll_s
        self._base_url = base_url
        self._clock_s = clock_s
        self._sleep = sleep
        self._client: httpx.Client | None = None
        self._key = self._chat_id = self._page = ""
        self._next_s = self._viewers_s = 0.0
        self._known: OrderedDict[str, None] = OrderedDict()
        self._watched: list[Heard] = []
        self._is_first = True

    def connect(self) -> None:
        self._key = self._read_key()
        self._client = httpx.Client(base_url=self._base_url, timeout=_TIMEOUT_S, trust_env=False)
        self._page, self._is_first = "", not self._known
        self._next_s = self._clock_s()
        self._chat_id = self._look_at_video()
        if not self._chat_id:
            raise ChatUnavailable(
                f"the video {self._video} is not live, or has no chat; set chat.youtube to the live video",
                retry_s=_ENDED_S,
            )

    def read(self, timeout_s: float) -> Sequence[Heard]:
        if self._client is None:
            raise ChatUnavailable("not connected to YouTube")
        wait_s = self._next_s - self._clock_s()
        if wait_s > 0:
            self._sleep(min(wait_s, timeout_s))
            if wait_s > timeout_s:
                return []
        if self._clock_s() - self._viewers_s >= _VIEWERS_S:
            self._look_at_video()
        query = {"liveChatId": self._chat_id, "part": "id,snippet,authorDetails", "maxResults": "2000"}
        answer, date = self._ask(
            "/liveChat/messages", query | ({"pageToken": self._page} if self._page else {})
        )
        self._page = text_of(answer, "nextPageToken")
        told_ms = answer.get("pollingIntervalMillis")
        told_s = told_ms / 1000 if isinstance(told_ms, int) else 0.0
        self._next_s = self._clock_s() + min(max(self._poll_s, told_s), 300.0)
        heard = [*self._watched, *self._new_of(answer, date)]
        self._watched = []
        if answer.get("offlineAt"):
            self._next_s = max(self._next_s, self._clock_s() + _ENDED_S)
        return heard

    def close(self) -> None:
        taken, self._client = self._client, None
        if taken is not None:
            taken.close()

    def _read_key(self) -> str:
        try:
            key = self._key_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ChatUnavailable(
                f"cannot read the API key in {self._key_file.name}: {exc}; correct chat.youtube_key_file",
                retry_s=_ENDED_S,
            ) from exc
        if not key:
            raise ChatUnavailable("chat.youtube_key_file is empty; put an API key there", retry_s=_ENDED_S)
        return key

    def _look_at_video(self) -> str:
        """The id of its chat; how many watch is kept for the next read. Costs one unit."""
        self._viewers_s = self._clock_s()
        answer, _ = self._ask("/videos", {"part": "liveStreamingDetails", "id": self._video})
        details = next(iter(objects_of(answer.get("items"))), {}).get("liveStreamingDetails")
        if not isinstance(details, dict):
            return ""
        viewers = text_of(details, "concurrentViewers")
        if viewers.isascii() and viewers.isdigit():
            self._watched = [Watched(num_viewers=int(viewers[:9]))]
        return text_of(details, "activeLiveChatId")

    def _new_of(self, answer: dict[str, Any], date: datetime.datetime) -> list[Heard]:
        """Lines that were not handed over before; what was written before the first question is history."""
        heard: list[Heard] = []
        for item in objects_of(answer.get("items")):
            item_id = text_of(item, "id")
            if item_id in self._known:
                continue
            self._known[item_id] = None
            if len(self._known) > _MAX_KNOWN:
                self._known.popitem(last=False)
            if not self._is_first and (said := written_of(item, date)) is not None:
                heard.append(said)
        self._is_first = False
        return heard

    def _ask(self, path: str, query: dict[str, str]) -> tuple[dict[str, Any], datetime.datetime]:
        assert self._client is not None
        try:
            with self._client.stream("GET", path, params=query | {"key": self._key}) as response:
                content = b""
                for part in response.iter_bytes():
                    content += part
                    if len(content) > _MAX_ANSWER_BYTES:
                        raise ChatUnavailable(
                            "YouTube's answer is too large; it is asked again", retry_s=_ENDED_S
                        )
        except httpx.HTTPError as exc:
            # The address that failed has the key in it.
            raise ChatUnavailable(
                f"YouTube cannot be reached: {type(exc).__name__}; check the network; it is tried again"
            ) from None
        answer = object_in(content)
        if response.status_code != 200:
            raise _refusal(response.status_code, answer)
        if answer is None:
            raise ChatUnavailable("YouTube's answer cannot be read; it is asked again", retry_s=_ENDED_S)
        return answer, _date_of(response)


def _refusal(status: int, answer: dict[str, Any] | None) -> ChatUnavailable:
    error = (answer or {}).get("error")
    errors = objects_of(error.get("errors")) if isinstance(error, dict) else []
    reason = next((text_of(item, "reason") for item in errors), "")
    words, retry_s = _REASONS.get(reason, (f"it refuses with {status}; it is asked again later", _ENDED_S))
    return ChatUnavailable(f"YouTube: {words}", retry_s=retry_s)


def _date_of(response: httpx.Response) -> datetime.datetime:
    try:
        return email.utils.parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return datetime.datetime.now(datetime.UTC)


def written_of(item: dict[str, Any], date: datetime.datetime) -> Written | None:
    """One item of an answer as a line; None: nothing that a viewer wrote or gave."""
    snippet, author = item.get("snippet"), item.get("authorDetails")
    if not isinstance(snippet, dict):
        return None
    author = author if isinstance(author, dict) else {}
    kind = text_of(snippet, "type")
    said: ChatKind = "support" if kind in _SUPPORT else "message"
    if said == "message" and kind != "textMessageEvent":
        return None
    details = snippet.get(f"{kind[:-5]}Details")
    details = details if isinstance(details, dict) else {}
    given = details.get("giftMembershipsCount")
    return Written(
        text=text_of(details, "messageText") or text_of(details, "userComment"),
        author_id=text_of(author, "channelId") or text_of(snippet, "authorChannelId"),
        author_name=text_of(author, "displayName").removeprefix("@"),
        kind=said,
        count=given if isinstance(given, int) else int(said == "support"),
        age_s=_age_s(text_of(snippet, "publishedAt"), date),
    )


def _age_s(published: str, date: datetime.datetime) -> float:
    try:
        at = datetime.datetime.fromisoformat(published)
        return max(0.0, (date - at).total_seconds())
    except (ValueError, TypeError, OverflowError):
        # Without a time zone, or no time at all.
        return 0.0
