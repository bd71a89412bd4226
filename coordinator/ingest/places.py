"""Where a chunk's bytes are, as the row's `place` says it. Pure.

`spool:{node}/{file of the segment}/{offset}/{length}`, `object:{key}/{offset}/{length}`, or `lost:{what it was}` for
a chunk whose spool is gone: it counts as not held, so the agent sends it again.
"""

from __future__ import annotations

import dataclasses
import re

from coordinator.errors import NotFound

_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}\Z")
_SPOOL = re.compile(r"spool:([A-Za-z0-9-]{1,64})/(\d{1,18})/(\d{1,18})/(\d{1,18})\Z")
_OBJECT = re.compile(r"object:(.+)/(\d{1,18})/(\d{1,18})\Z", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpoolPlace:
    """Bytes in a segment of a node's spool; `offset` is of the payload, not of its record."""

    node: str
    segment: int
    offset: int
    length: int

    def __str__(self) -> str:
        return f"spool:{self.node}/{segment_name(self.segment)}/{self.offset}/{self.length}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPlace:
    """Bytes in an object of the store."""

    key: str
    offset: int
    length: int

    def __str__(self) -> str:
        return f"object:{self.key}/{self.offset}/{self.length}"


def is_node_name(text: str) -> bool:
    """Can this be the name of a node (it is part of paths and places)?"""
    return _NODE.match(text) is not None


def segment_name(segment: int) -> str:
    """The name of a segment's file, and how a place names it."""
    return f"{segment:08d}"


def parse_place(place: str) -> SpoolPlace | ObjectPlace:
    """Return what a row's `place` says.

    Raises:
        NotFound: The bytes are lost, or the text is none of ours.
    """
    if match := _SPOOL.match(place):
        node, segment, offset, length = match.groups()
        return SpoolPlace(node=node, segment=int(segment), offset=int(offset), length=int(length))
    if match := _OBJECT.match(place):
        key, offset, length = match.groups()
        return ObjectPlace(key=key, offset=int(offset), length=int(length))
    raise NotFound(f"the chunk's bytes are nowhere: its place is {place[:100]!r}")
