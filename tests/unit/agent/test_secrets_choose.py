"""Which secret store is chosen, and what a keyring that is locked or hangs costs."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from agent.errors import SecretsUnavailable
from agent.secrets.choose import choose_store, open_store
from agent.secrets.file import FileSecrets
from agent.secrets.keyring import KeyringSecrets
from tests.fakes.keyrings import LockedKeyring, MemoryKeyring, WaitingKeyring


def test_a_keyring_that_works_is_chosen_and_nothing_of_the_probe_stays(tmp_path: Path):
    backend = MemoryKeyring()

    chosen = choose_store("auto", tmp_path / "s", keyring=KeyringSecrets(backend))

    assert (chosen.store.kind, chosen.note, backend.passwords) == ("keyring", "", {})


def test_a_locked_keyring_is_left_for_memory_with_a_note_and_never_for_a_file(tmp_path: Path):
    chosen = choose_store("auto", tmp_path / "s", keyring=KeyringSecrets(LockedKeyring()))

    assert chosen.store.kind == "memory"
    assert "ends with the engine" in chosen.note and "--store file" in chosen.note
    assert list(tmp_path.iterdir()) == []


def test_a_keyring_that_hangs_is_given_up_and_not_asked_again_meanwhile(tmp_path: Path):
    backend = WaitingKeyring()
    keyring = KeyringSecrets(backend, timeout_s=0.05)

    chosen = choose_store("auto", tmp_path / "s", keyring=keyring)
    with pytest.raises(SecretsUnavailable, match="still does not answer"):
        keyring.get("pairing")

    assert (chosen.store.kind, backend.num_calls) == ("memory", 1)
    backend.released.set()


def test_a_keyring_that_was_named_and_is_locked_says_what_to_do(tmp_path: Path):
    with pytest.raises(SecretsUnavailable, match="--store file"):
        choose_store("keyring", tmp_path / "s", keyring=KeyringSecrets(LockedKeyring()))


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_the_file_is_for_its_user_alone_and_is_refused_when_it_is_not(tmp_path: Path):
    path = tmp_path / "secrets.json"
    store = choose_store("file", path).store
    store.set("pairing", "secret")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(SecretsUnavailable, match="chmod 600"):
        open_store("file", path).get("pairing")


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}', "\x00" * 40], ids=str)
def test_a_damaged_file_is_told_and_not_written_over(tmp_path: Path, text: str):
    path = tmp_path / "secrets.json"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(SecretsUnavailable, match="pair again"):
        FileSecrets(path).set("pairing", "secret")

    assert path.read_text() == text
