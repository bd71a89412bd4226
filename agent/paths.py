"""Where the agent keeps its things. Pure, but for `make_private` and `write_private`: only the user may open those.

The data directory is `CLIPPY_AGENT_DATA`, else the platform's own place for application data.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from agent.errors import EnvironmentProblem

# sun_path holds 108 bytes on Linux and 104 on macOS; gRPC's own prefix and a margin leave 100.
MAX_SOCKET_PATH_BYTES = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgentPaths:
    """Every place under one data directory."""

    data: Path

    @property
    def config_file(self) -> Path:
        return self.data / "agent.toml"

    @property
    def ring(self) -> Path:
        return self.data / "ring"

    @property
    def library(self) -> Path:
        return self.data / "library.db"

    @property
    def outbox(self) -> Path:
        return self.data / "outbox.db"

    @property
    def meter(self) -> Path:
        return self.data / "meter.db"

    @property
    def encoders(self) -> Path:
        """What probes of encoders found on this machine."""
        return self.data / "encoders.json"

    @property
    def uploads(self) -> Path:
        """Exact files on their way to the coordinator; emptied at start."""
        return self.data / "uploads"

    @property
    def thumbnails(self) -> Path:
        return self.data / "thumbnails"

    @property
    def screen_costs(self) -> Path:
        """What the screen sources' self-test measured on this machine."""
        return self.data / "screens.json"

    @property
    def journal(self) -> Path:
        """What is under way with a clip's file, for the start after a kill."""
        return self.data / "journal"

    @property
    def shared(self) -> Path:
        """Files made for handing on; emptied at start."""
        return self.data / "shared"

    @property
    def forgetting(self) -> Path:
        """What is being forgotten just now; finished at the next start if we are killed meanwhile."""
        return self.data / "forgetting.json"

    @property
    def lock(self) -> Path:
        return self.data / "engine.lock"

    @property
    def log_file(self) -> Path:
        return self.data / "engine.log"

    @property
    def agent_id_file(self) -> Path:
        return self.data / "agent_id"

    @property
    def pairing(self) -> Path:
        """Which coordinator this PC is paired with; no secret is in it."""
        return self.data / "pairing.json"

    @property
    def coordinator_ca(self) -> Path:
        """The authority of that coordinator's certificate."""
        return self.data / "coordinator-ca.pem"

    @property
    def secrets(self) -> Path:
        """Secrets, where the user consented to a file."""
        return self.data / "secrets.json"

    @property
    def chat_token(self) -> Path:
        """What whoever feeds the local chat endpoint must know."""
        return self.data / "chat-token"

    @property
    def control_socket(self) -> Path:
        """The control API's socket: in the data directory, or in a short folder if that path is too long."""
        path = self.data / "run" / "control.sock"
        if len(os.fsencode(path)) < MAX_SOCKET_PATH_BYTES:
            return path
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        # Not XDG_RUNTIME_DIR: a shell by ssh has another one than the desktop, or none, and must find the same engine.
        return Path(tempfile.gettempdir()) / f"clippy-{_user()}-{digest}" / "control.sock"


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def find_paths(data: Path | None = None) -> AgentPaths:
    """The paths of the chosen data directory, or of the default one."""
    if data is None and (named := os.environ.get("CLIPPY_AGENT_DATA")):
        data = Path(named)
    if data is None:
        import platformdirs

        data = Path(platformdirs.user_data_dir("clippy", appauthor=False))
    return AgentPaths(data=data.expanduser().absolute())


def default_clip_folder() -> Path:
    """The user's videos folder, with a folder of ours in it."""
    import platformdirs

    return Path(platformdirs.user_videos_dir()) / "Clippy"


def make_private(folder: Path, *, setting: str = "CLIPPY_AGENT_DATA") -> Path:
    """Make a folder that only this user may open, and return it.

    Args:
        setting: what names another folder; for the message.

    Raises:
        EnvironmentProblem: It cannot be made, or is somebody else's (a planted folder in a shared place).
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sys.platform != "win32":
            found = folder.stat()
            if found.st_uid != os.getuid():
                raise EnvironmentProblem(
                    f"{folder} belongs to user {found.st_uid}; remove it or set {setting}"
                )
            if stat.S_IMODE(found.st_mode) != 0o700:
                folder.chmod(0o700)
    except OSError as exc:
        raise EnvironmentProblem(
            f"cannot make {folder}: {exc.strerror}; set {setting} to a folder of yours"
        ) from exc
    return folder


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user may read: whole or not at all, and durable when this returns.

    Raises:
        OSError: It cannot be written; what was there before is still there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
