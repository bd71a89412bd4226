"""One chunk as it lies in a spool segment: a header with a CRC over everything, then the payload. Pure.

Little-endian; a record follows the last one without padding. A record whose magic, lengths or CRC do not hold
ends a segment: it is the torn tail of a crash.

A record that is forgotten keeps its place and its lengths and nothing else, so that what follows it is still found:
one byte of its magic says so (`FORGETTING`), then everything but magic and lengths is overwritten with zeros, then
another byte says that this is done (`FORGOTTEN`). Each mark is one byte, so no kill can tear it, and from the first on
a reader steps over the record by its lengths, which were checked when it was written and are never written again.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from protos.segment import MAX_PAYLOAD_BYTES

MAGIC = b"CLP1"
FORGETTING = b"CLPf"
FORGOTTEN = b"CLP0"
# Where the three differ.
MARK_OFFSET = 3
MAX_CONTENT_TYPE_BYTES = 100
# magic, header bytes, lane, payload bytes, crc32, session, seq, start, end, sha256, content type's bytes
_HEADER = struct.Struct("<4sHHII16sQqq32sB")
_CRC_OFFSET = 12
_MAX_LANE = 2**15 - 1  # PostgreSQL's smallint and bigint
_MAX_SEQ = 2**63 - 1
_TYPE_LENGTH_OFFSET = _HEADER.size - 1


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
    """A header that was read back, and where in its segment header and payload lie.

    `mark` is `MAGIC`, `FORGETTING` or `FORGOTTEN`; of the last two the header says nothing to rely on.
    """

    record: Record
    header_offset: int
    offset: int
    length: int
    mark: bytes = MAGIC

    @property
    def is_kept(self) -> bool:
        """Was it not forgotten?"""
        return self.mark == MAGIC


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
    """Yield whole records from `offset` on, forgotten ones too; stops at the first that is not whole, or at the end."""
    while (placed := _read_header(file, offset)) is not None:
        file.seek(placed.header_offset)
        header = bytearray(file.read(placed.offset - placed.header_offset))
        payload = file.read(placed.length)
        if len(payload) != placed.length:
            return
        (crc,) = struct.unpack_from("<I", header, _CRC_OFFSET)
        struct.pack_into("<I", header, _CRC_OFFSET, 0)
        if placed.is_kept and zlib.crc32(payload, zlib.crc32(header)) != crc:
            return
        yield placed
        offset = placed.offset + placed.length


def headers(file: BinaryIO, *, end: int) -> Iterator[PlacedRecord]:
    """Yield the records before `end`, by their headers alone: nothing of a payload is read, nor checked."""
    offset = 0
    while offset < end and (placed := _read_header(file, offset)) is not None:
        offset = placed.offset + placed.length
        if offset <= end:
            yield placed


def blanks(placed: PlacedRecord) -> list[tuple[int, int]]:
    """Which bytes of a record are overwritten when it is forgotten, as (offset, length): all but mark and lengths."""
    type_length_at = placed.header_offset + _TYPE_LENGTH_OFFSET
    crc_at = placed.header_offset + _CRC_OFFSET
    end = placed.offset + placed.length
    return [(crc_at, type_length_at - crc_at), (type_length_at + 1, end - type_length_at - 1)]


def _read_header(file: BinaryIO, offset: int) -> PlacedRecord | None:
    """The record that begins at `offset`, or None: there is none."""
    file.seek(offset)
    fixed = file.read(_HEADER.size)
    if len(fixed) < _HEADER.size:
        return None
    magic, header_bytes, lane, payload_bytes, _, session, seq, start_ns, end_ns, sha256, num_type = (
        _HEADER.unpack(fixed)
    )
    if magic not in (MAGIC, FORGETTING, FORGOTTEN):
        return None
    if header_bytes != _HEADER.size + num_type or payload_bytes > MAX_PAYLOAD_BYTES:
        return None
    return PlacedRecord(
        record=Record(
            session_id=session.hex(),
            lane=lane,
            seq=seq,
            start_ns=start_ns,
            end_ns=end_ns,
            content_type=file.read(num_type).decode("ascii", "replace"),
            sha256=sha256,
        ),
        header_offset=offset,
        offset=offset + header_bytes,
        length=payload_bytes,
        mark=magic,
    )
