"""One check each, changing nothing: pure of the stages, which hand in what they found."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from agent.errors import AgentError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of `doctor`.

    Attributes:
        is_needed: nothing can be recorded without it.
        advice: what to do; empty when all is well.
    """

    name: str
    is_ok: bool
    detail: str
    advice: str = ""
    is_needed: bool = True


def checked(name: str, look: Callable[[], str], *, advice: str = "", is_needed: bool = True) -> Check:
    """Run one look; what it raises is the finding."""
    try:
        return Check(name=name, is_ok=True, detail=look(), is_needed=is_needed)
    except AgentError as exc:
        return Check(name=name, is_ok=False, detail=str(exc), advice=advice, is_needed=is_needed)


def check_disk(folder: Path, *, wanted_bytes: int) -> Check:
    """Is there room for the ring where it lies?"""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    free_bytes = shutil.disk_usage(place).free
    is_ok = free_bytes >= wanted_bytes
    return Check(
        name="disk",
        is_ok=is_ok,
        detail=f"{free_bytes / 1e9:.1f} GB free, the ring may take {wanted_bytes / 1e9:.1f} GB",
        advice="" if is_ok else "free some space, set ring.folder to another disk, or lower ring.max_bytes",
    )
