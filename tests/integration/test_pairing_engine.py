"""`clippy pair` and `clippy unpair` as commands, without an engine and with one that takes the pairing up at once."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from agent.paths import AgentPaths
from protos.clippy.v1 import media_pb2
from tests.fakes.coordinator_here import CoordinatorHere
from tests.fakes.link_parts import make_certificates
from tests.fakes.told_command import ROOT, ToldEngine, bare_environment


@pytest.fixture
def coordinator(tmp_path: Path) -> Iterator[CoordinatorHere]:
    (tmp_path / "tls").mkdir()
    with CoordinatorHere(make_certificates(tmp_path / "tls")) as running:
        yield running


class Home:
    """A data directory without an engine, and the command line within this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.paths = AgentPaths(data=folder / "agent")
        self._capsys = capsys

    def tell(self, *words: str) -> tuple[int, dict[str, Any]]:
        exit_code = main(["--data", str(self.paths.data), *words, "--json"])
        (line,) = self._capsys.readouterr().out.splitlines()
        return exit_code, json.loads(line)

    def refusal(self, *words: str) -> tuple[int, str, str]:
        exit_code, answer = self.tell(*words)
        return exit_code, answer["error"]["code"], answer["error"]["message"]


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, capsys)


def test_nobody_is_trusted_without_a_fingerprint_and_nothing_but_a_question_is_sent(
    home: Home, coordinator: CoordinatorHere
):
    coordinator.codes.append("ABCD-2345")

    exit_code, code, message = home.refusal("pair", coordinator.address, "ABCD-2345", "--store", "file")

    assert (exit_code, code) == (3, "coordinator_untrusted")
    assert f"--fingerprint {coordinator.fingerprint}" in message
    assert coordinator.calls == ["Describe"]
    assert not home.paths.pairing.exists() and not home.paths.secrets.exists()


def test_where_no_keyring_is_the_user_is_told_what_to_do(
    home: Home, coordinator: CoordinatorHere, monkeypatch: pytest.MonkeyPatch
):
    import keyring
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring, "get_keyring", Keyring)

    exit_code, code, message = home.refusal("pair", coordinator.address, "ABCD-2345")

    assert (exit_code, code) == (3, "secrets_unavailable")
    assert "--store file" in message and "start the engine first" in message
    assert coordinator.calls == []


def test_a_pc_is_paired_without_an_engine_and_unpaired_again(home: Home, coordinator: CoordinatorHere):
    coordinator.codes.append("ABCD-2345")
    words = ["pair", f"https://{coordinator.address}", "abcd2345", "--store", "file", "--name", "Studio"]

    exit_code, paired = home.tell(*words, "--fingerprint", coordinator.fingerprint)

    assert exit_code == 0, paired
    assert (paired["user_name"], paired["device_name"], paired["tier"]) == ("Ada", "Studio", "pro")
    record = home.paths.pairing.read_text()
    secret = json.loads(home.paths.secrets.read_text())
    assert list(secret.values()) == [coordinator.devices[0].refresh[-1]]
    assert coordinator.devices[0].refresh[-1] not in record
    assert [stat.S_IMODE(path.stat().st_mode) for path in (home.paths.pairing, home.paths.secrets)] == [
        0o600
    ] * 2
    assert home.tell("pair", "--status")[1]["is_paired"] is True

    exit_code, ended = home.tell("unpair")
    assert (exit_code, ended["num_dropped"], ended["problem"]) == (0, 0, None)
    assert (coordinator.devices, json.loads(home.paths.secrets.read_text())) == ([], {})
    assert home.tell("pair", "--status")[1] == {
        "coordinator": None,
        "is_paired": False,
        "state": None,
        "problem": None,
    }
    assert home.refusal("unpair")[1] == "input_unusable"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_code_is_shown_and_ctrl_c_ends_the_waiting(home: Home, coordinator: CoordinatorHere):
    coordinator.num_refusals = 1000
    words = ["pair", coordinator.address, "--store", "file", "--fingerprint", coordinator.fingerprint]
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", *words],
        cwd=ROOT,
        env=bare_environment({"CLIPPY_AGENT_DATA": home.paths.data}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    shown = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert "approve the code WXYZ-2345 at Here within 10 min" in shown
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert not home.paths.pairing.exists()


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["pair"], "input_unusable", "clippy pair host:port"),
        (["pair", "http://a"], "input_unusable", "https"),
        (["pair", "localhost:1", "--fingerprint", "abc"], "input_unusable", "64 hexadecimal digits"),
        (["pair", "localhost:1", "--store", "file"], "link_problem", "nobody answers at localhost:1"),
        (["unpair"], "input_unusable", "not paired"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(home: Home, words: list[str], code: str, part: str):
    _, found, message = home.refusal(*words)

    assert found == code
    assert part in message


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_running_engine_sends_from_the_pairing_on_and_no_more_after_the_unpairing(
    tmp_path: Path, coordinator: CoordinatorHere
):
    coordinator.codes += ["ABCD-2345", "EFGH-2345"]
    trust = ["--fingerprint", coordinator.fingerprint]
    with ToldEngine(tmp_path, UPLINK__CHUNK_S=2, UPLINK__METERED="yes") as engine:
        status = engine.wait_for("two seconds", lambda status: status.buffered_ns > 2_000_000_000)
        assert status["uplink"]["state"] == "off"

        exit_code, paired = engine.ask("pair", coordinator.address, "ABCD-2345", "--store", "memory", *trust)
        assert exit_code == 0, paired
        assert "ends with the engine" in paired["note"]
        assert coordinator.wait_for_chunks(4)
        assert {lane for _, lane, _ in coordinator.chunks} <= {media_pb2.LANE_MIC, media_pb2.LANE_SIGNALS}
        status = engine.wait_for("desktop sound waits", lambda status: len(status.uplink.held_back) > 0)
        assert status["uplink"]["pairing"]["user_name"] == "Ada"
        assert "on a metered line" in status["uplink"]["held_back"][0]

        exit_code, ended = engine.ask("unpair")
        assert exit_code == 0
        assert ended["num_dropped"] > 0
        num_sent = len(coordinator.chunks)
        engine.wait_for("nothing is sent", lambda status: status.uplink.state == "off")
        assert not coordinator.wait_for_chunks(num_sent + 1, timeout_s=3.0)

        # The same account again: the session goes on with the numbers after those that were dropped.
        assert engine.ask("pair", coordinator.address, "EFGH-2345", "--store", "memory", *trust)[0] == 0
        assert coordinator.wait_for_chunks(num_sent + 2)
        assert len(set(coordinator.chunks)) == len(coordinator.chunks)
    assert {item.session_id for item in coordinator.hellos[-1].sessions} == {coordinator.chunks[0][0]}
