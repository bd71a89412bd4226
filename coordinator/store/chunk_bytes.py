"""The bytes of chunks: port `ChunkBytes`, over this node's spool and the object store.

`spool:{node}/{segment}/{offset}/{length}` is a range of the file `segment` in the spool's folder;
`object:{key}/{offset}/{length}` a range of an object. Reading a file never blocks the loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from pathlib import Path
from typing import Literal

from coordinator.errors import NotFound, StoreUnavailable
from coordinator.ports import ObjectStore

MAX_LENGTH_BYTES = 16 * 1024**2
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}\Z")
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


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
    if kind == "spool" and _NODE.match(name) and _SEGMENT.match(parts[0]) and ".." not in parts[0]:
        return Place(kind="spool", node=name, name=parts[0], offset=offset, length=length)
    raise NotFound(f"place {text[:200]!r} names no segment of a spool")


class LocalChunkBytes:
    """Port `ChunkBytes` for a process on the node whose spool it reads."""

    def __init__(self, *, node: str, spool: Path, objects: ObjectStore) -> None:
        """Args: spool: the folder of this node's segments."""
        self._node = node
        self._spool = spool
        self._objects = objects

    async def read(self, place: str) -> bytes:
        """As the port says."""
        where = parse_place(place)
        if where.kind == "object":
            return await self._objects.get(where.name, offset=where.offset, length=where.length)
        if where.node != self._node:
            raise StoreUnavailable(
                f"{place} is in the spool of node {where.node}, this is {self._node}; run workers on that node, or "
                f"wait until the session is rolled up"
            )
        return await asyncio.to_thread(self._read_segment, where)

    def _read_segment(self, where: Place) -> bytes:
        path = self._spool / where.name
        try:
            with path.open("rb") as file:
                file.seek(where.offset)
                data = file.read(where.length)
        except FileNotFoundError as exc:
            raise NotFound(
                f"segment {where.name} is not in the spool any more; its chunks moved or are lost"
            ) from exc
        except OSError as exc:
            raise StoreUnavailable(f"cannot read segment {where.name}: {exc.strerror or exc}") from exc
        if len(data) != where.length:
            raise NotFound(f"segment {where.name} ends before {where.offset} + {where.length} bytes")
        return data
