"""The library keeps what it is given, through restarts, threads and a corrupt file."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading

import pytest

from agent.errors import EnvironmentProblem, InputUnusable
from agent.library.library import Library, Press, missing_clips
from agent.library.schema import m001_first, migrations
from agent.model.clips import SavedClip
from protos.clippy.v1 import clips_pb2

CLIP = SavedClip(
    clip_id="c1",
    session_id="s",
    path="/nowhere/clip.mp4",
    start_ns=5,
    end_ns=9,
    latency_ms=80,
    trigger="key",
    size_bytes=1000,
    created_unix_ms=100,
)


@pytest.fixture
def library(tmp_path):
    library = Library(tmp_path / "library.db")
    yield library
    library.close()


def test_a_clip_is_read_back_as_it_was(library):
    library.add_clip(CLIP)

    assert library.clip("c1") == CLIP


def test_an_unknown_clip_is_none(library):
    assert library.clip("c1") is None


def test_all_that_a_clip_may_be_is_read_back(library):
    clip = dataclasses.replace(
        CLIP, title="Ace", is_locked=True, is_exact=True, note="12 s of 30 s", tracks=("mix", "a, b")
    )
    library.add_clip(clip)

    assert library.clip("c1") == clip


def test_clips_of_an_older_version_are_still_there(tmp_path):
    old = sqlite3.connect(tmp_path / "library.db")
    from sqlite_utils import Database

    database = Database(old)
    m001_first(database)
    migrations.ensure_migrations_table(database)
    database["_sqlite_migrations"].insert(
        {"migration_set": "clippy_library", "name": "m001_first", "applied_at": "2026"}
    )
    columns = ("clip_id", "session_id", "path", "start_ns", "end_ns", "latency_ms", "trigger", "size_bytes")
    database["clips"].insert(
        {name: getattr(CLIP, name) for name in columns} | {"created_unix_ms": 100, "thumbnail_path": ""}
    )
    old.commit()
    old.close()

    library = Library(tmp_path / "library.db")
    assert library.clips() == [CLIP]
    library.close()


def test_a_clip_is_found_by_its_id_the_beginning_of_it_or_its_file(library):
    for clip_id in ("abc1", "abc2", "abc"):
        library.add_clip(dataclasses.replace(CLIP, clip_id=clip_id, path=f"/nowhere/{clip_id}.mp4"))

    found = [library.find_clip(words).clip_id for words in ("abc", "abc1", "/nowhere/abc2.mp4")]

    assert found == ["abc", "abc1", "abc2"]
    with pytest.raises(InputUnusable, match="more than one"):
        library.find_clip("ab")
    for words in ("", "x", "%", "abc3"):
        with pytest.raises(InputUnusable, match="there is no clip"):
            library.find_clip(words)


def test_what_is_in_the_trash_is_listed_apart(library):
    for number in range(3):
        library.add_clip(dataclasses.replace(CLIP, clip_id=f"c{number}"))
    for clip_id, at_unix_ms in (("c0", 5), ("c1", 9)):
        library.set_trashed(
            clip_id, path="/t/x.mp4", original_path="/nowhere/clip.mp4", at_unix_ms=at_unix_ms
        )

    assert [clip.clip_id for clip in library.clips()] == ["c2"]
    assert [clip.clip_id for clip in library.clips(is_trash=True)] == ["c1", "c0"]
    assert library.original_path("c1") == "/nowhere/clip.mp4"


def test_the_newest_clips_come_first(library):
    for number in range(5):
        library.add_clip(dataclasses.replace(CLIP, clip_id=f"c{number}", created_unix_ms=number))

    assert [clip.clip_id for clip in library.clips(3)] == ["c4", "c3", "c2"]


def test_a_clip_can_show_another_span(library):
    library.add_clip(CLIP)

    library.replace_clip_file("c1", path="/nowhere/longer.mp4", start_ns=1, end_ns=20, size_bytes=7)

    assert library.clip("c1") == dataclasses.replace(
        CLIP, path="/nowhere/longer.mp4", start_ns=1, end_ns=20, size_bytes=7
    )


def test_a_thumbnail_can_come_later(library):
    library.add_clip(CLIP)

    library.set_thumbnail("c1", "/t.jpg")

    assert library.clip("c1").thumbnail_path == "/t.jpg"


def test_changing_an_unknown_clip_is_told(library):
    with pytest.raises(InputUnusable, match="'c9'"):
        library.set_thumbnail("c9", "/t.jpg")


def test_a_clip_whose_file_is_gone_is_reported_and_kept(library, tmp_path):
    there = tmp_path / "there.mp4"
    there.write_bytes(b"x")
    library.add_clip(CLIP)
    library.add_clip(dataclasses.replace(CLIP, clip_id="c2", path=str(there)))

    assert (missing_clips(library.clips()), len(library.clips())) == (frozenset({"c1"}), 2)


def moment(moment_id, score, title=""):
    return clips_pb2.Moment(
        moment_id=moment_id,
        score=score,
        title=title,
        evidence=[clips_pb2.Evidence(lane="mic", weight=1.0, note="shouting")],
    )


def test_the_best_moments_come_first_with_their_exports(library):
    export = clips_pb2.Export(export_id="e1", moment_id="m2", preset="vertical", state="ready")
    library.upsert_moment(moment("m1", 0.2))
    library.upsert_export(export)
    library.upsert_moment(moment("m2", 0.9))

    assert library.moments() == [(moment("m2", 0.9), [export]), (moment("m1", 0.2), [])]


def test_a_newer_state_replaces_the_older_one(library):
    library.upsert_moment(moment("m1", 0.2))
    library.upsert_moment(moment("m1", 0.4, title="better"))
    library.upsert_export(clips_pb2.Export(export_id="e1", moment_id="m1", state="pending"))
    library.upsert_export(clips_pb2.Export(export_id="e1", moment_id="m1", state="failed", reason="why"))

    ((found, exports),) = library.moments()

    assert (found.title, [export.state for export in exports]) == ("better", ["failed"])


def test_a_post_that_was_replaced_is_gone_and_one_that_was_never_here_stays_away(library):
    library.upsert_export(clips_pb2.Export(export_id="e1", clip_id="c1", state="ready"))

    for export_id in ("e1", "e2"):
        library.upsert_export(clips_pb2.Export(export_id=export_id, clip_id="c1", state="replaced"))

    assert library.exports_of_clip("c1") == []


def test_exports_of_a_saved_clip_are_found(library):
    export = clips_pb2.Export(export_id="e1", clip_id="c1")
    library.upsert_export(export)

    assert library.exports_of_clip("c1") == [export]


def test_a_failed_press_is_on_record(library):
    library.add_press(at_unix_ms=1, trigger="key", clip_id="c1")
    library.add_press(at_unix_ms=2, trigger="command", error="disk_full")

    assert library.presses() == [
        Press(at_unix_ms=2, trigger="command", clip_id="", error="disk_full"),
        Press(at_unix_ms=1, trigger="key", clip_id="c1", error=""),
    ]


def test_a_fact_is_kept(library):
    assert library.fact("page") == ""

    library.set_fact("page", "http://127.0.0.1:1/")

    assert library.fact("page") == "http://127.0.0.1:1/"


def test_everything_survives_a_restart(tmp_path):
    first = Library(tmp_path / "library.db")
    first.add_clip(CLIP)
    first.close()

    second = Library(tmp_path / "library.db")
    found = second.clips()
    second.close()

    assert found == [CLIP]


def test_many_threads_write_at_once(library):
    def write(number):
        for index in range(10):
            library.add_clip(dataclasses.replace(CLIP, clip_id=f"{number}-{index}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(library.clips()) == 40


@pytest.mark.parametrize("damage", ["not a database", "overwritten page"])
@pytest.mark.logs("database_moved_aside")
def test_a_corrupt_file_is_put_aside_and_a_new_one_begun(tmp_path, damage):
    path = tmp_path / "library.db"
    if damage == "not a database":
        path.write_bytes(b"no database " * 1000)
    else:
        broken = Library(path)
        for number in range(200):
            broken.add_clip(dataclasses.replace(CLIP, clip_id=str(number)))
        broken.close()
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * (len(data) - 4096)
        path.write_bytes(data)

    library = Library(path)
    library.add_clip(CLIP)
    library.close()

    assert library.moved_aside.exists()
    assert library.moved_aside.name.startswith("library.db.corrupt-")


def test_a_library_of_another_process_is_waited_for(tmp_path, library):
    other = sqlite3.connect(tmp_path / "library.db", isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    timer = threading.Timer(0.1, lambda: other.execute("commit"))
    timer.start()

    library.add_clip(CLIP)

    timer.join()
    other.close()
    assert library.clip("c1") == CLIP


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(EnvironmentProblem, match="file"):
        Library(tmp_path / "file" / "library.db")
