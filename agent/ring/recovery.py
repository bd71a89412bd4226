"""Rings that a killed engine left behind: found, read, saved as a clip, or deleted.

Called from any thread, before or beside a ring of another session. Only sessions without one whole picture
are deleted unasked; of the others the caller says which, or lets `stale_orphans` decide by age and room.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import structlog

from agent.errors import InputUnusable, NothingToClip
from agent.ring.held_file import HeldFile
from agent.ring.packet_log import EpochInfo, GopSummary, list_gops, read_epoch, summarize_gop
from agent.ring.span import HeldGop, HeldSpan, newest_run, open_span

log = structlog.get_logger()

SESSIONS = "sessions"
_FOREVER_NS = 1 << 62


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrphanEpoch:
    """One epoch of an orphan: its parameters and its files, oldest first."""

    info: EpochInfo
    start_ns: int
    end_ns: int
    files: tuple[Path, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OrphanSession:
    """What is left of a session whose engine did not end it.

    Attributes:
        epochs: those with at least one whole picture, oldest first.
    """

    session_id: str
    folder: Path
    created_unix_ms: int
    size_bytes: int
    epochs: tuple[OrphanEpoch, ...]

    @property
    def duration_ns(self) -> int:
        """Of all its epochs together."""
        return sum(epoch.end_ns - epoch.start_ns for epoch in self.epochs)


def find_orphans(ring_folder: Path, *, current_session_id: str = "") -> list[OrphanSession]:
    """Every session folder but the current one's, newest first; those without a whole picture are removed."""
    root = ring_folder / SESSIONS
    found: list[OrphanSession] = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name == current_session_id or not folder.is_dir():
            continue
        orphan = _read_session(folder)
        if orphan.epochs:
            found.append(orphan)
        else:
            delete_orphan(orphan, reason="it holds no whole picture")
    return sorted(found, key=lambda orphan: orphan.created_unix_ms, reverse=True)


def find_orphan(ring_folder: Path, session_id: str) -> OrphanSession | None:
    """One session that was left behind, or None."""
    folder = ring_folder / SESSIONS / session_id
    if not session_id or Path(session_id).name != session_id or not folder.is_dir():
        return None
    orphan = _read_session(folder)
    return orphan if orphan.epochs else None


def _read_session(folder: Path) -> OrphanSession:
    epochs: list[OrphanEpoch] = []
    for epoch_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        try:
            epoch = _read_epoch(epoch_folder)
        except (InputUnusable, OSError) as exc:
            log.warning("orphan_epoch_unreadable", epoch=epoch_folder.name, pii_detail=str(exc))
            continue
        if epoch is not None:
            epochs.append(epoch)
    return OrphanSession(
        session_id=folder.name,
        folder=folder,
        created_unix_ms=epochs[0].info.created_unix_ms if epochs else 0,
        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        epochs=tuple(epochs),
    )


def _read_epoch(folder: Path) -> OrphanEpoch | None:
    info = read_epoch(folder)
    files = list_gops(folder)
    # Only the newest file can be torn; it may even hold no whole picture.
    last: GopSummary | None = None
    while files and last is None:
        last = summarize_gop(files[-1], video_track=_video_track(info))
        if last is None:
            files.pop()
    if last is None:
        return None
    return OrphanEpoch(info=info, start_ns=int(files[0].stem), end_ns=last.end_ns, files=tuple(files))


def _video_track(info: EpochInfo) -> int:
    return next((number for number, track in enumerate(info.tracks) if track.kind == "video"), 0)


def orphan_gops(
    orphan: OrphanSession, start_ns: int = -_FOREVER_NS, end_ns: int = _FOREVER_NS
) -> list[HeldGop]:
    """The readable GOPs of an orphan that may overlap [start_ns, end_ns). Reads each of their files once."""
    gops: list[HeldGop] = []
    for epoch in orphan.epochs:
        starts_ns = [int(path.stem) for path in epoch.files]
        ends_ns = [*starts_ns[1:], epoch.end_ns]
        for path, gop_start_ns, gop_end_ns in zip(epoch.files, starts_ns, ends_ns, strict=True):
            if gop_start_ns >= end_ns or gop_end_ns <= start_ns:
                continue
            summary = summarize_gop(path, video_track=_video_track(epoch.info))
            if summary is not None:
                gops.append(_held(epoch.info.epoch, summary))
    return gops


def _held(epoch: int, summary: GopSummary) -> HeldGop:
    return HeldGop(
        epoch=epoch,
        index=summary.index,
        start_ns=summary.start_ns,
        end_ns=summary.end_ns,
        file=HeldFile(summary.path),
        num_in_file=summary.num_packets,
    )


def open_orphan(orphan: OrphanSession, *, start_ns: int | None = None, end_ns: int | None = None) -> HeldSpan:
    """A span of an orphan: by default the whole newest run of its newest epoch.

    Raises:
        NothingToClip: Nothing of the span can be read.
    """
    wanted = (-_FOREVER_NS if start_ns is None else start_ns, _FOREVER_NS if end_ns is None else end_ns)
    run = newest_run(orphan_gops(orphan, *wanted), *wanted)
    if not run:
        raise NothingToClip(f"session {orphan.session_id} holds nothing of that span")
    info = next(epoch.info for epoch in orphan.epochs if epoch.info.epoch == run[0].epoch)
    return open_span(
        run,
        session_id=orphan.session_id,
        tracks=info.tracks,
        start_ns=run[0].start_ns if start_ns is None else start_ns,
        end_ns=run[-1].end_ns if end_ns is None else end_ns,
        start_reason=info.reason if run[0].index == 0 else "buffer",
    )


def delete_orphan(orphan: OrphanSession, *, reason: str) -> None:
    """Delete what is left of a session; its pins stay."""
    shutil.rmtree(orphan.folder, ignore_errors=True)
    log.info("orphan_ring_deleted", session_id=orphan.session_id, size_bytes=orphan.size_bytes, reason=reason)


def stale_orphans(
    orphans: Sequence[OrphanSession], *, now_unix_ms: int, max_age_ms: int, max_bytes: int
) -> list[OrphanSession]:
    """Which orphans must go: those too old, then the oldest until the rest fits `max_bytes`. Pure."""
    newest_first = sorted(orphans, key=lambda orphan: orphan.created_unix_ms, reverse=True)
    stale: list[OrphanSession] = []
    kept_bytes = 0
    for orphan in newest_first:
        is_too_old = now_unix_ms - orphan.created_unix_ms > max_age_ms
        if is_too_old or kept_bytes + orphan.size_bytes > max_bytes:
            stale.append(orphan)
        else:
            kept_bytes += orphan.size_bytes
    return stale
