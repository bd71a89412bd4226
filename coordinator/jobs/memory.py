"""A soft bound on a worker's own memory: over it, it ends in order, and its supervisor starts a fresh one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 5.0


def own_rss_mib() -> float:
    """Resident memory of this process, its children left out; 0 where nobody tells (not Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def stop_over(max_rss_mib: int, stop: asyncio.Event) -> None:
    """Set `stop` when this process holds more than `max_rss_mib`; 0: never. Runs until then, or cancelled."""
    while max_rss_mib and not stop.is_set():
        # A read of /proc takes microseconds.
        if (rss_mib := own_rss_mib()) > max_rss_mib:
            log.warning("worker_over_memory", rss_mib=round(rss_mib), max_rss_mib=max_rss_mib)
            stop.set()
            return
        await asyncio.sleep(_LOOK_EVERY_S)
