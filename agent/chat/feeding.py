"""What callers of the local endpoint may send, and why it is refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from agent.chat.chunker import MAX_AGE_S
from agent.chat.cleaning import MAX_COUNT
from agent.model.chat import ChatKind, Happened, Heard, Watched, Written

MAX_BATCH = 200
# What is longer is cut to what may leave; this only bounds what is looked at.
_Text = Annotated[str, msgspec.Meta(max_length=4_000)]
_Name = Annotated[str, msgspec.Meta(max_length=100)]
_Where = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_:.-]{0,64}$")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
_Viewers = Annotated[int, msgspec.Meta(ge=0, le=100 * MAX_COUNT)]
_Age = Annotated[float, msgspec.Meta(ge=0.0, le=MAX_AGE_S)]
_Weight = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Refusal(Exception):
    """Why a request is not taken; goes to the caller as it is."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: _Text
    author: _Name = ""
    kind: ChatKind = "message"
    count: _Count = 0
    chat: _Where = ""
    is_bot: bool = False
    age_s: _Age = 0.0


class _Viewing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    count: _Viewers
    chat: _Where = ""


class _Chat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lines: Annotated[list[_Line], msgspec.Meta(max_length=MAX_BATCH)] = []
    viewers: Annotated[list[_Viewing], msgspec.Meta(max_length=MAX_BATCH)] = []


class _Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,32}$")]
    weight: _Weight = 0.5
    text: _Text = ""
    source: _Where = ""
    age_s: _Age = 0.0


class _Events(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    events: Annotated[list[_Event], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


_CHAT = msgspec.json.Decoder(_Chat)
_EVENTS = msgspec.json.Decoder(_Events)


def heard_of_body(path: str, body: bytes) -> Sequence[Heard]:
    """What a request says.

    Raises:
        Refusal: There is no such path, or it is not what the path takes; the message names the member.
    """
    try:
        if path == "/v1/chat":
            return _heard_of_chat(_CHAT.decode(body))
        if path == "/v1/events":
            return [
                Happened(kind=one.kind, weight=one.weight, text=one.text, source=one.source, age_s=one.age_s)
                for one in _EVENTS.decode(body).events
            ]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Refusal(400, "unreadable", str(exc)[:300]) from exc
    raise Refusal(404, "not_found", "there are /v1/chat and /v1/events")


def _heard_of_chat(chat: _Chat) -> list[Heard]:
    heard: list[Heard] = [
        Written(
            text=line.text,
            author_id=line.author,
            author_name=line.author,
            kind=line.kind,
            count=line.count,
            is_bot=line.is_bot,
            chat=line.chat,
            age_s=line.age_s,
        )
        for line in chat.lines
    ]
    heard += [Watched(num_viewers=one.count, chat=one.chat) for one in chat.viewers]
    return heard
