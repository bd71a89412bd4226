"""Secrets in the system's keyring: Credential Manager, Keychain, SecretService or KWallet.

A locked SecretService may be chosen and then hang in each call until somebody types a password. So every call runs in
a thread of its own with a deadline, and while one hangs no other is begun.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from agent.errors import SecretsUnavailable
from agent.uplink_ports import StoreKind

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_Value = TypeVar("_Value")

SERVICE = "clippy"
_TIMEOUT_S = 5.0
# Below it are those that refuse everything, keep nothing, or keep it in the clear.
_LEAST_PRIORITY = 1


class KeyringSecrets:
    """Port `SecretStore` over one keyring backend; None: the one that the system recommends."""

    kind: StoreKind = "keyring"

    def __init__(self, backend: KeyringBackend | None = None, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._backend = backend
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def probe(self) -> None:
        """Keep, read and delete a canary; a backend can be chosen and yet fail at the first call.

        Raises:
            SecretsUnavailable: It cannot be used now; says why.
        """
        name, canary = f"canary-{secrets.token_hex(8)}", secrets.token_hex(16)

        def keep_read_delete(backend: KeyringBackend) -> str | None:
            backend.set_password(SERVICE, name, canary)
            try:
                return backend.get_password(SERVICE, name)
            finally:
                backend.delete_password(SERVICE, name)

        if self._call(keep_read_delete) != canary:
            raise SecretsUnavailable("the keyring does not give back what it was given")

    def get(self, name: str) -> str | None:
        """As the port says."""
        return self._call(lambda backend: backend.get_password(SERVICE, name))

    def set(self, name: str, secret: str) -> None:
        """As the port says."""
        self._call(lambda backend: backend.set_password(SERVICE, name, secret))

    def delete(self, name: str) -> None:
        """As the port says."""

        def delete(backend: KeyringBackend) -> None:
            if backend.get_password(SERVICE, name) is not None:
                backend.delete_password(SERVICE, name)

        self._call(delete)

    def _call(self, work: Callable[[KeyringBackend], _Value]) -> _Value:
        done: list[_Value] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                done.append(work(self._backend or _recommended()))
            except BaseException as exc:  # noqa: BLE001 - the thread's outermost frame; the caller raises it
                failed.append(exc)

        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise SecretsUnavailable("the keyring still does not answer; unlock it")
            # Daemon: one that waits for a password that nobody types must not keep the process alive.
            self._thread = threading.Thread(target=run, name="keyring", daemon=True)
            self._thread.start()
            self._thread.join(self._timeout_s)
            if self._thread.is_alive():
                raise SecretsUnavailable(
                    f"the keyring did not answer within {self._timeout_s:g} s; unlock it and try again"
                )
        if failed:
            if isinstance(failed[0], SecretsUnavailable):
                raise failed[0]
            raise SecretsUnavailable(f"the keyring refuses: {_first_line(failed[0])}") from failed[0]
        return done[0]


def _recommended() -> KeyringBackend:
    import keyring

    backend = keyring.get_keyring()
    if float(backend.priority) < _LEAST_PRIORITY:
        raise SecretsUnavailable("this machine has no keyring that could be used")
    return backend


def _first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:200]
