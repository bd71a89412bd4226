"""What the user has: saved clips, and the moments and exports that the coordinator offers.

Rows are the truth: nothing here deletes a file, and a row whose file is gone stays and is reported as
missing (the disk may only be unplugged). Any thread.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agent.errors import InputUnusable
from agent.library.database import ThreadedDatabase
from agent.library.schema import migrations
from agent.model.clips import SavedClip, Trigger
from protos.clippy.v1 import clips_pb2

PAGE_URL = "page_url"
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

    # -- clips --

    def add_clip(self, clip: SavedClip) -> None:
        """Add a clip, or replace the one of that id.

        Raises:
            DiskFull, EnvironmentProblem: It cannot be written. So for every method here.
        """
        with self._database.write() as db:
            db["clips"].upsert(dataclasses.asdict(clip), pk="clip_id")

    def replace_clip_file(
        self, clip_id: str, *, path: str, start_ns: int, end_ns: int, size_bytes: int
    ) -> None:
        """The clip shows another span now: pressed again, or its ends were moved.

        Raises:
            InputUnusable: There is no such clip.
        """
        values = {"path": path, "start_ns": start_ns, "end_ns": end_ns, "size_bytes": size_bytes}
        self._update(clip_id, values)

    def set_thumbnail(self, clip_id: str, thumbnail_path: str) -> None:
        """Raises:
        InputUnusable: There is no such clip.
        """
        self._update(clip_id, {"thumbnail_path": thumbnail_path})

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
        return SavedClip(**rows[0]) if rows else None

    def clips(self, limit: int = 100) -> list[SavedClip]:
        """The newest clips, newest first."""
        with self._database.read() as db:
            rows = list(
                db.query("select * from clips order by created_unix_ms desc, rowid desc limit ?", [limit])
            )
        return [SavedClip(**row) for row in rows]

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
        """Keep an export, or its newer state; its moment need not be known yet."""
        row = {
            "export_id": export.export_id,
            "moment_id": export.moment_id,
            "clip_id": export.clip_id,
            "message": export.SerializeToString(),
        }
        with self._database.write() as db:
            db["exports"].upsert(row, pk="export_id")

    def moments(self, limit: int = 100) -> list[tuple[clips_pb2.Moment, list[clips_pb2.Export]]]:
        """The best moments, best first, each with its exports."""
        with self._database.read() as db:
            rows = list(
                db.query(
                    "select moment_id, message from moments order by score desc, start_ns limit ?", [limit]
                )
            )
            return [
                (clips_pb2.Moment.FromString(row["message"]), _exports(db, "moment_id", row["moment_id"]))
                for row in rows
            ]

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
        """Keep one small thing, e.g. the coordinator's page under `PAGE_URL`."""
        with self._database.write() as db:
            db["facts"].upsert({"name": name, "value": value}, pk="name")

    def fact(self, name: str) -> str:
        """What was kept under that name; empty when nothing was."""
        with self._database.read() as db:
            row = db.execute("select value from facts where name = ?", [name]).fetchone()
        return str(row[0]) if row else ""


def _exports(db: Any, column: str, value: str) -> list[clips_pb2.Export]:
    rows = db.query(f"select message from exports where {column} = ? order by rowid", [value])
    return [clips_pb2.Export.FromString(row["message"]) for row in rows]


def missing_clips(clips: Sequence[SavedClip] | Iterable[SavedClip]) -> frozenset[str]:
    """The ids of those clips whose file is not there (moved, deleted, on an unplugged disk)."""
    return frozenset(clip.clip_id for clip in clips if not Path(clip.path).is_file())
