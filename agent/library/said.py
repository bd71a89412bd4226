"""What was said in what this PC still holds, as it came down from the coordinator. Any thread.

Words of what is neither in the ring nor in a clip go; words of a span that was forgotten go, and none come back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from agent.library.library import Library
from protos.words import words_of

# Of one utterance; nobody says more in one breath.
MAX_TEXT_CHARACTERS = 2_000
# Days of talk; what is more is not kept, whoever sends it.
MAX_ROWS = 200_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SaidRow:
    """Words without a pause between them. `said_id`: the coordinator's own number."""

    said_id: int
    session_id: str
    start_ns: int
    end_ns: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the ring holds. `session_id` empty: nothing."""

    session_id: str
    start_ns: int


class SaidWords:
    """The words of the agent's own sessions."""

    def __init__(self, library: Library) -> None:
        self._database = library.database

    def keep(self, rows: Sequence[SaidRow], *, held: Held) -> int:
        """Keep those of them that the ring or a clip holds; returns how many. The same words twice are kept once.

        Raises:
            DiskFull, EnvironmentProblem: They cannot be written. So for every method here.
        """
        num_kept = 0
        with self._database.write() as db:
            for row in rows:
                if _is_held(db, row, held) and not _is_forgotten(db, row):
                    num_kept += _put(db, row)
                _remember(db, row)
            if _count(db) > MAX_ROWS:
                newest = "select row_id from said order by row_id desc limit ?"
                _delete(db, f"row_id not in ({newest})", [MAX_ROWS])
        return num_kept

    @property
    def is_empty(self) -> bool:
        """Are there none of any session?"""
        with self._database.read() as db:
            return db.execute("select 1 from said limit 1").fetchone() is None

    def last_id(self, session_id: str) -> int:
        """The highest number of the session that came down, kept or not; 0: none did."""
        with self._database.read() as db:
            row = db.execute(
                "select last_id from said_sessions where session_id = ?", [session_id]
            ).fetchone()
        return int(row[0]) if row else 0

    def prune(self, *, held: Held) -> int:
        """Drop what neither the ring nor a clip holds any more; returns how many."""
        with self._database.write() as db:
            return _delete(
                db,
                "not (session_id = ? and end_ns > ?) and not exists (select 1 from clips c where "
                "c.session_id = said.session_id and c.start_ns < said.end_ns and c.end_ns > said.start_ns)",
                [held.session_id, held.start_ns],
            )

    def count(self, session_id: str, start_ns: int, end_ns: int) -> int:
        """How many there are in a span."""
        with self._database.read() as db:
            [row] = db.execute(
                "select count(*) from said where session_id = ? and start_ns < ? and end_ns > ?",
                [session_id, end_ns, start_ns],
            )
        return int(row[0])

    def forget(self, session_id: str, start_ns: int, end_ns: int) -> int:
        """Delete the words of a span, and take none of it from now on; returns how many went."""
        with self._database.write() as db:
            num_gone = _delete(
                db, "session_id = ? and start_ns < ? and end_ns > ?", [session_id, end_ns, start_ns]
            )
            values = {"session_id": session_id, "start_ns": start_ns, "end_ns": end_ns}
            if not db.execute(
                "select 1 from said_forgotten where session_id = ? and start_ns = ? and end_ns = ?",
                list(values.values()),
            ).fetchone():
                db["said_forgotten"].insert(values)
            # An index of words keeps deleted ones in its older parts until they are merged.
            db.execute("insert into said_words (said_words) values ('optimize')")
        return num_gone


def _put(db: Any, row: SaidRow) -> int:
    known = "select 1 from said where session_id = ? and said_id = ?"
    if db.execute(known, [row.session_id, row.said_id]).fetchone():
        return 0
    text = row.text[:MAX_TEXT_CHARACTERS]
    db["said"].insert(dataclasses.asdict(row) | {"text": text})
    words = " ".join(words_of(text))
    db.execute("insert into said_words (rowid, words) values (last_insert_rowid(), ?)", [words])
    return 1


def _remember(db: Any, row: SaidRow) -> None:
    db.execute(
        "insert into said_sessions (session_id, last_id) values (?, ?)"
        " on conflict (session_id) do update set last_id = max(last_id, excluded.last_id)",
        [row.session_id, row.said_id],
    )


def _is_held(db: Any, row: SaidRow, held: Held) -> bool:
    if row.session_id == held.session_id and row.end_ns > held.start_ns:
        return True
    return bool(
        db.execute(
            "select 1 from clips where session_id = ? and start_ns < ? and end_ns > ? limit 1",
            [row.session_id, row.end_ns, row.start_ns],
        ).fetchone()
    )


def _is_forgotten(db: Any, row: SaidRow) -> bool:
    return bool(
        db.execute(
            "select 1 from said_forgotten where session_id = ? and start_ns < ? and end_ns > ? limit 1",
            [row.session_id, row.end_ns, row.start_ns],
        ).fetchone()
    )


def _count(db: Any) -> int:
    return int(db.execute("select count(*) from said").fetchone()[0])


def _delete(db: Any, where: str, values: list[Any]) -> int:
    ids = [row_id for (row_id,) in db.execute(f"select row_id from said where {where}", values).fetchall()]
    for row_id in ids:
        db.execute("delete from said_words where rowid = ?", [row_id])
        db.execute("delete from said where row_id = ?", [row_id])
    return len(ids)
