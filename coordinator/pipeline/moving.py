"""Gives what others have in a rolled-up object a new one, so that the old one can be deleted.

Killed anywhere, the same again goes on: the new object always has the same key, and rows move all or none.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from coordinator.errors import NotFound, StoreUnavailable
from coordinator.model.forgetting import DoomedObject, HeldChunk
from coordinator.ports import ObjectStore
from coordinator.row_ports import Tombstones

_TRIES = 5


async def move_others(
    tombstones: Tombstones, objects: ObjectStore, doomed: DoomedObject, *, reason: str
) -> None:
    """Move the chunks that rows name in an object; returns when none names it any more.

    Args:
        reason: for what the object is deleted, `forget:{id}`; part of the new object's key.

    Raises:
        DatabaseUnavailable, StoreUnavailable: The same again later goes on.
    """
    new_key = moved_key(doomed, reason)
    for _ in range(_TRIES):
        others = await tombstones.chunks_in(doomed.session_id, doomed.key)
        if not others:
            break
        try:
            parts = [
                await objects.get(doomed.key, offset=chunk.offset, length=chunk.length) for chunk in others
            ]
        except NotFound:
            # Somebody else has moved them since.
            continue
        await objects.put(new_key, b"".join(parts))
        if await tombstones.move_chunks(doomed.session_id, doomed.key, new_key, _laid_out(others)):
            return
    else:
        raise StoreUnavailable(f"the chunks of object {doomed.key} do not hold still; they are moved later")
    if not await tombstones.chunks_in(doomed.session_id, new_key):
        # Put by a job that was killed before it could move the rows; others have gone from it since.
        await objects.delete([new_key])


def moved_key(doomed: DoomedObject, reason: str) -> str:
    """Where they are moved: always the same place. Pure."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"clippy:{reason}:{doomed.key}").hex
    return f"chunks/{doomed.session_id}/{name}.bin"


def _laid_out(chunks: Sequence[HeldChunk]) -> list[tuple[HeldChunk, int]]:
    """Each chunk with its offset in the new object."""
    laid_out: list[tuple[HeldChunk, int]] = []
    offset = 0
    for chunk in chunks:
        laid_out.append((chunk, offset))
        offset += chunk.length
    return laid_out
