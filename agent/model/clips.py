"""Clips, pins, moments and exports as the library keeps them."""

from __future__ import annotations

import dataclasses
from typing import Literal

# "recovered": saved from what a killed engine left behind.
Trigger = Literal["key", "command", "app", "voice", "chat", "request", "recovered"]
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
    """A row of the library: a clip that the user has.

    Attributes:
        trashed_unix_ms: when it was put into the trash; 0: it is not in there.
        note: what it lacks of what was asked for, and why; empty when it is whole.
        tracks: its sound tracks, the mix first.
        is_exact: its file holds nothing from before its start, and is to stay so.
        min_start_ns, max_end_ns: how far its ends can be moved now; `with_reach` says it of a row.
    """

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
    title: str = ""
    is_locked: bool = False
    trashed_unix_ms: int = 0
    note: str = ""
    tracks: tuple[str, ...] = ()
    is_exact: bool = False
    min_start_ns: int = 0
    max_end_ns: int = 0

    def with_reach(self, reach: tuple[int, int] | None) -> SavedClip:
        """The same, with how far its ends can be moved; None: not at all any more."""
        min_start_ns, max_end_ns = reach or (self.start_ns, self.end_ns)
        return dataclasses.replace(
            self,
            min_start_ns=min(min_start_ns, self.start_ns),
            max_end_ns=max(max_end_ns, self.end_ns),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A hold on part of the ring: its GOP files are out of the ring's reach until it is released.

    `owner_id` is the clip, source request or candidate that wants it.

    Attributes:
        core_start_ns, core_end_ns: the clip itself, where the pin reaches beyond it to keep its ends movable; what
            is outside goes first when pins need room. None: all of it is wanted alike.
    """

    pin_id: str
    kind: PinKind
    owner_id: str
    session_id: str
    start_ns: int
    end_ns: int
    created_unix_ms: int
    core_start_ns: int | None = None
    core_end_ns: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenPin:
    """What went of one pin. `is_gone`: nothing of it is left."""

    pin: Pin
    num_gops: int
    size_bytes: int
    is_gone: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenSpan:
    """What was taken out of ring and pins, or would be.

    Attributes:
        start_ns, end_ns: widened to whole GOPs; as asked for where nothing went.
        num_gops, size_bytes: of the ring's, or of the session's that was left behind; pins not counted.
        num_still_read: files of ring and pins that somebody reads; they go when the reader is done.
        is_done: False: something could not be deleted yet, and is at the next start at the latest.
    """

    start_ns: int
    end_ns: int
    num_gops: int
    size_bytes: int
    pins: tuple[ForgottenPin, ...]
    num_still_read: int
    is_done: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourcePart:
    """Bytes of an offered file, and where they go; `is_held`: they are there already."""

    number: int
    offset: int
    size_bytes: int
    is_held: bool
    url: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceWish:
    """The coordinator's wish for full quality of a span, as the link handed it over.

    Attributes:
        part_bytes: a larger file goes up in parts, once it was offered; 0: in one PUT, whatever its size.
        max_bytes: the most that is taken; 0: not said.
        offered_sha256: of the file that `parts` belong to; empty: none was offered.
        replaces: ids of wishes that nobody wants any more now that there is this one.
    """

    request_id: str
    session_id: str
    start_ns: int
    end_ns: int
    upload_url: str
    headers: tuple[tuple[str, str], ...]
    expires_unix_ms: int
    reason: str
    part_bytes: int = 0
    max_bytes: int = 0
    offered_sha256: bytes = b""
    parts: tuple[SourcePart, ...] = ()
    replaces: tuple[str, ...] = ()
