"""`ClipWriter`: a span becomes a closed, fsynced MP4, or nothing at all.

Written under a hidden name in the same folder and renamed when it is safe on the disk. Any thread, one
span at a time each.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import structlog

from agent.clip.smart_cut import cut_span
from agent.clip.stream_copy import copy_span
from agent.clip.write_back import WriteBack
from agent.errors import DiskFull, EnvironmentProblem
from agent.model.clips import ClipFile
from agent.ports import PacketSpan

log = structlog.get_logger()

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MARGIN_BYTES = 4 * 1024 * 1024
PART_PREFIX = ".clippy-"
PART_SUFFIX = ".part"


def disk_free_bytes(folder: Path) -> int:
    """How many bytes an ordinary user may still write there."""
    return shutil.disk_usage(folder).free


class Mp4ClipWriter:
    """Writes MP4 files (`ClipWriter`)."""

    def __init__(self, *, free_bytes: Callable[[Path], int] = disk_free_bytes) -> None:
        self._free_bytes = free_bytes

    def write(self, span: PacketSpan, path: Path, *, is_exact: bool) -> ClipFile:
        """Write `path` (MP4), fsync file and folder, return what it holds. Never leaves a partial file.

        A file that is there is replaced, whole by whole: give a fresh name unless that is meant.

        Args:
            is_exact: smart-cut, so that the file holds nothing from before its start (what leaves the PC);
                else stream copy with an edit list (what stays).

        Raises:
            NothingToClip: The span holds no picture.
            DiskFull: No room; says where and how much is needed.
            EncoderUnavailable: `is_exact`, and nothing here can encode its first pictures.
            EnvironmentProblem: The folder cannot be written.
        """
        needed_bytes = expected_bytes(span)
        part = path.parent / f"{PART_PREFIX}{secrets.token_hex(6)}{PART_SUFFIX}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            free = self._free_bytes(path.parent)
            if free < needed_bytes:
                raise DiskFull(_no_room(path.parent, needed_bytes, f"{free} bytes are free"))
            with WriteBack(part):
                if is_exact:
                    cut_span(span, part)
                else:
                    copy_span(span, part)
            size_bytes = _settle(part, path)
        except (av.FFmpegError, OSError) as exc:
            if exc.errno in _NO_ROOM:
                raise DiskFull(_no_room(path.parent, needed_bytes, str(exc))) from exc
            raise EnvironmentProblem(
                f"cannot write the clip to {path.parent}: {exc}; check that the folder can be written"
            ) from exc
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return ClipFile(
            path=str(path),
            start_ns=span.start_ns,
            end_ns=span.end_ns,
            size_bytes=size_bytes,
            is_exact=is_exact,
        )


def expected_bytes(span: PacketSpan) -> int:
    """What the span's file may take, by its tracks' bit rates and two seconds of pre-roll and overshoot."""
    duration_s = (span.end_ns - span.start_ns) / 1e9 + 2.0
    return int(sum(track.bit_rate_bps for track in span.tracks) / 8 * duration_s) + _MARGIN_BYTES


def _no_room(folder: Path, needed_bytes: int, detail: str) -> str:
    return (
        f"no room for the clip in {folder}: it needs about {needed_bytes // 1_000_000} MB ({detail}); "
        "make room or choose another clip folder"
    )


def _settle(part: Path, path: Path) -> int:
    """Make the part durable, then give it its name; return its size."""
    fd = os.open(part, os.O_RDWR)
    try:
        os.fsync(fd)
        size_bytes = os.fstat(fd).st_size
    finally:
        os.close(fd)
    part.replace(path)
    if os.name != "nt":  # Windows has no such thing as syncing a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return size_bytes


def remove_parts(folder: Path) -> int:
    """Delete what a killed engine left half-written in a clip folder; return how many files.

    Only names that this module gives; call it before any writer runs.
    """
    num_removed = 0
    for part in folder.glob(f"{PART_PREFIX}*{PART_SUFFIX}") if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            part.unlink()
            num_removed += 1
    if num_removed:
        log.info("partial_clips_removed", num_files=num_removed)
    return num_removed
