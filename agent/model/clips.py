"""Clips, pins, moments and exports as the library keeps them."""

from __future__ import annotations

import dataclasses
from typing import Literal

Trigger = Literal["key", "command", "app", "request"]
PinKind = Literal["keep", "request", "candidate"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipFile:
    """A closed, fsynced MP4.

    Attributes:
        start_ns, end_ns: what it shows, on the session's line; exact to a frame.
        is_exact: True when the file holds nothing from before `start_ns`, not even hidden.
    """

    path: str
    start_ns: int
    end_ns: int
    size_bytes: int
    is_exact: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SavedClip:
    """A row of the library: a clip that the user has."""

    clip_id: str
    session_id: str
    path: str
    start_ns: int
    end_ns: int
    latency_ms: int
    trigger: Trigger
    size_bytes: int
    created_unix_ms: int
    thumbnail_path: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A hold on part of the ring: its GOP files are out of the ring's reach until it is released.

    `owner_id` is the clip, source request or candidate that wants it.
    """

    pin_id: str
    kind: PinKind
    owner_id: str
    session_id: str
    start_ns: int
    end_ns: int
    created_unix_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceWish:
    """The coordinator's wish for full quality of a span, as the link handed it over."""

    request_id: str
    session_id: str
    start_ns: int
    end_ns: int
    upload_url: str
    headers: tuple[tuple[str, str], ...]
    expires_unix_ms: int
    reason: str
