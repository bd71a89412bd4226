"""Where a source goes, and whether it has come: addresses of one PUT or of its parts, and what the store holds of them.

Sizes only: bytes are read and hashed where they are fetched anyway (`coordinator/pipeline/source.py`). Any task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from coordinator.errors import ChunkRefused, StoreUnavailable
from coordinator.policy.source_uploads import MAX_PARTS, UploadPart, parts_of
from coordinator.ports import ObjectStore
from protos.clippy.v1 import link_pb2

MAX_SOURCE_BYTES = 2 * 1024**3
PART_BYTES = 64 * 1024**2
_SHA256_BYTES = 32
_LOOKS_AT_ONCE = 8
_LOOK_S = 5.0


class SourceUploads:
    """Signs and looks; writes no rows.

    Args:
        max_bytes: the largest source.
        part_bytes: a larger file goes in parts of so many bytes; 0: never.
    """

    def __init__(
        self, store: ObjectStore, *, max_bytes: int = MAX_SOURCE_BYTES, part_bytes: int = PART_BYTES
    ) -> None:
        self._store = store
        self.max_bytes = max_bytes
        self.part_bytes = part_bytes

    def address(self, request: link_pb2.SourceRequest, row: Any, *, lasting_s: int) -> None:
        """Fill in where a file goes in one PUT. Raises CoordinatorError where the store does not sign."""
        request.upload_url = self._store.sign_put(
            row["object_key"], expires_in_s=lasting_s, max_bytes=self.max_bytes
        )
        request.max_bytes = self.max_bytes
        request.part_bytes = self.part_bytes

    async def address_parts(
        self, request: link_pb2.SourceRequest, row: Any, *, lasting_s: int, patience_s: float = _LOOK_S
    ) -> None:
        """After an offer: fill in which of the file's parts are there, and where the others go.

        Raises:
            StoreUnavailable: The store does not say within `patience_s` what it holds; nothing was filled in.
            CoordinatorError: It does not sign.
        """
        if row["offered_sha256"] is None:
            return
        parts = offered_parts(row)
        sizes = await self._sizes(parts, patience_s)
        found: list[link_pb2.SourcePart] = []
        for part, size_bytes in zip(parts, sizes, strict=True):
            told = link_pb2.SourcePart(number=part.number, offset=part.offset, size_bytes=part.size_bytes)
            told.is_held = size_bytes == part.size_bytes
            if not told.is_held:
                told.url = self._store.sign_put(part.key, expires_in_s=lasting_s, max_bytes=part.size_bytes)
            found.append(told)
        request.offered_sha256 = row["offered_sha256"]
        request.part_bytes = row["part_bytes"]
        request.parts.extend(found)

    def check_offer(self, offer: link_pb2.SourceOffer) -> None:
        """Raise ChunkRefused unless a file like this may come."""
        if not 0 < offer.size_bytes <= self.max_bytes:
            raise ChunkRefused(f"a source of {offer.size_bytes} bytes; at most {self.max_bytes} are taken")
        if len(offer.sha256) != _SHA256_BYTES:
            raise ChunkRefused(f"the sha256 of an offer has {len(offer.sha256)} bytes instead of 32")
        if self.part_bytes and offer.size_bytes > self.part_bytes * MAX_PARTS:
            raise ChunkRefused(f"a source of {offer.size_bytes} bytes has more than {MAX_PARTS} parts")

    async def problem(self, row: Any, reply: link_pb2.SourceReply) -> str:
        """Why what the agent says it has uploaded is not there; empty where it is.

        Raises:
            StoreUnavailable: The store does not say; the agent sends its answer again.
        """
        start_ns, end_ns = max(reply.start_ns, row["start_ns"]), min(reply.end_ns, row["end_ns"])
        if start_ns >= end_ns:
            return f"it covers {reply.start_ns}..{reply.end_ns} ns, nothing of what was asked for"
        if len(reply.sha256) != _SHA256_BYTES:
            return f"its sha256 has {len(reply.sha256)} bytes instead of 32"
        size_bytes = await self._store.size(row["object_key"])
        if size_bytes == reply.size_bytes <= self.max_bytes:
            return ""
        if is_offered(row, reply) and (parts := offered_parts(row)):
            for part, part_bytes in zip(parts, await self._sizes(parts, _LOOK_S), strict=True):
                if part_bytes != part.size_bytes:
                    return f"part {part.number} has {part_bytes or 0} of {part.size_bytes} bytes"
            return ""
        if size_bytes is None:
            return "the agent says it was uploaded, but the object is not there"
        if size_bytes > self.max_bytes:
            # A presigned PUT of S3 knows no bound.
            await self._store.delete([row["object_key"]])
            return f"the object has {size_bytes} bytes, at most {self.max_bytes} are taken; it was deleted"
        return f"the object has {size_bytes} bytes, the agent sent {reply.size_bytes}"

    async def delete_parts(self, row: Any) -> None:
        """Delete what has come of an offered file."""
        await self._store.delete([part.key for part in offered_parts(row)])

    async def _sizes(self, parts: Sequence[UploadPart], patience_s: float) -> list[int | None]:
        slots = asyncio.Semaphore(_LOOKS_AT_ONCE)

        async def look(part: UploadPart) -> int | None:
            async with slots:
                return await self._store.size(part.key)

        try:
            async with asyncio.timeout(patience_s):
                return list(await asyncio.gather(*(look(part) for part in parts)))
        except TimeoutError as exc:
            raise StoreUnavailable(
                f"the object store did not say within {patience_s:.1f} s which of {len(parts)} parts it holds"
            ) from exc


def offered_parts(row: Any) -> list[UploadPart]:
    """The parts of the file that a row says was offered; none without an offer, or where one PUT is enough."""
    if row["offered_sha256"] is None:
        return []
    return parts_of(
        row["object_key"],
        size_bytes=row["offered_bytes"],
        part_bytes=row["part_bytes"],
        sha256=row["offered_sha256"],
    )


def is_offered(row: Any, file: link_pb2.SourceReply | link_pb2.SourceOffer) -> bool:
    """Is this the file that was offered?"""
    return bool(row["offered_sha256"] == file.sha256 and row["offered_bytes"] == file.size_bytes)
