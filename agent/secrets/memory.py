"""Secrets that live as long as the process."""

from __future__ import annotations

from agent.uplink_ports import StoreKind


class MemorySecrets:
    """Port `SecretStore` in memory: nothing is left after a restart."""

    kind: StoreKind = "memory"

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """As the port says."""
        return self._secrets.get(name)

    def set(self, name: str, secret: str) -> None:
        """As the port says."""
        self._secrets[name] = secret

    def delete(self, name: str) -> None:
        """As the port says."""
        self._secrets.pop(name, None)
