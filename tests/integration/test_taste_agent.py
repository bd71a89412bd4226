"""What the user does with clips and moments is noted, told and learnt from, with no coordinator at hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import main
from agent.control.server import ControlServer, Desks
from agent.desk.tasting import Tasting
from agent.errors import InputUnusable
from agent.library.forgetting import LibraryForgetting
from agent.library.library import Library
from agent.library.verdicts import LibraryVerdicts
from agent.model.clips import SavedClip
from agent.paths import AgentPaths
from agent.signals.gate import Candidate
from protos.clippy.v1 import clips_pb2, link_pb2
from protos.taste_wire import verdict_message
from protos.timebase import SECOND_NS
from tests.fakes.desk_here import DeskHere
from tests.fakes.told_engine import ToldEngine

SESSION = "5e" * 16


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library.db")
    yield library
    library.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskHere]:
    desk = DeskHere(tmp_path, session_id=SESSION)
    yield desk
    desk.close()


def moment_at(
    start_s: float, end_s: float, *, name: str = "m1", kind: str = "funny", score: float = 0.6
) -> clips_pb2.Moment:
    return clips_pb2.Moment(
        moment_id=name,
        session_id=SESSION,
        start_ns=round(start_s * SECOND_NS),
        end_ns=round(end_s * SECOND_NS),
        kind=kind,
        title="What was said",
        score=score,
        evidence=[clips_pb2.Evidence(lane="chat", weight=1.0, note="everybody laughed")],
    )


def teach(library: Library, tasting: Tasting) -> None:
    """Ten funny moments are kept, ten scores skipped."""
    for index in range(20):
        kind, verdict = ("funny", "keep") if index % 2 else ("score", "skip")
        library.upsert_moment(moment_at(index * 60, index * 60 + 20, name=f"t{index:02}", kind=kind))
        tasting.judge(f"t{index:02}", verdict)  # type: ignore[arg-type]


def said_of(news: list[link_pb2.TasteNews]) -> list[str]:
    return [clips_pb2.MomentVerdict.Kind.Name(one.verdict.kind) for one in news]


# -- what is done with a clip


def test_a_clip_that_is_locked_shared_moved_deleted_and_restored_speaks_of_the_moment_it_shows(
    desk: DeskHere,
):
    desk.library.upsert_moment(moment_at(6, 10))
    clip = desk.tap(10)
    desk.do_chores()

    desk.desk.update(clip.clip_id, title="Ha", is_locked=None)
    desk.desk.share(clip.clip_id, tracks=[])
    desk.desk.move_ends(clip.clip_id, start_ns=round(4.5 * SECOND_NS), end_ns=None)
    desk.desk.trash(clip.clip_id)
    desk.desk.restore(clip.clip_id)

    assert said_of(desk.said) == ["KEEP", "KEEP", "EXTEND", "DELETE", "UNDO"]
    extended = desk.said[2].verdict
    assert extended.before_s == pytest.approx(1.5, abs=0.05)
    assert not extended.HasField("after_s")
    assert not extended.moment.title
    assert all(not item.note for item in extended.moment.evidence)
    assert len(LibraryVerdicts(desk.library).all()) == 5


def test_a_clip_that_shows_no_moment_or_is_much_longer_says_nothing(desk: DeskHere):
    desk.library.upsert_moment(moment_at(12, 18, name="elsewhere"))
    desk.library.upsert_moment(moment_at(8, 9, name="short"))
    clip = desk.tap(10)

    desk.desk.update(clip.clip_id, title=None, is_locked=True)

    assert desk.said == []


# -- what is learnt


def test_the_list_is_ordered_by_the_taste_that_was_learnt_here_and_says_so(library: Library):
    said: list[link_pb2.TasteNews] = []
    tasting = Tasting(library, say=said.append)
    teach(library, tasting)
    library.upsert_moment(moment_at(9000, 9020, name="a", kind="score", score=0.65))
    library.upsert_moment(moment_at(9100, 9120, name="b", kind="funny", score=0.60))

    listed = tasting.moments(100)

    order = [one.moment.moment_id for one in listed]
    assert order.index("b") < order.index("a")
    assert [one.verdict for one in listed[-10:]] == ["skip"] * 10
    [b] = [one.moment for one in listed if one.moment.moment_id == "b"]
    assert b.evidence[-1].lane == "taste"
    assert "you kept 10 of 10 funny moments" in b.evidence[-1].note
    assert b.score == pytest.approx(0.60 + b.evidence[-1].weight)
    assert len(said) == 20


def test_a_taste_that_the_coordinator_put_in_a_score_is_not_counted_twice(library: Library):
    tasting = Tasting(library, say=lambda _news: None)
    moment = moment_at(0, 20, score=0.7)
    moment.evidence.add(lane="taste", weight=0.1, note="from there")
    library.upsert_moment(moment)

    [listed] = tasting.moments(10)

    assert listed.moment.score == pytest.approx(0.6)
    assert [item.lane for item in listed.moment.evidence] == ["chat"]


def test_without_verdicts_moments_are_listed_exactly_as_they_came(library: Library):
    moment = moment_at(0, 20)
    library.upsert_moment(moment)

    assert [one.moment for one in Tasting(library, say=lambda _news: None).moments(10)] == [moment]


def test_what_the_gate_notices_is_kept_until_the_taste_speaks_against_it(library: Library):
    tasting = Tasting(library, say=lambda _news: None)
    loud = Candidate(start_ns=0, end_ns=20 * SECOND_NS, peak_ns=1, score=2.0, lanes=("loudness",))
    assert tasting.is_wanted(loud)

    for index in range(40):
        lane, verdict = ("chat", "keep") if index % 2 else ("loudness", "skip")
        moment = moment_at(index * 60, index * 60 + 20, name=f"g{index:02}", kind="play")
        moment.evidence[0].lane = lane
        library.upsert_moment(moment)
        tasting.judge(f"g{index:02}", verdict)  # type: ignore[arg-type]

    assert not tasting.is_wanted(loud)
    assert tasting.is_wanted(dataclasses.replace(loud, lanes=("voice",)))


def test_a_reset_forgets_tells_the_coordinator_and_lets_nothing_old_come_back(library: Library):
    said: list[link_pb2.TasteNews] = []
    tasting = Tasting(library, say=said.append)
    teach(library, tasting)
    old = said[0]

    assert tasting.reset() == 20
    tasting.take(old)

    assert tasting.taste().counts == {}
    assert said[-1].reset.at_unix_ms > 0


def test_what_was_done_elsewhere_counts_once_and_is_not_told_back(library: Library, tmp_path: Path):
    told: list[link_pb2.TasteNews] = []
    other = Library(tmp_path / "other.db")
    teach(other, Tasting(other, say=told.append))
    other.close()
    said: list[link_pb2.TasteNews] = []
    tasting = Tasting(library, say=said.append)

    for one in [*told, *told]:
        tasting.take(one)
    strange = link_pb2.TasteNews(verdict=clips_pb2.MomentVerdict(verdict_id="no id"))
    tasting.take(strange)
    tasting.take(link_pb2.TasteNews())

    assert tasting.taste().num_learnt == 20
    assert said == []


def test_forgetting_a_span_takes_its_verdicts_and_the_taste_is_learnt_without(library: Library):
    tasting = Tasting(library, say=lambda _news: None)
    teach(library, tasting)
    forgetting = LibraryForgetting(library)

    assert forgetting.num_verdicts(SESSION, 0, 600 * SECOND_NS) == 10
    assert forgetting.delete_verdicts(SESSION, 0, 600 * SECOND_NS) == 10

    assert tasting.taste().num_learnt == 10


def test_a_moment_that_is_not_there_or_not_clear_is_refused(library: Library):
    tasting = Tasting(library, say=lambda _news: None)
    for name in ("ab1", "ab2"):
        library.upsert_moment(moment_at(0, 20, name=name))

    for words in ("", "nothing", "ab"):
        with pytest.raises(InputUnusable):
            tasting.judge(words, "keep")
    assert tasting.judge("ab1", "keep") == "ab1"


def test_thousands_of_verdicts_leave_the_newest(library: Library):
    said: list[link_pb2.TasteNews] = []
    teach(library, Tasting(library, say=said.append))
    verdicts = LibraryVerdicts(library)
    newest = verdicts.all()[0]
    for index in range(2100):
        verdicts.add(
            dataclasses.replace(newest, verdict_id=f"{index:032x}", at_unix_ms=newest.at_unix_ms - index - 1)
        )

    kept = verdicts.all()

    assert len(kept) == 2000
    assert verdict_message(newest) == verdict_message(kept[0])


def saved(name: str) -> SavedClip:
    return SavedClip(
        clip_id=name,
        session_id=SESSION,
        path="/nowhere",
        start_ns=0,
        end_ns=SECOND_NS,
        latency_ms=1,
        trigger="key",
        size_bytes=1,
        created_unix_ms=1,
    )


def test_a_library_that_cannot_be_written_stands_in_nobodys_way(library: Library):
    tasting = Tasting(library, say=lambda _news: None)
    library.upsert_moment(moment_at(0, 1))
    library.close()

    tasting.note_clip(saved("c"), "keep")

    assert tasting.is_wanted(Candidate(start_ns=0, end_ns=9, peak_ns=1, score=2.0, lanes=("voice",)))


# -- the command line


@pytest.fixture
def data(library: Library, tmp_path: Path) -> Iterator[Path]:
    """A data directory whose control API has a real taste; its library is the one above."""
    paths = AgentPaths(data=tmp_path)
    engine = ToldEngine()
    desks = Desks(taste=Tasting(library, say=lambda _news: None))
    server = ControlServer(engine, engine, paths.control_socket, desks=desks)
    server.start()
    yield tmp_path
    server.stop()


def test_the_command_line_keeps_and_skips_shows_and_resets(
    data: Path, library: Library, capsys: pytest.CaptureFixture[str]
):
    library.upsert_moment(moment_at(0, 20, name="abc"))

    def run(*words: str) -> dict[str, object]:
        assert main(["--data", str(data), *words, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    assert run("moments", "keep", "ab") == {"moment_id": "abc", "verdict": "keep"}
    assert run("moments", "skip", "abc") == {"moment_id": "abc", "verdict": "skip"}
    learnt = run("taste")
    assert learnt["counts"] == {"keep": 1, "skip": 1}
    assert learnt["examples"] == [{"moment_id": "abc", "kind": "funny", "verdict": "skip"}]
    assert run("taste", "reset") == {"num_verdicts": 2}
    assert run("taste", "show")["counts"] == {}


@pytest.mark.parametrize(
    "words", [["moments", "keep"], ["moments", "keep", "nothing"], ["moments", "love", "a"]]
)
def test_a_command_line_that_names_no_moment_is_refused(
    data: Path, words: list[str], capsys: pytest.CaptureFixture[str]
):
    assert main(["--data", str(data), *words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] in ("input_unusable", "usage")
