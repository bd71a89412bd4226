"""What the user has: saved clips, and the moments and exports that the coordinator offers.

Rows are the truth: nothing here touches a file, and a row whose file is gone stays and is reported as
missing (the disk may only be unplugged). Any thread.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agent.errors import InputUnusable
from agent.library.database import ThreadedDatabase
from agent.library.schema import migrations
from agent.model.clips import SavedClip, Trigger
from protos.clippy.v1 import clips_pb2

# The audit of presses is for the user's eyes: a year of heavy use.
MAX_PRESSES = 10_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """One press and what became of it: exactly one of `clip_id` and `error` is not empty."""

    at_unix_ms: int
    trigger: Trigger
    clip_id: str
    error: str


class Library:
    """The agent's `library.db`."""

    def __init__(self, path: Path) -> None:
        """Open it, making it if need be; a corrupt file is put aside (`moved_aside`) and a new one begun.

        Raises:
            EnvironmentProblem: It cannot be opened.
        """
        self._database = ThreadedDatabase(path, migrations)
        self.moved_aside = self._database.moved_aside

    def close(self) -> None:
        """Close it for all threads. Twice is once."""
        self._database.close()

    @property
    def database(self) -> ThreadedDatabase:
        """The open file, for queries that have a module of their own."""
        return self._database

    # -- clips --

    def add_clip(self, clip: SavedClip) -> None:
        """Add a clip, or replace the one of that id.

        Raises:
            DiskFull, EnvironmentProblem: It cannot be written. So for every method here.
        """
        with self._database.write() as db:
            db["clips"].upsert(_row_of(clip), pk="clip_id")

    def replace_clip_file(
        self, clip_id: str, *, path: str, start_ns: int, end_ns: int, size_bytes: int, note: str = ""
    ) -> None:
        """The clip shows another span now: pressed again, or its ends were moved.

        Raises:
            InputUnusable: There is no such clip.
        """
        values = {"path": path, "start_ns": start_ns, "end_ns": end_ns, "size_bytes": size_bytes}
        self._update(clip_id, values | {"note": note})

    def set_thumbnail(self, clip_id: str, thumbnail_path: str) -> None:
        """Raises:
        InputUnusable: There is no such clip. So for the setters below.
        """
        self._update(clip_id, {"thumbnail_path": thumbnail_path})

    def set_title(self, clip_id: str, title: str) -> None:
        """What the user calls it; empty: nothing."""
        self._update(clip_id, {"title": title})

    def set_locked(self, clip_id: str, is_locked: bool) -> None:
        """A locked clip goes neither to the trash nor is it forgotten."""
        self._update(clip_id, {"is_locked": int(is_locked)})

    def set_trashed(self, clip_id: str, *, path: str, original_path: str, at_unix_ms: int) -> None:
        """Its file lies in the trash now, or (`at_unix_ms` 0) is back where it was."""
        values = {"path": path, "original_path": original_path, "trashed_unix_ms": at_unix_ms}
        self._update(clip_id, values)

    def delete_clip(self, clip_id: str) -> None:
        """Forget a clip; its file is its owner's to delete first. An unknown one is quietly ignored."""
        with self._database.write() as db:
            db.execute("delete from clips where clip_id = ?", [clip_id])

    def _update(self, clip_id: str, values: dict[str, Any]) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._database.write() as db:
            done = db.execute(f"update clips set {columns} where clip_id = ?", [*values.values(), clip_id])
            if done.rowcount == 0:
                raise InputUnusable(f"there is no clip {clip_id!r} in the library")

    def clip(self, clip_id: str) -> SavedClip | None:
        """One clip, or None."""
        with self._database.read() as db:
            rows = list(db.query("select * from clips where clip_id = ?", [clip_id]))
        return _clip_of(rows[0]) if rows else None

    def find_clip(self, words: str) -> SavedClip:
        """The clip of an id, of the beginning of one, or of a file's whole path.

        Raises:
            InputUnusable: There is none, or more than one begins so.
        """
        with self._database.read() as db:
            rows = list(
                db.query(
                    "select * from clips where length(:words) > 0 and (path = :words or original_path = :words "
                    "or substr(clip_id, 1, length(:words)) = :words) "
                    "order by clip_id = :words desc, created_unix_ms desc limit 3",
                    {"words": words},
                )
            )
        found = [_clip_of(row) for row in rows]
        if len(found) > 1 and not (found[0].clip_id == words or found[0].path == words):
            raise InputUnusable(f"more than one clip begins with {words!r}; give more of its id")
        if not found:
            raise InputUnusable(f"there is no clip {words!r} in the library; `clippy library` lists them")
        return found[0]

    def original_path(self, clip_id: str) -> str:
        """Where a clip in the trash came from; empty when it is in none."""
        with self._database.read() as db:
            row = db.execute("select original_path from clips where clip_id = ?", [clip_id]).fetchone()
        return str(row[0]) if row else ""

    def clips(self, limit: int = 100, *, is_trash: bool = False) -> list[SavedClip]:
        """The newest clips, newest first; those in the trash instead, the last put there first."""
        wanted = "trashed_unix_ms > 0" if is_trash else "trashed_unix_ms = 0"
        with self._database.read() as db:
            rows = list(
                db.query(
                    f"select * from clips where {wanted} "
                    "order by trashed_unix_ms desc, created_unix_ms desc, rowid desc limit ?",
                    [limit],
                )
            )
        return [_clip_of(row) for row in rows]

    def num_clips_ever(self) -> int:
        """How many clips there have been, about: those deleted last are not counted."""
        with self._database.read() as db:
            return int(db.execute("select coalesce(max(rowid), 0) from clips").fetchone()[0])

    # -- what the coordinator offers --

    def upsert_moment(self, moment: clips_pb2.Moment) -> None:
        """Keep a moment, or its newer state."""
        row = {
            "moment_id": moment.moment_id,
            "score": moment.score,
            "start_ns": moment.start_ns,
            "message": moment.SerializeToString(),
        }
        with self._database.write() as db:
            db["moments"].upsert(row, pk="moment_id")

    def upsert_export(self, export: clips_pb2.Export) -> None:
        """Keep an export, or its newer state; its moment need not be known yet. One that was replaced goes."""
        row = {
            "export_id": export.export_id,
            "moment_id": export.moment_id,
            "clip_id": export.clip_id,
            "message": export.SerializeToString(),
        }
        with self._database.write() as db:
            if export.state == "replaced":
                db.execute("delete from exports where export_id = ?", [export.export_id])
                return
            db["exports"].upsert(row, pk="export_id")

    def moments(self, limit: int = 100) -> list[tuple[clips_pb2.Moment, list[clips_pb2.Export]]]:
        """The best moments, best first, each with its exports."""
        return [(moment, self.exports_of_moment(moment.moment_id)) for moment in self.moments_alone(limit)]

    def moments_alone(self, limit: int = 100) -> list[clips_pb2.Moment]:
        """The best moments, best first, without their exports."""
        with self._database.read() as db:
            rows = db.execute(
                "select message from moments order by score desc, start_ns limit ?", [limit]
            ).fetchall()
        return [clips_pb2.Moment.FromString(message) for (message,) in rows]

    def exports_of_moment(self, moment_id: str) -> list[clips_pb2.Export]:
        """The exports made of a moment."""
        with self._database.read() as db:
            return _exports(db, "moment_id", moment_id)

    def exports_of_clip(self, clip_id: str) -> list[clips_pb2.Export]:
        """The exports made of a saved clip."""
        with self._database.read() as db:
            return _exports(db, "clip_id", clip_id)

    # -- presses --

    def add_press(self, *, at_unix_ms: int, trigger: Trigger, clip_id: str = "", error: str = "") -> None:
        """Note a press and what became of it; a press is never lost, not even from the record."""
        with self._database.write() as db:
            db["presses"].insert(
                {"at_unix_ms": at_unix_ms, "trigger": trigger, "clip_id": clip_id, "error": error}
            )
            db.execute(
                "delete from presses where press_id <= (select max(press_id) from presses) - ?", [MAX_PRESSES]
            )

    def presses(self, limit: int = 100) -> list[Press]:
        """The newest presses, newest first."""
        with self._database.read() as db:
            rows = list(
                db.query(
                    'select at_unix_ms, "trigger", clip_id, error from presses order by press_id desc limit ?',
                    [limit],
                )
            )
        return [Press(**row) for row in rows]

    # -- facts --

    def set_fact(self, name: str, value: str) -> None:
        """Keep one small thing under a name."""
        with self._database.write() as db:
            db["facts"].upsert({"name": name, "value": value}, pk="name")

    def fact(self, name: str) -> str:
        """What was kept under that name; empty when nothing was."""
        with self._database.read() as db:
            row = db.execute("select value from facts where name = ?", [name]).fetchone()
        return str(row[0]) if row else ""


def _row_of(clip: SavedClip) -> dict[str, Any]:
    row = dataclasses.asdict(clip)
    # How far its ends reach is the ring's to say, and changes with every second.
    del row["min_start_ns"], row["max_end_ns"]
    return row | {"tracks": json.dumps(clip.tracks) if clip.tracks else ""}


def _clip_of(row: dict[str, Any]) -> SavedClip:
    values = {name: value for name, value in row.items() if name != "original_path"}
    tracks = tuple(json.loads(row["tracks"])) if row["tracks"] else ()
    flags = {name: bool(row[name]) for name in ("is_locked", "is_exact")}
    return SavedClip(**values | flags | {"tracks": tracks})


def _exports(db: Any, column: str, value: str) -> list[clips_pb2.Export]:
    rows = db.query(f"select message from exports where {column} = ? order by rowid", [value])
    return [clips_pb2.Export.FromString(row["message"]) for row in rows]


def missing_clips(clips: Sequence[SavedClip] | Iterable[SavedClip]) -> frozenset[str]:
    """The ids of those clips whose file is not there (moved, deleted, on an unplugged disk)."""
    return frozenset(clip.clip_id for clip in clips if not Path(clip.path).is_file())
