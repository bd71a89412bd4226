"""What the coordinator and its command line are given wrong: each case says what, which value and what to do."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.flash_clip import write_clip
from tests.fakes.model_hub import running_hub
from tests.fakes.told_command import refusal, small_disk, tell

pytestmark = pytest.mark.timeout(90)
COORDINATOR = ("-m", "coordinator")


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(grpc: Any, web: Any) -> dict[str, str]:
    return {
        "CLIPPY_COORDINATOR_LISTEN__GRPC": f"127.0.0.1:{grpc}",
        "CLIPPY_COORDINATOR_LISTEN__WEB": f"127.0.0.1:{web}",
    }


# ---- all


def test_a_taken_port_names_who_has_it_and_the_setting(tmp_path: Path) -> None:
    with taken_port() as taken:
        exit_code, code, message = refusal(
            *COORDINATOR, "--data", tmp_path, "all", "--json", environment=listening(free_port(), taken)
        )

    assert (exit_code, code) == (3, "port_busy")
    assert f"127.0.0.1:{taken}" in message
    assert f"(process {os.getpid()})" in message
    assert "listen.web" in message


@pytest.mark.parametrize(
    ("setting", "listen", "said"),
    [
        ("web", "0.0.0.0:7844", "open to other machines"),
        ("grpc", "localhost", "host:port"),
        ("grpc", "127.0.0.1:99999", "host:port"),
    ],
)
def test_an_address_we_must_not_or_cannot_listen_on_is_refused(
    setting: str, listen: str, said: str, tmp_path: Path
) -> None:
    exit_code, code, message = refusal(
        *COORDINATOR,
        *("--data", tmp_path, "all", "--json"),
        environment={f"CLIPPY_COORDINATOR_LISTEN__{setting.upper()}": listen},
    )

    assert (exit_code, code) == (2, "input_unusable")
    assert f"listen.{setting} = '{listen}'" in message
    assert said in message


def test_a_second_supervisor_of_a_data_directory_names_the_first(tmp_path: Path) -> None:
    from coordinator.ops.lock import DataLock

    with DataLock(tmp_path):
        exit_code, code, message = refusal(*COORDINATOR, "--data", tmp_path, "all", "--json")

    assert (exit_code, code) == (3, "already_running")
    assert f"(process {os.getpid()})" in message


def test_a_data_directory_that_cannot_be_made_is_named() -> None:
    exit_code, _, message = refusal(*COORDINATOR, "--data", "/dev/null/data", "all", "--json")

    assert exit_code == 3
    assert "/dev/null/data" in message
    assert "--data" in message


def test_a_disk_without_room_is_refused_with_what_is_needed() -> None:
    with small_disk("16m") as disk:
        exit_code, code, message = refusal(
            *COORDINATOR,
            *("--data", disk / "data", "all", "--json"),
            environment=listening(free_port(), free_port()),
        )

    assert (exit_code, code) == (3, "disk_full")
    assert "256 are needed" in message
    assert str(disk / "data") in message


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"listen = [", "coordinator.toml"), (b"\xff\xfe", "coordinator.toml"), (b"listn = 3", "listn")],
)
def test_a_broken_settings_file_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "coordinator.toml").write_bytes(content)

    exit_code, code, message = refusal(*COORDINATOR, "--data", tmp_path, "all", "--json")

    assert (exit_code, code) == (2, "input_unusable")
    assert said in message


def test_doctor_notices_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("", encoding="ascii")

    exit_code, answer = tell(*COORDINATOR, "--data", path, "doctor", "--json")

    assert exit_code == 3
    assert [check["is_ok"] for check in answer["checks"] if check["name"] == "data directory"] == [False]


def test_a_part_without_its_supervisor_says_what_to_run(tmp_path: Path) -> None:
    exit_code, code, message = refusal(*COORDINATOR, "--data", tmp_path, "serve", "--json")

    assert (exit_code, code) == (3, "database_unavailable")
    assert "clippy-coordinator all" in message


# ---- files


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", duration_s=1, size=(160, 90))


@pytest.mark.parametrize(
    "words",
    [
        ["probe", "FILE"],
        ["normalize", "FILE", "OUT"],
        ["transcribe", "--engine", "pocketsphinx", "FILE"],
        ["highlights", "--media", "FILE"],
        ["export", "FILE", "-o", "OUT"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize(("kind", "exit_code"), [("missing", 2), ("text", 1)])
def test_a_file_that_is_no_recording_is_named(
    words: list[str], kind: str, exit_code: int, tmp_path: Path
) -> None:
    path = tmp_path / "given.mp4"
    if kind == "text":
        path.write_bytes(b"hello\n" * 100)
    places = {"FILE": str(path), "OUT": str(tmp_path / "out.mp4")}

    found = refusal(*COORDINATOR, "--data", tmp_path, *(places.get(word, word) for word in words), "--json")

    assert found[0] == exit_code
    assert "given.mp4" in found[2]
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-o", "OUT/no/such/e.mp4"], "OUT/no/such"),
        (["-o", "OUT"], "it is a folder"),
        (["-o", "OUT/e.mp4", "--preset", "fancy"], "'fancy'"),
        (["-o", "OUT/e.mp4", "--captions", "OUT/none.json"], "none.json"),
        ([], "-o/--output"),
    ],
)
def test_an_export_that_cannot_be_made_as_asked_is_refused_before_it_begins(
    words: list[str], named: str, clip: Path, tmp_path: Path
) -> None:
    given = [word.replace("OUT", str(tmp_path)) for word in words]

    exit_code, _, message = refusal(*COORDINATOR, "export", clip, *given, "--json")

    assert exit_code == 2
    assert named.replace("OUT", str(tmp_path)) in message


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        ([], None, "--transcript"),
        (["--transcript", "FILE", "--duration", "10"], b"hello", "given.json"),
        (["--chat", "FILE", "--duration", "10"], b'{"chat": [["soon", "x"]]}', "chat"),
        (["--chat", "FILE"], b'{"chat": []}', "--duration"),
        (["--chat", "FILE", "--duration", "nan"], b'{"chat": []}', "nan"),
        (["--chat", "FILE", "--duration", "9", "--top", "0"], b'{"chat": []}', "--top 0"),
    ],
)
def test_highlights_of_what_cannot_be_used_are_refused(
    words: list[str], content: bytes | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "given.json"
    if content is not None:
        path.write_bytes(content)

    found = refusal(
        *COORDINATOR, "highlights", *(str(path) if word == "FILE" else word for word in words), "--json"
    )

    assert found[:2] == (2, "input_unusable")
    assert said in found[2]


def test_a_fallback_of_the_speech_engine_is_told_beside_the_object(clip: Path, tmp_path: Path) -> None:
    environment = {"HF_HOME": tmp_path}

    exit_code, answer = tell(
        *COORDINATOR, "--data", tmp_path, "transcribe", clip, "--json", environment=environment
    )

    assert exit_code == 0
    assert answer["engine"] == "pocketsphinx"
    assert "models fetch" in answer["reason"]


def test_no_model_is_fetched_where_the_settings_forbid_it(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    with running_hub(tmp_path / "repository") as hub:
        exit_code, code, message = refusal(
            *(*COORDINATOR, "--data", tmp_path / "data", "models", "fetch", "--json"),
            environment={"CLIPPY_COORDINATOR_ASR__ALLOW_DOWNLOAD": "false", "CLIPPY_HUB_URL": hub.url},
        )

    assert (exit_code, code) == (3, "model_unavailable")
    assert "asr.allow_download is false" in message
    assert hub.requests == []
