"""The bytes of chunks: port `ChunkBytes`, over the spools of this disk, those of other machines, and the object store.

`spool:{node}/{segment}/{offset}/{length}` is a range of the file `segment` in the node's folder, here or elsewhere;
`object:{key}/{offset}/{length}` a range of an object; `lost:...` is nowhere until its agent has sent it again. Reading
a file never blocks the loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from pathlib import Path
from typing import Literal, Protocol

from coordinator.errors import BytesAway, NotFound, StoreUnavailable
from coordinator.ports import ObjectStore

MAX_LENGTH_BYTES = 16 * 1024**2
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}\Z")
# Digits only: `lock` and `id` lie beside the segments, and are nobody's business.
_SEGMENT = re.compile(r"[0-9]{1,18}\Z", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where bytes are. `node` is empty for an object; `name` is a segment's file or an object's key."""

    kind: Literal["spool", "object"]
    node: str
    name: str
    offset: int
    length: int


def parse_place(text: str) -> Place:
    """Read a chunk row's `place`.

    Raises:
        NotFound: It is not one, so there is nothing where it points.
    """
    kind, _, rest = text.partition(":")
    name, _, numbers = rest.partition("/") if kind == "spool" else ("", "", rest)
    parts = numbers.rsplit("/", 2)
    if len(parts) != 3 or not parts[1].isdecimal() or not parts[2].isdecimal():
        raise NotFound(f"place {text[:200]!r} is neither spool:node/segment/offset/length nor object:key/...")
    offset, length = int(parts[1]), int(parts[2])
    if not 0 < length <= MAX_LENGTH_BYTES:
        raise NotFound(f"place {text[:200]!r} has {length} bytes, not 1..{MAX_LENGTH_BYTES}")
    if kind == "object":
        return Place(kind="object", node="", name=parts[0], offset=offset, length=length)
    if kind == "spool" and _NODE.match(name) and _SEGMENT.match(parts[0]):
        return Place(kind="spool", node=name, name=parts[0], offset=offset, length=length)
    raise NotFound(f"place {text[:200]!r} names no segment of a spool")


class SpoolFolders:
    """The spools on this disk: a folder for each node of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, node: str) -> bool:
        """Is this node's spool on this disk?"""
        return _NODE.match(node) is not None and (self._folder / node).is_dir()

    async def read(self, node: str, segment: str, *, offset: int, length: int) -> bytes:
        """Return a range of a segment.

        Raises:
            NotFound: It is not there (any more), or no segment can be named so.
            StoreUnavailable: The disk does not answer.
        """
        if not (_NODE.match(node) and _SEGMENT.match(segment) and 0 < length <= MAX_LENGTH_BYTES):
            raise NotFound(f"{node[:64]!r}/{segment[:64]!r} with {length} bytes is no part of a spool")
        return await asyncio.to_thread(self._read, node, segment, offset, length)

    def _read(self, node: str, segment: str, offset: int, length: int) -> bytes:
        try:
            with (self._folder / node / segment).open("rb") as file:
                file.seek(offset)
                data = file.read(length)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NotFound(
                f"segment {segment} is not in the spool of {node} any more; its chunks moved or are lost"
            ) from exc
        except OSError as exc:
            raise StoreUnavailable(f"cannot read segment {segment}: {exc.strerror or exc}") from exc
        if len(data) != length:
            raise NotFound(f"segment {segment} ends before {offset} + {length} bytes")
        return data


class ElsewhereSpools(Protocol):
    """The spools of nodes on other machines."""

    async def read(self, node: str, segment: str, *, offset: int, length: int) -> bytes:
        """As `SpoolFolders.read`.

        Raises:
            NotFound: It is not there (any more).
            BytesAway: The node does not answer, or is gone.
        """
        ...


class PlacedBytes:
    """Port `ChunkBytes`: reads the file where the spool is on this disk, else asks the node that has it."""

    def __init__(
        self, *, spools: SpoolFolders, objects: ObjectStore, elsewhere: ElsewhereSpools | None = None
    ) -> None:
        """Args: elsewhere: None: there are no other machines."""
        self._spools = spools
        self._objects = objects
        self._elsewhere = elsewhere

    async def read(self, place: str) -> bytes:
        """As the port says."""
        if place.startswith("lost:"):
            raise BytesAway("the spool that held this chunk is lost; its agent sends it again")
        where = parse_place(place)
        if where.kind == "object":
            return await self._objects.get(where.name, offset=where.offset, length=where.length)
        if await asyncio.to_thread(self._spools.has, where.node):
            return await self._spools.read(where.node, where.name, offset=where.offset, length=where.length)
        if self._elsewhere is None:
            raise BytesAway(f"{place} is in the spool of node {where.node}, which is not on this disk")
        return await self._elsewhere.read(where.node, where.name, offset=where.offset, length=where.length)
