"""`clippy-coordinator users` and `pair` on a real database: what they print, and their exit codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from coordinator.app.identity_commands import address_for_agents
from coordinator.app.installation import Installation
from coordinator.cli import main
from coordinator.config import load_config
from coordinator.errors import InputUnusable
from coordinator.model.accounts import AgentSelf
from coordinator.ops.certificates import fingerprint, load_certificates
from coordinator.settings import Config, Listen, Tls


@pytest.fixture
def data(tmp_path: Path, database_url: str) -> Path:
    """A data directory whose coordinator has started once."""
    (tmp_path / "database.url").write_text(database_url)
    load_certificates(tmp_path)
    return tmp_path


class Shell:
    """Runs our command line in this process."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._data = data
        self._capsys = capsys

    def json(self, *words: str, expect: int = 0) -> Any:
        """The one object that it prints."""
        code = main(["--data", str(self._data), *words, "--json"])
        printed = self._capsys.readouterr().out
        assert (code, printed.count("\n")) == (expect, 1), printed
        return json.loads(printed)

    def text(self, *words: str) -> str:
        """What a person reads."""
        assert main(["--data", str(self._data), *words]) == 0
        return str(self._capsys.readouterr().out)


@pytest.fixture
def shell(data: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(data, capsys)


def test_an_account_is_added_changed_closed_and_opened(shell: Shell):
    added = shell.json("users", "add", "Ada")
    changed = shell.json("users", "set", "ada", "--tier", "pro", "--role", "operator")
    closed = shell.json("users", "close", "ADA")
    listed = shell.json("users", "list")["accounts"]
    opened = shell.json("users", "open", "Ada")

    assert (added["tier"], added["role"], added["is_closed"]) == ("free", "streamer", False)
    assert (changed["tier"], changed["role"]) == ("pro", "operator")
    assert (closed["is_closed"], opened["is_closed"]) == (True, False)
    assert [(one["name"], one["tier"], one["role"]) for one in listed] == [
        ("Ada", "pro", "operator"),
        ("owner", "business", "admin"),
    ]


@pytest.mark.parametrize(
    ("words", "exit_code", "error"),
    [
        (("users", "add", "OWNER"), 2, "input_unusable"),  # taken, whatever its case
        (("users", "add", "no spaces"), 2, "input_unusable"),
        (("users", "add", "x", "--tier", "emperor"), 2, "usage"),
        (("users", "set", "owner"), 2, "input_unusable"),  # nothing to set
        (("users", "set", "nobody", "--tier", "pro"), 1, "not_found"),
        (("users", "close", "nobody"), 1, "not_found"),
        (("users", "devices", "nobody"), 1, "not_found"),
        (("users", "revoke", "nothing"), 1, "not_found"),
        (("users",), 2, "usage"),
        (("pair",), 2, "input_unusable"),
        (("pair", "nobody"), 1, "not_found"),
        (("pair", "owner", "--approve", "ABCD-EFGH"), 1, "not_found"),
        (("pair", "owner", "--list"), 2, "input_unusable"),
        (("pair", "--list", "--approve", "ABCD-EFGH", "owner"), 2, "usage"),
    ],
)
def test_what_cannot_be_done_is_told_by_code(
    shell: Shell, words: tuple[str, ...], exit_code: int, error: str
):
    assert shell.json(*words, expect=exit_code)["error"]["code"] == error


def test_a_code_comes_with_what_to_type_on_the_pc(shell: Shell, data: Path):
    told = shell.json("pair", "owner")
    read = shell.text("pair", "owner")

    colons = fingerprint(load_certificates(data).ca_sha256)
    assert told["command"] == f"clippy pair 127.0.0.1:7843 {told['code']} --fingerprint {colons}"
    assert (told["account"], told["expires_in_s"]) == ("owner", 600)
    assert "only this machine reaches" in told["notes"][0]
    assert colons in read
    assert "10 minutes" in read


async def pair_by_code(data: Path, code: str) -> str:
    installation = Installation(data, load_config(data))
    async with installation.pool() as pool:
        agent = AgentSelf(agent_id="agent-1", name="Desk", version="1")
        issued = await installation.pairings(pool).redeem_user_code(code, agent)
    return issued.principal.device_id


async def ask(data: Path) -> str:
    installation = Installation(data, load_config(data))
    async with installation.pool() as pool:
        agent = AgentSelf(agent_id="agent-2", name="Laptop", version="1")
        return (await installation.pairings(pool).start(agent)).user_code


def test_a_code_that_was_printed_pairs_and_the_device_can_be_revoked(shell: Shell, data: Path):
    device_id = asyncio.run(pair_by_code(data, shell.json("pair", "owner")["code"]))

    devices = shell.json("users", "devices", "owner")["devices"]
    first = shell.json("users", "revoke", device_id, "--reason", "sold")
    again = shell.json("users", "revoke", device_id)

    assert [(one["device_id"], one["name"], one["revoked_at"]) for one in devices] == [
        (device_id, "Desk", None)
    ]
    assert (first["was_revoked_before"], again["was_revoked_before"]) == (False, True)
    assert "sold" in shell.text("users", "devices", "owner")


def test_an_agent_that_waits_is_listed_and_approved(shell: Shell, data: Path):
    code = asyncio.run(ask(data))

    waiting = shell.json("pair", "--list")["waiting"]
    approved = shell.json("pair", "--approve", code.lower(), "owner")

    assert [one["name"] for one in waiting] == ["Laptop"]
    assert (approved["account"], approved["name"]) == ("owner", "Laptop")
    assert shell.text("pair", "--list") == "nobody waits\n"


def test_without_a_running_coordinator_it_says_what_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    told = Shell(tmp_path / "nothing", capsys).json("users", "list", expect=3)

    assert "clippy-coordinator all" in told["error"]["message"]


@pytest.mark.parametrize(
    ("listen", "tls", "address", "note"),
    [
        (Listen(), Tls(), "127.0.0.1:7843", "only this machine reaches"),
        (Listen(grpc="0.0.0.0:7843"), Tls(names=("clips.example",)), "clips.example:7843", ""),
        (Listen(grpc="0.0.0.0:7843"), Tls(), "box:7843", "refuse it until tls.names"),
        (Listen(grpc="[2001:db8::1]:7843"), Tls(names=("2001:db8::1",)), "[2001:db8::1]:7843", ""),
        (Listen(grpc="0.0.0.0:7843"), Tls(certificate_file="a", key_file="b"), "box:7843", ""),
        (Listen(grpc="0.0.0.0:7843"), Tls(names=("*.example", "a.example")), "a.example:7843", ""),
    ],
)
def test_the_address_is_one_that_agents_can_use(listen: Listen, tls: Tls, address: str, note: str):
    found, notes = address_for_agents(Config(listen=listen, tls=tls), hostname="box")

    assert (found, len(notes)) == (address, 1 if note else 0)
    assert note in "".join(notes)


def test_a_port_that_changes_at_each_start_is_no_address():
    with pytest.raises(InputUnusable, match="port 0"):
        address_for_agents(Config(listen=Listen(grpc="127.0.0.1:0")), hostname="box")
