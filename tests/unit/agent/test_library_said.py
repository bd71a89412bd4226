"""What was said in what is kept: which words stay, which go, and how they are found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import InputUnusable
from agent.library.finding import Hit, LibrarySearch
from agent.library.forgetting import LibraryForgetting
from agent.library.library import Library
from agent.library.said import Held, SaidRow, SaidWords
from agent.model.clips import SavedClip
from protos.clippy.v1 import clips_pb2
from protos.timebase import SECOND_NS
from protos.words import terms_of, words_of

LIVE, OLD = "live", "old"
# The ring holds the last 300 s of 1,000.
HELD = Held(session_id=LIVE, start_ns=700 * SECOND_NS)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path / "library.db")
    yield opened
    opened.close()


@pytest.fixture
def said(library: Library) -> SaidWords:
    return SaidWords(library)


def row(said_id: int, text: str, *, start_s: float = 800, session_id: str = LIVE) -> SaidRow:
    start_ns = round(start_s * SECOND_NS)
    return SaidRow(
        said_id=said_id, session_id=session_id, start_ns=start_ns, end_ns=start_ns + 2 * SECOND_NS, text=text
    )


def clip(clip_id: str, *, start_s: int, end_s: int, session_id: str = OLD, title: str = "") -> SavedClip:
    return SavedClip(
        clip_id=clip_id,
        session_id=session_id,
        path=f"/videos/{clip_id} file.mp4",
        start_ns=start_s * SECOND_NS,
        end_ns=end_s * SECOND_NS,
        latency_ms=1,
        trigger="key",
        size_bytes=1,
        created_unix_ms=1,
        title=title,
    )


def found(library: Library, query: str, held: Held = HELD) -> list[Hit]:
    return LibrarySearch(library).find(query, held=held, limit=20)


def texts(library: Library, query: str, held: Held = HELD) -> list[str]:
    return [hit.text for hit in found(library, query, held)]


def test_words_in_the_ring_or_in_a_clip_are_kept_and_others_are_not(library: Library, said: SaidWords):
    library.add_clip(clip("c1", start_s=10, end_s=40))
    rows = [
        row(1, "in the ring"),
        row(2, "before the ring", start_s=600),
        row(3, "in a clip", start_s=20, session_id=OLD),
        row(4, "in no clip", start_s=60, session_id=OLD),
    ]

    assert said.keep(rows, held=HELD) == 2
    assert texts(library, "in") == ["in the ring", "in a clip"]


def test_the_same_words_twice_are_kept_once_and_the_highest_number_is_known(said: SaidWords):
    assert said.keep([row(7, "once"), row(5, "before")], held=HELD) == 2
    assert said.keep([row(7, "once")], held=HELD) == 0

    assert (said.last_id(LIVE), said.last_id(OLD)) == (7, 0)


def test_another_coordinators_numbers_are_its_own(library: Library, said: SaidWords):
    library.add_clip(clip("c1", start_s=10, end_s=40))

    said.keep([row(1, "one place"), row(1, "another place", start_s=20, session_id=OLD)], held=HELD)

    assert sorted(texts(library, "place")) == ["another place", "one place"]


def test_words_that_are_held_no_more_go_but_for_those_of_clips(library: Library, said: SaidWords):
    said.keep([row(1, "clipped"), row(2, "elsewhere", start_s=850)], held=HELD)
    library.add_clip(clip("c1", start_s=790, end_s=820, session_id=LIVE))

    num_gone = said.prune(held=Held(session_id="next", start_ns=0))

    assert num_gone == 1
    assert texts(library, "clipped", Held(session_id="", start_ns=0)) == ["clipped"]
    assert texts(library, "elsewhere", Held(session_id="", start_ns=0)) == []


def test_forgotten_words_are_gone_from_the_file_too_and_do_not_come_back(
    library: Library, said: SaidWords, tmp_path: Path
):
    said.keep([row(1, "verysecretword here"), row(2, "harmless", start_s=900)], held=HELD)
    forgetting = LibraryForgetting(library)
    span = (LIVE, 790 * SECOND_NS, 810 * SECOND_NS)
    assert forgetting.num_said(*span) == 1

    assert forgetting.forget_said(*span) == 1
    said.keep([row(1, "verysecretword here"), row(3, "verysecretword again", start_s=805)], held=HELD)

    assert texts(library, "verysecretword") == []
    assert texts(library, "harmless") == ["harmless"]
    library.close()
    with sqlite3.connect(tmp_path / "library.db") as db:
        db.execute("pragma wal_checkpoint(truncate)")
    db.close()
    assert b"verysecretword" not in (tmp_path / "library.db").read_bytes()


@pytest.mark.parametrize(
    ("query", "said_so"),
    [
        ("PENALTY", "penalty for Müller, he's done it"),
        ("penal", "penalty for Müller, he's done it"),
        ("muller", "penalty for Müller, he's done it"),
        ("hes", "penalty for Müller, he's done it"),
        ("penatly", "penalty for Müller, he's done it"),
        ("penalti muler", "penalty for Müller, he's done it"),
        ('"done it"', "penalty for Müller, he's done it"),
        ("すごい", "これはすごいですね"),
    ],
)
def test_words_are_found_as_they_are_asked_for(library: Library, said: SaidWords, query: str, said_so: str):
    said.keep(
        [row(1, "penalty for Müller, he's done it"), row(2, "これはすごいですね", start_s=900)], held=HELD
    )

    assert texts(library, query) == [said_so]


@pytest.mark.parametrize(
    "query", ['"it done"', "absent", "penalty absent", "pe nalty", "NEAR(penalty)", '" OR penalty']
)
def test_what_was_not_said_is_not_found(library: Library, said: SaidWords, query: str):
    said.keep([row(1, "a penalty, he has done it")], held=HELD)

    assert texts(library, query) == []


def test_exact_words_come_before_beginnings_and_slips(library: Library, said: SaidWords):
    said.keep(
        [row(1, "goalkeeper", start_s=910), row(2, "a goal", start_s=800), row(3, "no", start_s=920)],
        held=HELD,
    )

    assert texts(library, "goal") == ["a goal", "goalkeeper"]


def test_a_hit_in_a_clip_names_it_and_one_in_the_buffer_names_none(library: Library, said: SaidWords):
    library.add_clip(clip("c1", start_s=790, end_s=820, session_id=LIVE))
    said.keep([row(1, "what a goal"), row(2, "another goal", start_s=900)], held=HELD)

    places = {hit.text: hit.clip.clip_id if hit.clip else None for hit in found(library, "goal")}

    assert places == {"what a goal": "c1", "another goal": None}


def test_titles_names_and_kinds_are_found_without_any_words(library: Library):
    library.add_clip(clip("c1", start_s=10, end_s=40, title="The last stand"))
    moment = clips_pb2.Moment(
        moment_id="m1", session_id=LIVE, start_ns=800 * SECOND_NS, end_ns=810 * SECOND_NS, kind="shout"
    )
    library.upsert_moment(moment)

    assert [hit.clip.clip_id for hit in found(library, "stand") if hit.clip] == ["c1"]
    assert [hit.clip.clip_id for hit in found(library, "c1 file") if hit.clip] == ["c1"]
    assert texts(library, "shout") == ["shout"]


def test_a_query_without_a_word_is_refused(library: Library):
    with pytest.raises(InputUnusable, match="no word"):
        found(library, " !? ")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80))
def test_no_query_breaks_the_index(tmp_path_factory: pytest.TempPathFactory, text: str):
    opened = Library(tmp_path_factory.mktemp("library") / "library.db")
    try:
        SaidWords(opened).keep([row(1, text)], held=HELD)
        hits = texts(opened, text) if terms_of(text) else []
    finally:
        opened.close()

    assert hits == ([text] if hits else [])
    assert words_of(" ".join(words_of(text))) == words_of(text)
