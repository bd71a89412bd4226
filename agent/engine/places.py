"""Where a recording puts its things: made, or refused with what to set instead."""

from __future__ import annotations

import time
from pathlib import Path

from agent.config import Config
from agent.errors import EnvironmentProblem
from agent.paths import AgentPaths, default_clip_folder, make_private
from agent.ring.recovery import delete_orphan, find_orphans, stale_orphans
from agent.ring.ring import GopRing
from protos.timebase import MILLISECOND_NS, SECOND_NS

_ORPHAN_AGE_MS = 24 * 3600 * 1000


def clip_folder(config: Config) -> Path:
    """The folder of the clips, made.

    Raises:
        EnvironmentProblem: It cannot be made.
    """
    folder = Path(config.clips.folder).expanduser() if config.clips.folder else default_clip_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise EnvironmentProblem(
            f"cannot make the clips' folder {folder}: {exc.strerror}; set clips.folder"
        ) from exc
    return folder


def ring_folder(paths: AgentPaths, config: Config) -> Path:
    """The ring's folder, made; what killed engines left there is kept for a day, as long as there is room.

    A ring in memory needs none: it is only where older sessions may have left something.

    Raises:
        EnvironmentProblem: It cannot be made.
    """
    folder = Path(config.ring.folder).expanduser() if config.ring.folder else paths.ring
    if not config.ring.is_in_memory:
        make_private(folder, setting="ring.folder" if config.ring.folder else "CLIPPY_AGENT_DATA")
    _drop_stale(folder, config.ring.max_bytes)
    return folder


def open_ring(paths: AgentPaths, config: Config, *, session_id: str, t0_monotonic_ns: int) -> GopRing:
    """The ring of a new session, as it is set.

    Raises:
        EnvironmentProblem: Its folder cannot be made.
    """
    return GopRing(
        ring_folder(paths, config),
        session_id=session_id,
        t0_monotonic_ns=t0_monotonic_ns,
        max_duration_ns=config.ring.max_duration_s * SECOND_NS,
        max_bytes=config.ring.max_bytes,
        min_free_bytes=config.ring.min_free_bytes,
        max_pinned_bytes=config.ring.max_pinned_bytes,
        is_in_memory=config.ring.is_in_memory,
    )


def _drop_stale(ring_folder: Path, max_bytes: int) -> None:
    """What a killed engine left is kept for a day, for presses and requests, as long as there is room."""
    orphans = find_orphans(ring_folder)
    now_unix_ms = time.time_ns() // MILLISECOND_NS
    for orphan in stale_orphans(
        orphans, now_unix_ms=now_unix_ms, max_age_ms=_ORPHAN_AGE_MS, max_bytes=max_bytes
    ):
        delete_orphan(orphan, reason="older than a day, or more than the ring may take")
