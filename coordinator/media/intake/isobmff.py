"""What an MP4 or MOV header declares about its tracks, read without a decoder.

FFmpeg drops parameters of codecs it does not know and does not say which tracks lack a description;
this reads them from the boxes. Nothing is trusted: sizes are checked against the file, depth and counts
are bounded. Source: ISO/IEC 14496-12, boxes `tkhd`, `hdlr`, `stsd`.
"""

from __future__ import annotations

import dataclasses
import os
import struct
from pathlib import Path
from typing import BinaryIO

MAX_MOOV_BYTES = 64 * 1024 * 1024
MAX_TRACKS = 64
_CONTAINERS = (b"mdia", b"minf", b"stbl")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTrack:
    """One `trak` box, in file order; None is what the header does not say.

    Attributes:
        handler: `vide`, `soun`, ...
        codec: the sample entry's four characters, stripped (`avc1`, `ac-4`); None without a description.
        duration_s: presentation length by the track header.
        matrix: the display matrix (a, b, c, d) as 16.16 integers.
    """

    handler: str | None
    codec: str | None
    duration_s: float | None
    matrix: tuple[int, int, int, int] | None
    sample_rate_hz: int | None
    channels: int | None
    width: int | None
    height: int | None


def declared_tracks(path: Path) -> tuple[DeclaredTrack, ...] | None:
    """Return the tracks that the header of `path` declares, or None where it is no readable MP4."""
    try:
        with path.open("rb") as file:
            moov = _find_moov(file)
        return None if moov is None else _read_moov(moov)
    except (OSError, struct.error, ValueError):
        return None


def _find_moov(file: BinaryIO) -> bytes | None:
    end = os.fstat(file.fileno()).st_size
    offset = 0
    while offset + 8 <= end:
        file.seek(offset)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            size = struct.unpack(">Q", file.read(8))[0]
            header = 16
        elif size == 0:
            size = end - offset
        if size < header:
            return None
        if kind == b"moov":
            return file.read(size - header) if size <= MAX_MOOV_BYTES else None
        offset += size
    return None


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    offset = 0
    while offset + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        if size < 8:
            break
        found.append((kind, data[offset + 8 : offset + size]))
        offset += size
    return found


def _read_moov(moov: bytes) -> tuple[DeclaredTrack, ...]:
    timescale = 0
    traks: list[bytes] = []
    for kind, body in _boxes(moov):
        if kind == b"mvhd":
            timescale = struct.unpack_from(">I", body, 20 if body[0] == 1 else 12)[0]
        elif kind == b"trak" and len(traks) < MAX_TRACKS:
            traks.append(body)
    return tuple(_read_trak(trak, timescale) for trak in traks)


def _read_trak(trak: bytes, timescale: int) -> DeclaredTrack:
    leaves: dict[bytes, bytes] = {}
    todo = [trak]
    while todo:
        for kind, body in _boxes(todo.pop()):
            if kind in _CONTAINERS:
                todo.append(body)
            else:
                leaves.setdefault(kind, body)
    duration_s, matrix = _read_tkhd(leaves.get(b"tkhd", b""), timescale)
    hdlr = leaves.get(b"hdlr", b"")
    handler = hdlr[8:12].decode("latin-1") if len(hdlr) >= 12 else None
    codec, rate_hz, channels, width, height = _read_stsd(leaves.get(b"stsd", b""), handler)
    return DeclaredTrack(
        handler=handler,
        codec=codec,
        duration_s=duration_s,
        matrix=matrix,
        sample_rate_hz=rate_hz,
        channels=channels,
        width=width,
        height=height,
    )


def _read_tkhd(body: bytes, timescale: int) -> tuple[float | None, tuple[int, int, int, int] | None]:
    is_long = body[:1] == b"\x01"
    if len(body) < (96 if is_long else 84):
        return None, None
    duration = struct.unpack_from(">Q", body, 28)[0] if is_long else struct.unpack_from(">I", body, 20)[0]
    a, b, _, c, d = struct.unpack_from(">5i", body, 52 if is_long else 40)
    unknown = 0xFFFFFFFFFFFFFFFF if is_long else 0xFFFFFFFF
    if not timescale or duration in (0, unknown):
        return None, (a, b, c, d)
    return duration / timescale, (a, b, c, d)


def _read_stsd(
    body: bytes, handler: str | None
) -> tuple[str | None, int | None, int | None, int | None, int | None]:
    """Return codec, sample rate, channels, width and height of the first sample entry."""
    entries = _boxes(body[8:])
    if not entries:
        return None, None, None, None, None
    kind, entry = entries[0]
    codec = kind.decode("latin-1").strip() or None
    if handler == "soun" and len(entry) >= 28:
        channels, rate_fixed = struct.unpack_from(">H", entry, 16)[0], struct.unpack_from(">I", entry, 24)[0]
        return codec, (rate_fixed >> 16) or None, channels or None, None, None
    if handler == "vide" and len(entry) >= 28:
        width, height = struct.unpack_from(">HH", entry, 24)
        return codec, None, None, width or None, height or None
    return codec, None, None, None, None
