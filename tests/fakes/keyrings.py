"""Keyring backends of a test: one that works, one that refuses, one that waits for a password nobody types."""

from __future__ import annotations

import threading

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class MemoryKeyring(KeyringBackend):
    """Keeps passwords as the real ones do."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]


class LockedKeyring(MemoryKeyring):
    """Is chosen, and fails at the first call."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("Failed to unlock the collection!")


class WaitingKeyring(MemoryKeyring):
    """Hangs until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.num_calls = 0

    def set_password(self, service: str, username: str, password: str) -> None:
        self.num_calls += 1
        self.released.wait(60)
