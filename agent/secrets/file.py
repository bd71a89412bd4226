"""Secrets in a file that only its user may read: by explicit consent, where there is no keyring.

Written whole or not at all. On Windows the data directory's own rights guard it; elsewhere it is mode 0600.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from pathlib import Path

from agent.errors import SecretsUnavailable
from agent.paths import write_private
from agent.uplink_ports import StoreKind


class FileSecrets:
    """Port `SecretStore` in a JSON file."""

    kind: StoreKind = "file"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """As the port says."""
        with self._lock:
            return self._read().get(name)

    def set(self, name: str, secret: str) -> None:
        """As the port says."""
        with self._lock:
            self._write(self._read() | {name: secret})

    def delete(self, name: str) -> None:
        """As the port says."""
        with self._lock:
            secrets = self._read()
            if secrets.pop(name, None) is not None:
                self._write(secrets)

    def _read(self) -> dict[str, str]:
        try:
            with self._path.open("rb") as file:
                if sys.platform != "win32":
                    found = os.fstat(file.fileno())
                    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
                        raise SecretsUnavailable(
                            f"{self._path} can be read by others; `chmod 600` it, and pair again if somebody has"
                        )
                values = json.load(file)
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise SecretsUnavailable(f"cannot read {self._path}: {exc.strerror or exc}") from exc
        except ValueError as exc:
            raise SecretsUnavailable(f"{self._path} is damaged ({exc}); delete it and pair again") from exc
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise SecretsUnavailable(f"{self._path} holds no secrets of ours; delete it and pair again")
        return values

    def _write(self, secrets: dict[str, str]) -> None:
        try:
            write_private(self._path, json.dumps(secrets).encode())
        except OSError as exc:
            raise SecretsUnavailable(f"cannot write {self._path}: {exc.strerror or exc}; make room") from exc
