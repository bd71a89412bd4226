"""Which secret store this machine has, and what to say where it is not the keyring."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from agent.errors import SecretsUnavailable
from agent.secrets.file import FileSecrets
from agent.secrets.keyring import KeyringSecrets
from agent.secrets.memory import MemorySecrets
from agent.uplink_ports import SecretStore, StoreKind

StoreChoice = Literal["auto", "keyring", "file", "memory"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChosenStore:
    """A store. `why`: why it is not the keyring; empty: it is, or it was named."""

    store: SecretStore
    why: str = ""

    @property
    def note(self) -> str:
        """What its user must know of it; empty: nothing."""
        if self.store.kind != "memory":
            return ""
        return (
            f"the pairing is kept in memory and ends with the engine ({self.why}); pair with --store file to keep it "
            "in a file that only you may read"
        )


def choose_store(choice: StoreChoice, file: Path, *, keyring: KeyringSecrets | None = None) -> ChosenStore:
    """The store to keep a new secret in. Takes up to 5 s where a keyring hangs.

    Args:
        choice: `auto` is the keyring where a canary survives in it, else memory; `file` is consent to a file.
        file: where `file` keeps them.
        keyring: another than the system's.

    Raises:
        SecretsUnavailable: `keyring` was named and cannot be used.
    """
    if choice == "file":
        return ChosenStore(store=FileSecrets(file))
    if choice == "memory":
        return ChosenStore(store=MemorySecrets(), why="it was asked for")
    keyring = keyring or KeyringSecrets()
    try:
        keyring.probe()
    except SecretsUnavailable as exc:
        if choice == "keyring":
            raise SecretsUnavailable(f"{exc}; or keep the pairing in a file: --store file") from exc
        return ChosenStore(store=MemorySecrets(), why=str(exc))
    return ChosenStore(store=keyring)


def open_store(kind: StoreKind, file: Path) -> SecretStore:
    """The store that an earlier pairing chose; a keyring that is locked says so when it is asked."""
    if kind == "file":
        return FileSecrets(file)
    return KeyringSecrets() if kind == "keyring" else MemorySecrets()
