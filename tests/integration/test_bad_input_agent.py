"""What the engine and its command line are given wrong: each case says what, which value and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from tests.fakes.desktop_here import MISSING, REASON
from tests.fakes.told_command import ToldEngine, fill, no_free_port, refusal, small_disk, tell

pytestmark = pytest.mark.timeout(120)
MIB = 1024 * 1024


def decoded_pictures(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


# ---- the command line


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["clip", "--last", "-5"], "-5"),
        (["clip", "--last", "abc"], "'abc'"),
        (["clip", "--last", "nan"], "nan"),
        (["library", "--limit", "-3"], "'-3'"),
        (["fly"], "'fly'"),
        (["status", "--fly"], "--fly"),
    ],
)
def test_a_wrong_command_line_is_one_object_that_names_the_word(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main([*words, "--json"])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (exit_code, error["code"]) == (2, "usage")
    assert named in error["message"]
    assert "--help" in error["message"]


@pytest.mark.parametrize("verb", ["clip", "status"])
def test_a_verb_without_an_engine_says_how_to_start_one(verb: str, tmp_path: Path) -> None:
    exit_code, code, message = refusal("-m", "agent", "--data", tmp_path, verb, "--json")

    assert (exit_code, code) == (3, "engine_not_running")
    assert "clippy engine" in message


# ---- an engine that cannot start


@pytest.mark.parametrize(
    ("settings", "expected", "named"),
    [
        ({"UPLINK__ADDRESS": "127.0.0.1:9"}, (2, "input_unusable"), "uplink.ca_file"),
        ({"UPLINK__ADRESS": "127.0.0.1:9"}, (2, "input_unusable"), "CLIPPY_AGENT_UPLINK__ADDRESS"),
        ({"RING__MAX_DURATION_S": "5"}, (2, "input_unusable"), "ring.max_duration_s = 5"),
        ({"CLIPS__FOLDER": "/dev/null/clips"}, (3, "environment_problem"), "clips.folder"),
        ({"RING__FOLDER": "/dev/null/ring"}, (3, "environment_problem"), "ring.folder"),
        ({"DATA": "/dev/null/data"}, (3, "environment_problem"), "CLIPPY_AGENT_DATA"),
    ],
)
def test_an_engine_refuses_a_setting_by_its_name(
    settings: dict[str, str], expected: tuple[int, str], named: str, tmp_path: Path
) -> None:
    environment = {
        f"CLIPPY_AGENT_{name}": value for name, value in ({"DATA": str(tmp_path)} | settings).items()
    }

    exit_code, code, message = refusal(
        "-m", "agent", "engine", "--generated", "--json", environment=environment
    )

    assert (exit_code, code) == expected
    assert named in message


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("[ring", encoding="utf-8")

    exit_code, _, message = refusal("-m", "agent", "--data", tmp_path, "engine", "--generated", "--json")

    assert exit_code == 2
    assert str(tmp_path / "agent.toml") in message


@pytest.mark.parametrize("display", ["", ":987"])
def test_without_a_screen_it_says_what_was_tried_and_what_does_without(display: str, tmp_path: Path) -> None:
    environment = {"CLIPPY_AGENT_DATA": tmp_path / "agent", "CLIPPY_AGENT_CLIPS__FOLDER": tmp_path}
    if display:
        environment["DISPLAY"] = Path(display)

    exit_code, code, message = refusal("-m", "agent", "engine", "--json", environment=environment)

    assert (exit_code, code) == (3, "screen_unavailable")
    assert display in message
    assert "x11grab" in message
    assert "--generated" in message


def test_a_data_directory_without_any_room_is_a_full_disk_in_words() -> None:
    with small_disk("64k") as disk:
        fill(disk / "fill")

        exit_code, code, message = refusal(
            "-m", "agent", "--data", disk / "agent", "engine", "--generated", "--json"
        )

        assert exit_code == 3
        assert code in ("disk_full", "environment_problem")
        assert str(disk / "agent") in message


# ---- an engine that goes on without what is not there


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToldEngine]:
    """An engine whose coordinator is down."""
    folder = tmp_path_factory.mktemp("cut-off")
    (folder / "ca.pem").write_text("not a certificate", encoding="ascii")
    (folder / "token").write_text("a-token\n", encoding="ascii")
    uplink = {"UPLINK__CA_FILE": folder / "ca.pem", "UPLINK__TOKEN_FILE": folder / "token"}
    with ToldEngine(folder, UPLINK__ADDRESS="127.0.0.1:9", **uplink) as engine:
        yield engine


def test_clips_are_saved_while_the_coordinator_is_down(cut_off: ToldEngine) -> None:
    status = cut_off.wait_for("the problem", lambda status: status.uplink.problem)

    assert "127.0.0.1:9" in status["uplink"]["problem"]
    assert status["state"] == "ready"
    assert decoded_pictures(cut_off.clip()) > 0


def test_clips_are_saved_where_no_port_is_free(tmp_path: Path) -> None:
    with ToldEngine(tmp_path, before=no_free_port()) as engine:
        assert decoded_pictures(engine.clip()) > 0


def test_a_second_engine_of_the_same_data_names_the_first(cut_off: ToldEngine) -> None:
    exit_code, code, message = refusal(
        "-m", "agent", "engine", "--generated", "--json", environment=cut_off.environment
    )

    assert (exit_code, code) == (3, "already_running")
    assert str(cut_off.pid) in message


@pytest.mark.parametrize(
    ("token", "named"), [(None, "uplink.token_file"), ("", "owner.token")], ids=["no file", "empty file"]
)
def test_clips_are_saved_without_a_token_and_the_status_says_which_file(
    token: str | None, named: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    if token is not None:
        path.write_text(token, encoding="ascii")
    with ToldEngine(
        tmp_path,
        UPLINK__ADDRESS="127.0.0.1:9",
        UPLINK__CA_FILE=tmp_path / "ca.pem",
        UPLINK__TOKEN_FILE=path,
    ) as engine:
        status = engine.wait_for("the problem", lambda status: status.uplink.problem)

        assert named in status["uplink"]["problem"]
        engine.clip()


@pytest.mark.desktop
@pytest.mark.skipif(bool(MISSING), reason=REASON)
def test_without_a_sound_server_the_picture_is_recorded_and_the_status_warns(
    desktop: Any, tmp_path: Path
) -> None:
    screen = {
        name: value for name, value in desktop.environment.items() if name in ("DISPLAY", "XAUTHORITY")
    } | {"PULSE_SERVER": f"unix:{tmp_path}/nobody"}
    with ToldEngine(tmp_path, desktop=screen, TRIGGER__HOTKEY="") as engine:
        _, status = engine.ask("status")

        assert [warning.split(":")[0] for warning in status["warnings"]] == [
            "no microphone",
            "no desktop sound",
        ]
        assert decoded_pictures(engine.clip()) > 0


@pytest.mark.desktop
@pytest.mark.skipif(bool(MISSING), reason=REASON)
def test_an_unknown_microphone_and_a_taken_key_are_warnings(desktop: Any, tmp_path: Path) -> None:
    sound = {"CAPTURE__DESKTOP_SOUND": desktop.desktop_source, "TRIGGER__HOTKEY": "Ctrl+Alt+F7"}
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with (
        ToldEngine(tmp_path / "first", desktop=desktop.environment, CAPTURE__MICROPHONE="none", **sound),
        ToldEngine(
            tmp_path / "second", desktop=desktop.environment, CAPTURE__MICROPHONE="banana", **sound
        ) as engine,
    ):
        _, status = engine.ask("status")

        assert status["state"] == "ready"
        microphone, hotkey = status["warnings"]
        assert "banana" in microphone
        assert "clippy devices" in microphone
        assert "Ctrl+Alt+F7" in hotkey
        assert "trigger.hotkey" in hotkey
        engine.clip()


# ---- a full disk


def test_a_full_clip_disk_fails_the_press_with_its_reason_and_the_ring_goes_on(tmp_path: Path) -> None:
    with (
        small_disk("32m") as disk,
        ToldEngine(tmp_path, CLIPS__FOLDER=disk / "clips") as engine,
    ):
        fill(disk / "fill")
        exit_code, answer = engine.ask("clip", "--last", "1")
        before = engine.ask("status")[1]

        assert exit_code == 3
        assert answer["error"]["code"] == "disk_full"
        assert str(disk / "clips") in answer["error"]["message"]
        assert "MB" in answer["error"]["message"]
        assert before["last_press_error"] == answer["error"]["message"]
        assert before["state"] == "ready"
        assert list((disk / "clips").iterdir()) == []
        engine.wait_for("more", lambda status: status.buffered_ns > before["buffered_ns"])
        (disk / "fill").unlink()
        assert decoded_pictures(engine.clip()) > 0


def test_a_full_ring_disk_is_told_while_it_lasts_and_a_press_is_still_saved(
    tmp_path: Path,
) -> None:
    with (
        small_disk("64m") as disk,
        ToldEngine(tmp_path, RING__FOLDER=disk / "ring", RING__MIN_FREE_BYTES=8 * MIB) as engine,
    ):
        fill(disk / "fill")
        status = engine.wait_for("a word", lambda status: status.problem or status.warnings)

        assert str(disk / "ring") in " ".join([status["problem"], *status["warnings"]])
        assert decoded_pictures(engine.clip()) > 0
        (disk / "fill").unlink()
        engine.wait_for(
            "silence",
            lambda status: status.state == "ready" and not (status.problem or status.warnings),
        )
        engine.clip()


def test_the_library_can_be_read_where_there_is_none(tmp_path: Path) -> None:
    assert tell("-m", "agent", "--data", tmp_path / "nothing", "library", "--json") == (0, {"clips": []})
