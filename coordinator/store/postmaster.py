"""What a PostgreSQL data directory says of the server that runs on it (`postmaster.pid`)."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

FILE_NAME = "postmaster.pid"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """A server that was started on a directory. It may be gone."""

    pid: int
    port: int
    is_ready: bool


def read_postmaster(cluster: Path) -> Postmaster | None:
    """What the file says, or None where there is no complete one."""
    try:
        lines = (cluster / FILE_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
        return Postmaster(
            pid=int(lines[0]), port=int(lines[3]), is_ready=len(lines) > 7 and lines[7].strip() == "ready"
        )
    except (OSError, ValueError, IndexError):
        return None


def read_pid(cluster: Path) -> int | None:
    """The process that the file names, complete or not."""
    try:
        return abs(int((cluster / FILE_NAME).read_text(encoding="utf-8", errors="replace").split("\n")[0]))
    except (OSError, ValueError):
        return None


def is_server_of(pid: int, cluster: Path) -> bool:
    """Is this process a PostgreSQL server on `cluster`? Numbers are given out again, so its command line decides."""
    command = _command_of(pid)
    return "postgres" in command and str(cluster) in command


def _command_of(pid: int) -> str:
    proc = Path(f"/proc/{pid}/cmdline")
    try:
        if proc.parent.parent.joinpath("self").exists():
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        asked = subprocess.run(_query(pid), capture_output=True, text=True, timeout=10, check=False)
        return asked.stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _query(pid: int) -> list[str]:
    if os.name == "nt":
        query = f"(Get-CimInstance Win32_Process -Filter 'ProcessId={pid}').CommandLine"
        return ["powershell", "-NoProfile", "-Command", query]
    return ["ps", "-ww", "-p", str(pid), "-o", "command="]
