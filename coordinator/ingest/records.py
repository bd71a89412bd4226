"""One chunk as it lies in a spool segment: a header with a CRC over everything, then the payload. Pure.

Little-endian; a record follows the last one without padding. A record whose magic, lengths or CRC do not hold
ends a segment: it is the torn tail of a crash.
"""

from __future__ import annotations

import dataclasses
import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from protos.segment import MAX_PAYLOAD_BYTES

MAGIC = b"CLP1"
MAX_CONTENT_TYPE_BYTES = 100
# magic, header bytes, lane, payload bytes, crc32, session, seq, start, end, sha256, content type's bytes
_HEADER = struct.Struct("<4sHHII16sQqq32sB")
_CRC_OFFSET = 12
_MAX_LANE = 2**15 - 1  # PostgreSQL's smallint and bigint
_MAX_SEQ = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A chunk's header."""

    session_id: str
    lane: int
    seq: int
    start_ns: int
    end_ns: int
    content_type: str
    sha256: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRecord:
    """A header that was read back, and where in its segment the payload lies."""

    record: Record
    offset: int
    length: int


def is_writable(record: Record) -> bool:
    """Can a row hold it? What we wrote can; a whole record that cannot was written by something else."""
    return (
        record.lane <= _MAX_LANE
        and record.seq <= _MAX_SEQ
        and record.content_type.isascii()
        and record.content_type.isprintable()
    )


def pack(record: Record, payload: bytes) -> tuple[bytes, bytes]:
    """Return header and payload, to be written one after the other."""
    content_type = record.content_type.encode("ascii")
    header_bytes = _HEADER.size + len(content_type)
    header = bytearray(
        _HEADER.pack(
            *(MAGIC, header_bytes, record.lane, len(payload), 0, bytes.fromhex(record.session_id)),
            *(record.seq, record.start_ns, record.end_ns, record.sha256, len(content_type)),
        )
    )
    header += content_type
    struct.pack_into("<I", header, _CRC_OFFSET, zlib.crc32(payload, zlib.crc32(header)))
    return bytes(header), payload


def scan(file: BinaryIO, offset: int) -> Iterator[PlacedRecord]:
    """Yield whole records from `offset` on; stops at the first that is not, or at the end of the file.

    Never reads more than a record at once, nor past the end, whatever its lengths say.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(offset)
    while True:
        fixed = file.read(_HEADER.size)
        if len(fixed) < _HEADER.size:
            return
        magic, header_bytes, lane, payload_bytes, crc, session, seq, start_ns, end_ns, sha256, num_type = (
            _HEADER.unpack(fixed)
        )
        if magic != MAGIC or header_bytes != _HEADER.size + num_type or payload_bytes > MAX_PAYLOAD_BYTES:
            return
        if offset + header_bytes + payload_bytes > end:
            return
        content_type = file.read(num_type)
        payload = file.read(payload_bytes)
        header = bytearray(fixed + content_type)
        struct.pack_into("<I", header, _CRC_OFFSET, 0)
        if len(payload) != payload_bytes or zlib.crc32(payload, zlib.crc32(header)) != crc:
            return
        yield PlacedRecord(
            record=Record(
                session_id=session.hex(),
                lane=lane,
                seq=seq,
                start_ns=start_ns,
                end_ns=end_ns,
                content_type=content_type.decode("ascii", "replace"),
                sha256=sha256,
            ),
            offset=offset + header_bytes,
            length=payload_bytes,
        )
        offset += header_bytes + payload_bytes
