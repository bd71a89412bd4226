"""A large upload in parts, and when one that failed is asked for again. Pure.

Each part is an object of its own until they are joined: an ordinary signed PUT for each, in every store. Its key names
the file by its hash, so that parts of two files never mix.
"""

from __future__ import annotations

import dataclasses

# How often a request goes out again after what came was no good; then it has failed.
MAX_RETRIES = 3
FIRST_RETRY_S = 30.0
# A ring holds at most half an hour; what the agent itself thought worth keeping lies there a little longer. A moment
# that was not made safe by then is not there any more; a press's clip has a file, and waits for its own end.
UNPINNED_EXPIRES_S = 3600.0
# S3 takes 10,000; more than this would not fit into one message of the link.
MAX_PARTS = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UploadPart:
    """Bytes `offset` to `offset + size_bytes` of the file; `number` counts from 0."""

    number: int
    offset: int
    size_bytes: int
    key: str


def parts_of(object_key: str, *, size_bytes: int, part_bytes: int, sha256: bytes) -> list[UploadPart]:
    """The parts of a file, in order; none where it goes in one PUT (`part_bytes` 0, or not more than that)."""
    if part_bytes <= 0 or size_bytes <= part_bytes:
        return []
    return [
        UploadPart(
            number=number,
            offset=offset,
            size_bytes=min(part_bytes, size_bytes - offset),
            key=f"{object_key}.{sha256.hex()[:16]}.part-{number:04}",
        )
        for number, offset in enumerate(range(0, size_bytes, part_bytes))
    ]
