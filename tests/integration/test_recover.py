"""What a killed engine left behind: listed, saved and discarded, by the engine and by the command line."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from agent.cli import main
from agent.clip.names import ClipNamer
from agent.clip.thumbnail import write_thumbnail
from agent.clip.writer import Mp4ClipWriter
from agent.control.server import ControlServer, Desks
from agent.engine.recovering import Recovering
from agent.errors import NothingToClip
from agent.library.library import Library
from agent.paths import AgentPaths, make_private
from agent.ring.ring import GopRing
from tests.fakes.encoded_match import SECOND_NS, encode_match
from tests.fakes.told_engine import ToldEngine

RECORDED_UNIX_MS = 1_700_000_000_000


def leave_behind(folder: Path, session_id: str, *, unix_ms: int = RECORDED_UNIX_MS) -> None:
    """Eight seconds of a match whose engine was killed."""
    match = encode_match()
    ring = GopRing(
        folder, session_id=session_id, t0_monotonic_ns=0, min_free_bytes=0, clock_unix_ms=lambda: unix_ms
    )
    ring.begin_epoch(match.tracks)
    ring.push_all(match.packets)
    ring.close(is_kept=True)


@pytest.fixture
def paths(tmp_path: Path) -> AgentPaths:
    paths = AgentPaths(data=tmp_path / "data")
    leave_behind(paths.ring, "older", unix_ms=RECORDED_UNIX_MS - 60_000)
    leave_behind(paths.ring, "old")
    return paths


@pytest.fixture
def library(paths: AgentPaths) -> Iterator[Library]:
    library = Library(paths.library)
    yield library
    library.close()


@pytest.fixture
def ring(paths: AgentPaths) -> Iterator[GopRing]:
    ring = GopRing(paths.ring, session_id="now", t0_monotonic_ns=0, min_free_bytes=0)
    yield ring
    ring.close()


@pytest.fixture
def recovering(paths: AgentPaths, ring: GopRing, library: Library, tmp_path: Path) -> Recovering:
    namer = ClipNamer(tmp_path)
    return Recovering(
        ring,
        writer=Mp4ClipWriter(),
        library=library,
        name_clip=lambda at: namer.next_path(title="recovered", at=at),
        make_thumbnail=write_thumbnail,
        thumbnail_folder=make_private(paths.thumbnails),
    )


@pytest.fixture
def served(paths: AgentPaths, recovering: Recovering) -> Iterator[AgentPaths]:
    told = ToldEngine()
    server = ControlServer(told, told, paths.control_socket, desks=Desks(recovery=recovering))
    server.start()
    yield paths
    server.stop()


def duration_s(path: str) -> float:
    with av.open(path) as container:
        return float(container.duration or 0) / av.time_base


def test_what_is_left_is_listed_newest_first(recovering: Recovering) -> None:
    found = recovering.sessions()

    assert [session.session_id for session in found] == ["old", "older"]
    assert found[0].duration_ns == pytest.approx(8 * SECOND_NS, abs=2)
    assert found[0].created_unix_ms == RECORDED_UNIX_MS
    assert (found[0].size_bytes > 100_000, recovering.num_left) == (True, 2)


def test_a_session_becomes_a_clip_of_the_library_dated_when_it_was_recorded(
    recovering: Recovering, library: Library
) -> None:
    clip = recovering.recover("old")

    assert library.clips() == [clip]
    assert (clip.trigger, clip.session_id, clip.note) == ("recovered", "old", "")
    assert clip.tracks == tuple(track.name for track in encode_match().tracks if track.kind == "audio")
    assert clip.created_unix_ms == pytest.approx(RECORDED_UNIX_MS + 8_000, abs=1)
    at = datetime.datetime.fromtimestamp(clip.created_unix_ms / 1000).astimezone()
    assert Path(clip.path).name == f"{at:%Y-%m-%d_%H-%M-%S}_recovered.mp4"
    assert duration_s(clip.path) == pytest.approx(8.0, abs=0.05)
    assert Path(clip.thumbnail_path).is_file()


def test_its_last_seconds_alone(recovering: Recovering) -> None:
    clip = recovering.recover("old", last_ns=3 * SECOND_NS)

    assert (clip.start_ns, clip.end_ns) == pytest.approx((5 * SECOND_NS, 8 * SECOND_NS), abs=2)
    assert duration_s(clip.path) == pytest.approx(3.0, abs=0.05)


def test_a_clip_that_is_shorter_than_asked_says_so(recovering: Recovering) -> None:
    clip = recovering.recover("old", last_ns=30 * SECOND_NS)

    assert clip.note == "8.0 of 30.0 s: the killed engine left no more"


def test_recovering_deletes_nothing_and_the_clip_outlives_what_was_left(
    recovering: Recovering, ring: GopRing
) -> None:
    clip = recovering.recover("old", last_ns=SECOND_NS)
    still_there = [session.session_id for session in recovering.sessions()]
    recovering.discard("old")

    assert still_there == ["old", "older"]
    assert Path(clip.path).is_file()
    assert ring.reach(clip.clip_id) is not None


def test_a_discarded_session_is_gone(recovering: Recovering, paths: AgentPaths) -> None:
    recovering.discard("older")

    assert [session.session_id for session in recovering.sessions()] == ["old"]
    assert not (paths.ring / "sessions" / "older").exists()


@pytest.mark.parametrize("session_id", ["nobody", "now", "../sessions/old", ""])
def test_only_what_was_left_behind_can_be_recovered_or_discarded(
    recovering: Recovering, ring: GopRing, session_id: str
) -> None:
    for refused in (recovering.recover, recovering.discard):
        with pytest.raises(NothingToClip, match="clippy recover"):
            refused(session_id)

    assert len(recovering.sessions()) == 2


def run(paths: AgentPaths, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    code = main(["--data", str(paths.data), "recover", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_command_lists(served: AgentPaths, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run(served, capsys)

    assert (code, [row["session_id"] for row in answer["sessions"]]) == (0, ["old", "older"])
    assert answer["sessions"][0]["duration_s"] == pytest.approx(8.0)


def test_the_command_saves_what_is_named_by_how_it_begins(
    served: AgentPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = run(served, capsys, "olde", "--last", "2")

    assert (code, answer["session_id"]) == (0, "older")
    assert answer["duration_s"] == pytest.approx(2.0)
    assert Path(answer["path"]).is_file()


def test_the_command_discards(served: AgentPaths, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = run(served, capsys, "old", "--discard")

    assert (code, answer) == (0, {"session_id": "old", "is_discarded": True})
    assert [row["session_id"] for row in run(served, capsys)[1]["sessions"]] == ["older"]


@pytest.mark.parametrize("words", [["--discard"], ["--last", "3"], ["ol"], ["nobody"]])
def test_the_command_acts_on_one_named_session_alone(
    served: AgentPaths, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, answer = run(served, capsys, *words)

    assert (code, answer["error"]["code"]) == (2, "input_unusable")
    assert "clippy recover" in answer["error"]["message"]


def test_without_anything_left_it_says_so(
    served: AgentPaths, recovering: Recovering, capsys: pytest.CaptureFixture[str]
) -> None:
    for session in recovering.sessions():
        recovering.discard(session.session_id)

    code = main(["--data", str(served.data), "recover"])

    assert (code, capsys.readouterr().out.strip()) == (0, "no engine was killed: nothing to recover")
