"""The trash: locked clips stay out, only rows are emptied, and nothing goes before its time."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path

import pytest

from agent.errors import EnvironmentProblem, InputUnusable
from agent.library.journal import ClipJournal
from agent.library.library import Library
from agent.library.trash import DAY_MS, Trash
from agent.model.clips import SavedClip

NOW_MS = 1_800_000_000_000


class Kept:
    """A library with one clip whose file is there."""

    def __init__(self, folder: Path) -> None:
        self.library = Library(folder / "library.db")
        self.journal = ClipJournal(folder / "journal")
        self.trash = Trash(self.library, self.journal, days=7)
        self.path = folder / "clips" / "a.mp4"
        self.path.parent.mkdir()
        self.path.write_bytes(b"a clip")
        self.clip = SavedClip(
            clip_id="c1c1c1c1c1",
            session_id="s",
            path=str(self.path),
            start_ns=0,
            end_ns=9,
            latency_ms=80,
            trigger="key",
            size_bytes=6,
            created_unix_ms=100,
        )
        self.library.add_clip(self.clip)

    def put(self) -> SavedClip:
        return self.trash.put(self.library.find_clip("c1"), now_unix_ms=NOW_MS)


@pytest.fixture
def kept(tmp_path: Path):
    kept = Kept(tmp_path)
    yield kept
    kept.library.close()


def test_a_clip_is_due_after_its_days_and_not_before(kept: Kept):
    trashed = kept.put()

    assert kept.trash.due(now_unix_ms=NOW_MS + 7 * DAY_MS - 1) == []
    assert kept.trash.due(now_unix_ms=NOW_MS + 7 * DAY_MS) == [trashed]
    assert kept.trash.goes_unix_ms(trashed) == NOW_MS + 7 * DAY_MS


def test_a_locked_clip_is_neither_thrown_away_nor_deleted(kept: Kept):
    kept.library.set_locked("c1c1c1c1c1", True)
    with pytest.raises(InputUnusable, match="locked"):
        kept.put()
    kept.library.set_locked("c1c1c1c1c1", False)
    kept.put()
    kept.library.set_locked("c1c1c1c1c1", True)

    assert kept.trash.due(now_unix_ms=NOW_MS + 365 * DAY_MS) == []
    with pytest.raises(InputUnusable, match="locked"):
        kept.trash.delete(kept.library.find_clip("c1"), reason="a test")


def test_a_clip_outside_the_trash_is_never_deleted(kept: Kept):
    with pytest.raises(InputUnusable, match="not in the trash"):
        kept.trash.delete(kept.clip, reason="a test")

    assert kept.path.is_file()


def test_a_file_that_came_back_to_the_place_of_a_trashed_row_is_not_ours(kept: Kept):
    kept.path.unlink()
    trashed = kept.put()
    kept.path.write_bytes(b"the user's own")

    kept.trash.delete(trashed, reason="a test")

    assert kept.path.read_bytes() == b"the user's own"
    assert kept.library.clips() == []


def test_a_restored_clip_makes_way_for_a_file_that_took_its_name(kept: Kept):
    trashed = kept.put()
    kept.path.write_bytes(b"the user's own")

    restored = kept.trash.restore(trashed)

    assert Path(restored.path).name == "a-2.mp4"
    assert Path(restored.path).read_bytes() == b"a clip"
    assert kept.path.read_bytes() == b"the user's own"


def test_on_another_disk_the_file_goes_only_when_its_copy_is_the_same(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
):
    def refuse(self: Path, _target: object) -> Path:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(Path, "rename", refuse)

    trashed = kept.put()

    assert Path(trashed.path).read_bytes() == b"a clip"
    assert not kept.path.exists()


def test_a_file_that_cannot_be_moved_stays_and_so_does_its_row(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Path, _target: object) -> Path:
        raise PermissionError(errno.EACCES, "it is open elsewhere")

    monkeypatch.setattr(Path, "rename", refuse)

    with pytest.raises(EnvironmentProblem, match="open in another program"):
        kept.put()

    assert kept.path.is_file()
    assert kept.library.clips() == [kept.clip]
    assert kept.journal.entries() == []


def test_a_row_that_cannot_be_written_leaves_the_file_where_the_row_says(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_args: object, **_options: object) -> None:
        raise EnvironmentProblem("cannot use library.db")

    monkeypatch.setattr(kept.library, "set_trashed", refuse)

    with pytest.raises(EnvironmentProblem, match=r"library\.db"):
        kept.put()

    assert kept.path.is_file()


def test_putting_away_twice_is_once(kept: Kept):
    trashed = kept.put()

    assert kept.put() == trashed
    assert dataclasses.replace(kept.trash.restore(trashed), trashed_unix_ms=0) == kept.clip
