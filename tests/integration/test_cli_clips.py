"""The command line's verbs about clips, through the real control API to a real desk."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from agent.control.server import ControlServer
from protos.timebase import SECOND_NS
from tests.fakes.desk_here import DeskHere
from tests.fakes.read_clip import see
from tests.fakes.told_engine import ToldEngine

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskHere]:
    desk = DeskHere(tmp_path, t0_ns=time.monotonic_ns() - 10 * SECOND_NS)
    server = ControlServer(ToldEngine(), desk.desk, desk.paths.control_socket)
    server.start()
    yield desk
    server.stop()
    desk.close()


@pytest.fixture
def run(desk: DeskHere, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`clippy WORDS --json`: its exit code and its object."""
    # The log's set-up is the process's; this one is the tests'.
    monkeypatch.setattr("agent.log.configure_log", lambda **_options: None)

    def run_words(*words: str) -> tuple[int, dict[str, Any]]:
        code = main(["--data", str(desk.paths.data), *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run_words


def test_a_clip_answers_with_its_keys_and_its_note(run: Run):
    code, clip = run("clip", "--last", "3", "--title", "Ace on B", "--tracks", "mix,mic")

    assert code == 0
    assert set(clip) == {"clip_id", "path", "start_ns", "end_ns", "duration_s", "latency_ms", "note"}
    assert (clip["duration_s"], clip["note"]) == (pytest.approx(3.0, abs=0.001), "")
    assert "Ace on B" in clip["path"]
    assert [name for name, _ in see(Path(clip["path"])).sounds] == ["mix", "mic"]


def test_a_clip_that_is_short_says_why(run: Run):
    _, clip = run("clip", "--last", "60")

    assert "of 60.0 s" in clip["note"]


def test_a_key_can_be_told_down_up_and_as_a_tap(run: Run):
    tapped = run("press", "tap")[1]
    again = run("press", "down")[1]
    nothing = run("press", "up")[1]

    assert again["clip_id"] == tapped["clip_id"]
    assert again["duration_s"] > tapped["duration_s"]  # grown, or on a slow machine extended
    assert nothing == {"clip_id": None}


def test_a_kept_clip_is_named_by_the_beginning_of_its_id_or_by_its_file(
    run: Run, monkeypatch: pytest.MonkeyPatch
):
    _, clip = run("clip", "--last", "4")
    name = clip["clip_id"][:6]

    assert run("rename", name, "Ace")[1]["title"] == "Ace"
    monkeypatch.chdir(Path(clip["path"]).parent)
    assert run("lock", Path(clip["path"]).name)[1]["is_locked"] is True
    code, refusal = run("delete", name)
    assert (code, refusal["error"]["code"]) == (2, "input_unusable")
    assert run("unlock", clip["path"])[1]["is_locked"] is False
    assert run("library")[1]["clips"][0]["title"] == "Ace"


def test_ends_are_moved_by_seconds(run: Run):
    _, clip = run("clip", "--last", "4")

    code, moved = run("move", clip["clip_id"], "--start", "-1.5", "--end=-1")

    assert code == 0
    assert moved["start_ns"] == clip["start_ns"] - 1_500_000_000
    assert moved["end_ns"] == clip["end_ns"] - SECOND_NS
    assert run("move", clip["clip_id"], "--end", "1000")[0] == 2


def test_a_clip_is_handed_on_where_the_user_wants_it(run: Run, tmp_path: Path):
    _, clip = run("clip", "--last", "2.5")

    code, shared = run("share", clip["clip_id"], "--tracks", "desktop", "-o", str(tmp_path / "out.mp4"))

    assert (code, shared["path"]) == (0, str(tmp_path / "out.mp4"))
    seen = see(tmp_path / "out.mp4")
    assert seen.num_video_packets == len(seen.numbers)
    assert [name for name, _ in seen.sounds] == ["desktop"]
    assert shared["size_bytes"] == (tmp_path / "out.mp4").stat().st_size


def test_the_trash_is_looked_into_emptied_and_taken_from(run: Run):
    ids = [run("clip", "--last", "2")[1]["clip_id"] for _ in range(2)]
    for clip_id in ids:
        assert run("delete", clip_id)[0] == 0

    assert {clip["clip_id"] for clip in run("trash")[1]["clips"]} == set(ids)
    restored = run("restore", ids[0])[1]
    emptied = run("trash", "--empty")[1]

    assert Path(restored["path"]).is_file()
    assert [clip["clip_id"] for clip in emptied["clips"]] == ids[1:]
    assert emptied["is_deleted"] is True
    assert run("trash")[1]["clips"] == []
    assert [clip["clip_id"] for clip in run("library")[1]["clips"]] == ids[:1]
    assert run("restore", ids[1])[0] == 2


def test_an_unknown_clip_is_a_usage_error_with_what_to_do(run: Run):
    code, refusal = run("share", "zzzz")

    assert (code, "clippy library" in refusal["error"]["message"]) == (2, True)


@pytest.mark.parametrize(
    "words", [("press", "twice"), ("clip", "--tracks", "mix,,"), ("move", "c", "--start", "x")]
)
def test_words_that_cannot_be_understood_are_usage_errors(run: Run, words: tuple[str, ...]):
    code, refusal = run(*words)

    assert (code, refusal["error"]["code"]) == (2, "usage")
