"""The packet log: one append-only file per GOP, one folder per epoch. Pure file format, no policy.

A GOP file is an 8-byte head (magic, version, the GOP's number in its epoch) and then records:

    u32 payload length | u8 track | u8 flags (1: key frame) | u16 0 | i64 pts_ns | i64 dts_ns
    | i64 duration_ns | u32 CRC-32 of all before and of the payload | payload          (little-endian)

A record is whole or it is not there: a reader stops at the first one that is cut short or fails its CRC,
a writer cuts back what it could not write in full. No fsync on purpose: the page cache outlives the
process, and a power cut may cost the ring. Pins and clips are fsynced.
"""

from __future__ import annotations

import base64
import dataclasses
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.errors import InputUnusable
from agent.model.media import EncodedPacket, EpochReason, TrackParams

GOP_SUFFIX = ".gop"
EPOCH_FILE = "epoch.json"
RECORD_HEADER_BYTES = 36
FILE_HEADER_BYTES = 8
# A 4K key frame is below 8 MiB; a length beyond this is a torn or foreign file.
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024

_MAGIC = b"GOP"
_VERSION = 1
_FILE_HEADER = struct.Struct("<3sBI")
_RECORD_HEADER = struct.Struct("<IBBHqqq")
_CRC = struct.Struct("<I")
_KEY_FRAME = 1
# Linux takes 1024 buffers in one writev (IOV_MAX).
_MAX_BUFFERS = 512


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochInfo:
    """What a reader must know of an epoch's packets, kept beside them.

    Attributes:
        t0_monotonic_ns: CLOCK_MONOTONIC when the session's line was at 0.
        start_ns, reason: where and why the epoch began. Older files have neither.
    """

    session_id: str
    epoch: int
    t0_monotonic_ns: int
    created_unix_ms: int
    tracks: tuple[TrackParams, ...]
    start_ns: int = 0
    reason: EpochReason = "start"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GopSummary:
    """A GOP file, read without its payloads being kept."""

    path: Path
    index: int
    start_ns: int
    end_ns: int
    size_bytes: int
    num_packets: int


def gop_path(folder: Path, start_ns: int) -> Path:
    """Where the GOP whose key frame is shown at `start_ns` lives; names sort by time."""
    return folder / f"{start_ns:020d}{GOP_SUFFIX}"


def list_gops(folder: Path) -> list[Path]:
    """The GOP files of an epoch's folder, oldest first."""
    found = [path for path in folder.glob(f"*{GOP_SUFFIX}") if path.stem.lstrip("-").isdigit()]
    return sorted(found, key=lambda path: int(path.stem))


class GopWriter:
    """Appends records to one GOP file. Used by one thread.

    `num_records` and `size_bytes` count what is wholly in the file, also after a failed `append`.
    """

    def __init__(self, path: Path, index: int) -> None:
        """Create `path`; an older file of that name is emptied.

        Raises:
            OSError: As the system said it.
        """
        self.path = path
        self.num_records = 0
        self.size_bytes = FILE_HEADER_BYTES
        flags = (
            os.O_CREAT | os.O_TRUNC | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        )
        self._fd = os.open(path, flags, 0o600)
        try:
            head = _FILE_HEADER.pack(_MAGIC, _VERSION, index)
            if os.write(self._fd, head) != len(head):
                raise OSError(28, f"no room for the head of {path}")
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise

    def append(self, packets: Sequence[EncodedPacket]) -> None:
        """Write whole records, in order; after an error the file ends with the last whole one.

        Raises:
            OSError: As the system said it; `num_records` tells how many are in the file.
        """
        for first in range(0, len(packets), _MAX_BUFFERS // 2):
            self._append_batch(packets[first : first + _MAX_BUFFERS // 2])

    def _append_batch(self, packets: Sequence[EncodedPacket]) -> None:
        buffers: list[bytes] = []
        for packet in packets:
            buffers += (_pack_header(packet), packet.payload)
        try:
            written = _write_all(self._fd, buffers)
        except OSError as exc:
            self._cut_back(packets, getattr(exc, "num_written_bytes", 0))
            raise
        self.size_bytes += written
        self.num_records += len(packets)

    def _cut_back(self, packets: Sequence[EncodedPacket], num_written_bytes: int) -> None:
        for packet in packets:
            record_bytes = RECORD_HEADER_BYTES + len(packet.payload)
            if num_written_bytes < record_bytes:
                break
            num_written_bytes -= record_bytes
            self.size_bytes += record_bytes
            self.num_records += 1
        os.ftruncate(self._fd, self.size_bytes)
        os.lseek(self._fd, self.size_bytes, os.SEEK_SET)

    def close(self) -> None:
        """Close the file. Twice is once."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _pack_header(packet: EncodedPacket) -> bytes:
    head = _RECORD_HEADER.pack(
        len(packet.payload),
        packet.track,
        _KEY_FRAME if packet.is_key_frame else 0,
        0,
        packet.pts_ns,
        packet.dts_ns,
        packet.duration_ns,
    )
    return head + _CRC.pack(zlib.crc32(packet.payload, zlib.crc32(head)))


def _write_all(fd: int, buffers: list[bytes]) -> int:
    """Write all buffers; an OSError carries `num_written_bytes`, what got into the file before it."""
    total = sum(map(len, buffers))
    written = 0
    try:
        if hasattr(os, "writev"):
            written = os.writev(fd, buffers)
        if written < total:
            rest = memoryview(b"".join(buffers))[written:]
            while rest:
                num_bytes = os.write(fd, rest)
                written += num_bytes
                rest = rest[num_bytes:]
    except OSError as exc:
        exc.num_written_bytes = written  # type: ignore[attr-defined]
        raise
    return written


def read_gop(
    path: Path, *, max_packets: int | None = None, is_checked: bool = True
) -> Iterator[EncodedPacket]:
    """Yield the whole records of a GOP file, at most `max_packets`; a torn tail is silently left out.

    Args:
        is_checked: against their checksums; needless (and 0.3 ms a second of recording) where this process has
            written or already checked them, and says how many there are.

    Raises:
        InputUnusable: Not a GOP file of this version.
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    _read_index(path, data)
    position = FILE_HEADER_BYTES
    num_left = -1 if max_packets is None else max_packets
    while num_left != 0 and position + RECORD_HEADER_BYTES <= len(data):
        length, track, flags, _, pts_ns, dts_ns, duration_ns = _RECORD_HEADER.unpack_from(data, position)
        payload_at = position + RECORD_HEADER_BYTES
        if length > MAX_PAYLOAD_BYTES or payload_at + length > len(data):
            return
        # Slices of bytes: for the many small packets of sound memoryviews cost more than they save.
        payload = data[payload_at : payload_at + length]
        if is_checked:
            crc = zlib.crc32(payload, zlib.crc32(data[position : payload_at - 4]))
            if crc != _CRC.unpack_from(data, payload_at - 4)[0]:
                return
        yield EncodedPacket(
            track=track,
            pts_ns=pts_ns,
            dts_ns=dts_ns,
            duration_ns=duration_ns,
            is_key_frame=bool(flags & _KEY_FRAME),
            payload=payload,
        )
        position = payload_at + length
        num_left -= 1


def _read_index(path: Path, data: bytes) -> int:
    if len(data) < FILE_HEADER_BYTES:
        raise InputUnusable(f"{path} is no GOP file: {len(data)} bytes; delete it")
    magic, version, index = _FILE_HEADER.unpack_from(data)
    if (magic, version) != (_MAGIC, _VERSION):
        raise InputUnusable(f"{path} is no GOP file of version {_VERSION}; delete it")
    return int(index)


def summarize_gop(path: Path, *, video_track: int = 0) -> GopSummary | None:
    """Read a GOP file's span; None when it holds no whole picture or is not a GOP file.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            index = _read_index(path, file.read(FILE_HEADER_BYTES))
        packets = list(read_gop(path))
    except InputUnusable:
        return None
    pictures = [packet for packet in packets if packet.track == video_track]
    if not pictures or not pictures[0].is_key_frame:
        return None
    return GopSummary(
        path=path,
        index=index,
        start_ns=pictures[0].pts_ns,
        end_ns=max(packet.pts_ns + packet.duration_ns for packet in pictures),
        size_bytes=path.stat().st_size,
        num_packets=len(packets),
    )


def write_epoch(folder: Path, info: EpochInfo) -> None:
    """Write `epoch.json` whole or not at all; not fsynced.

    Raises:
        OSError: As the system said it.
    """
    fields: dict[str, Any] = dataclasses.asdict(info)
    for track in fields["tracks"]:
        track["extradata"] = base64.b64encode(track["extradata"]).decode("ascii")
    part = folder / f".{EPOCH_FILE}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode({"version": _VERSION, **fields}), indent=1))
    part.replace(folder / EPOCH_FILE)


def read_epoch(folder: Path) -> EpochInfo:
    """Read `epoch.json`.

    Raises:
        InputUnusable: It is missing, torn or of another version.
    """
    path = folder / EPOCH_FILE
    try:
        fields = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        if fields.pop("version", None) != _VERSION:
            raise InputUnusable(f"{path} is not of version {_VERSION}; delete {folder}")
        # msgspec takes base64 text for bytes.
        return msgspec.convert(fields, EpochInfo)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise InputUnusable(
            f"cannot read {path}: {exc}; its packets cannot be used, delete {folder}"
        ) from exc


def sync_path(path: Path) -> None:
    """Bring a file or a folder to the disk.

    Raises:
        OSError: As the system said it.
    """
    if os.name == "nt" and path.is_dir():
        return  # Windows has no such thing as syncing a folder
    fd = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
