"""`clippy search` as a person meets it: beside an engine, without one, and with no coordinator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import main
from agent.control.server import ControlServer
from agent.engine.said import keep_heard
from agent.library.library import Library
from agent.library.said import Held, SaidRow, SaidWords
from agent.model.clips import SavedClip
from agent.paths import AgentPaths
from protos.clippy.v1 import control_pb2, link_pb2
from protos.timebase import SECOND_NS
from tests.fakes.told_engine import ToldEngine

HELD = Held(session_id="live", start_ns=0)


@pytest.fixture(autouse=True)
def as_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # The log's set-up is the process's; this one is the tests'.
    monkeypatch.setattr("agent.log.configure_log", lambda **_options: None)


@pytest.fixture
def paths(tmp_path: Path) -> AgentPaths:
    return AgentPaths(data=tmp_path / "agent")


@pytest.fixture
def library(paths: AgentPaths) -> Iterator[Library]:
    opened = Library(paths.library)
    yield opened
    opened.close()


def ask(paths: AgentPaths, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["--data", str(paths.data), "search", *words])
    return code, capsys.readouterr().out


def keep(library: Library) -> None:
    rows = [
        SaidRow(
            said_id=1, session_id="live", start_ns=20 * SECOND_NS, end_ns=22 * SECOND_NS, text="what a goal"
        ),
        SaidRow(
            said_id=2, session_id="live", start_ns=90 * SECOND_NS, end_ns=92 * SECOND_NS, text="another goal"
        ),
    ]
    SaidWords(library).keep(rows, held=HELD)
    library.add_clip(
        SavedClip(
            clip_id="c" * 32,
            session_id="live",
            path="/videos/one.mp4",
            start_ns=10 * SECOND_NS,
            end_ns=40 * SECOND_NS,
            latency_ms=1,
            trigger="key",
            size_bytes=1,
            created_unix_ms=1,
        )
    )


def test_without_a_coordinator_titles_and_names_are_searched_and_it_is_said(
    paths: AgentPaths, library: Library, capsys: pytest.CaptureFixture[str]
):
    keep(library)
    SaidWords(library).prune(held=Held(session_id="", start_ns=0))
    SaidWords(library).forget("live", 0, 60 * SECOND_NS)

    code, out = ask(paths, capsys, "one", "--json")

    answer = json.loads(out)
    assert (code, [hit["text"] for hit in answer["hits"]]) == (0, ["one.mp4"])
    assert "transcribed at a coordinator" in answer["reason"]


def test_without_an_engine_what_came_down_is_found_in_clips(
    paths: AgentPaths, library: Library, capsys: pytest.CaptureFixture[str]
):
    keep(library)

    code, out = ask(paths, capsys, "gaol", "--json")
    text = ask(paths, capsys, "goal")[1]

    answer = json.loads(out)
    assert code == 0
    assert answer["hits"] == [
        {
            "where": "clip", "clip_id": "c" * 32, "path": "/videos/one.mp4", "session_id": "live",
            "start_s": 20.0, "end_s": 22.0, "text": "what a goal", "score": 0.5,
        }
    ]  # fmt: skip
    assert answer["reason"] is None
    assert "at 10.0 s" in text


def test_beside_an_engine_what_is_in_the_buffer_comes_with_the_command_that_saves_it(
    library: Library, paths: AgentPaths, capsys: pytest.CaptureFixture[str]
):
    keep(library)
    told = ToldEngine()
    told.state.MergeFrom(
        control_pb2.Status(session_id="live", now_ns=100 * SECOND_NS, buffered_ns=60 * SECOND_NS)
    )
    told.state.uplink.coordinator = "here:1"
    server = ControlServer(told, told, paths.control_socket)
    server.start()
    try:
        answer = json.loads(ask(paths, capsys, "another", "goal", "--json")[1])
        text = ask(paths, capsys, "another")[1]
    finally:
        server.stop()

    assert [(hit["where"], hit["text"], hit["clip_id"]) for hit in answer["hits"]] == [
        ("buffer", "another goal", None)
    ]
    assert answer["reason"] is None
    assert "clippy clip --last 20" in text


@pytest.mark.parametrize("words", [["?!"], [""]])
def test_a_query_without_a_word_is_refused_also_where_there_is_no_library(
    paths: AgentPaths, capsys: pytest.CaptureFixture[str], words: list[str]
):
    code, out = ask(paths, capsys, *words, "--json")

    assert code == 2
    assert "no word" in json.loads(out)["error"]["message"]


def test_numbers_that_make_no_sense_are_passed_over(library: Library):
    heard = link_pb2.Heard(
        session_id="live",
        words=[
            link_pb2.HeardWords(id=-1, text="negative"),
            link_pb2.HeardWords(id=5, start_ns=9, end_ns=3, text="backwards"),
            link_pb2.HeardWords(id=6, start_ns=-9, end_ns=3, text="before"),
        ],
    )

    keep_heard(library, heard, None)

    assert SaidWords(library).last_id("live") == 0
