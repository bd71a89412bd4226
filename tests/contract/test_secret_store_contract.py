"""What every secret store must keep: file, memory, and the keyring over a backend in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.secrets.file import FileSecrets
from agent.secrets.keyring import KeyringSecrets
from agent.secrets.memory import MemorySecrets
from agent.uplink_ports import SecretStore
from tests.fakes.keyrings import MemoryKeyring

_MAKERS: dict[str, Callable[[Path], SecretStore]] = {
    "file": lambda folder: FileSecrets(folder / "secrets.json"),
    "memory": lambda _folder: MemorySecrets(),
    "keyring": lambda _folder: KeyringSecrets(MemoryKeyring()),
}


@pytest.fixture(params=sorted(_MAKERS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStore:
    made = _MAKERS[request.param](tmp_path)
    assert made.kind == request.param
    return made


def test_what_was_never_kept_is_none(store: SecretStore):
    assert store.get("pairing") is None


def test_a_secret_comes_back_as_it_was(store: SecretStore):
    secret = "a.b-c_" * 100 + "ä"

    store.set("pairing", secret)

    assert store.get("pairing") == secret


def test_the_newest_secret_takes_the_place_of_the_older(store: SecretStore):
    store.set("pairing", "one")
    store.set("pairing", "two")

    assert store.get("pairing") == "two"


def test_names_do_not_meet(store: SecretStore):
    store.set("pairing-1", "one")
    store.set("pairing-2", "two")
    store.delete("pairing-1")

    assert [store.get("pairing-1"), store.get("pairing-2")] == [None, "two"]


def test_deleting_twice_is_deleting_once(store: SecretStore):
    store.set("pairing", "one")
    store.delete("pairing")
    store.delete("pairing")

    assert store.get("pairing") is None
