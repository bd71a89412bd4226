"""Beside the embedded cluster: its passwords (0600), and the short folder of its socket."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from pathlib import Path

from coordinator.errors import DatabaseUnavailable
from coordinator.store.postgres_programs import ServerIdentity, can_enter

# sun_path holds 108 bytes on Linux and 104 on macOS, and PostgreSQL refuses what is longer.
_MAX_SOCKET_PATH_BYTES = 100
_APPENDED_BYTES = len("/clippy-pg-xxxxxxxx/.s.PGSQL.5432")


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read; raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def load_passwords(path: Path, *, has_cluster: bool) -> dict[str, str]:
    """The passwords of `superuser` and `product`, made when there is no cluster that knows others.

    Raises:
        DatabaseUnavailable: They are missing or cannot be read or written.
    """
    try:
        loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        if {"superuser", "product"} <= loaded.keys():
            return loaded
        raise DatabaseUnavailable(f"{path} is not whole; put it back from a backup")
    except FileNotFoundError:
        if has_cluster:
            raise DatabaseUnavailable(
                f"{path} is missing, so nobody can log in to the database beside it; put it back"
            ) from None
    except (OSError, ValueError) as exc:
        raise DatabaseUnavailable(f"cannot read {path}: {exc}; put it back from a backup") from exc
    made = {"superuser": secrets.token_hex(24), "product": secrets.token_hex(24)}
    unfinished = path.with_name(path.name + ".new")
    try:
        write_private(unfinished, json.dumps(made))
        unfinished.replace(path)
    except OSError as exc:
        raise DatabaseUnavailable(f"cannot write {path}: {exc}; make room or set --data") from exc
    return made


def make_runtime_folder(identity: ServerIdentity) -> Path | None:
    """A fresh, short folder for the socket, owned by the server's user; None on Windows, which uses TCP.

    Raises:
        DatabaseUnavailable: No place is short enough, or can be written.
    """
    if sys.platform == "win32":
        return None
    places = [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"]
    if identity.uid is not None:
        places.insert(0, "/run")
    for place in places:
        if not place or not Path(place).is_dir() or not os.access(place, os.W_OK | os.X_OK):
            continue
        if len(os.fsencode(place)) + _APPENDED_BYTES >= _MAX_SOCKET_PATH_BYTES:
            continue
        if can_enter(Path(place), identity) is not None:
            continue
        made = Path(tempfile.mkdtemp(prefix="clippy-pg-", dir=place))
        identity.give(made)
        return made
    raise DatabaseUnavailable(
        "no folder short enough for PostgreSQL's socket can be written (tried XDG_RUNTIME_DIR, TMPDIR, /tmp); "
        "set TMPDIR"
    )
