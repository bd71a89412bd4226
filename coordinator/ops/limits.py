"""What the machine allows, for `doctor` and before a start."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from coordinator.errors import DiskFull

MIN_FREE_BYTES = 1024**3
MIN_OPEN_FILES = 4096


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of `doctor`. `advice` is empty when all is well."""

    name: str
    is_ok: bool
    found: str
    advice: str = ""


def check_limits(data: Path) -> list[Check]:
    """Free disk where the data is, and how many files a process may open."""
    return [_check_disk(data), _check_open_files()]


def require_free(data: Path, needed_bytes: int = 256 * 1024**2) -> None:
    """Raise DiskFull where less than `needed_bytes` are free."""
    free_bytes = _free_bytes(data)
    if free_bytes < needed_bytes:
        raise DiskFull(
            f"only {free_bytes // 1024**2} MiB are free in {data}, {needed_bytes // 1024**2} are needed; make room "
            f"or set --data"
        )


def raise_open_files() -> int:
    """Raise this process's limit of open files to the hard one, up to 65,536; returns the limit, 0 if unknown."""
    try:
        import resource
    except ImportError:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return soft
        return wanted
    return soft


def _check_disk(data: Path) -> Check:
    free_bytes = _free_bytes(data)
    is_ok = free_bytes >= MIN_FREE_BYTES
    return Check(
        name="disk",
        is_ok=is_ok,
        found=f"{free_bytes / 1024**3:.1f} GiB free in the data directory",
        advice="" if is_ok else "make room, or set --data to a larger disk",
    )


def _check_open_files() -> Check:
    limit = raise_open_files()
    is_ok = limit == 0 or limit >= MIN_OPEN_FILES or limit < 0
    return Check(
        name="open files",
        is_ok=is_ok,
        found=str(limit) if limit else "unknown",
        advice="" if is_ok else f"`ulimit -n {MIN_OPEN_FILES}` or LimitNOFILE= in the service",
    )


def _free_bytes(folder: Path) -> int:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
