"""What the library holds of a span that is to be forgotten. Any thread; each call is one transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence

from agent.library.library import Library
from agent.library.said import SaidWords
from agent.model.clips import SavedClip
from protos.clippy.v1 import clips_pb2

_OVERLAPS = "session_id = ? and start_ns < ? and end_ns > ?"


class LibraryForgetting:
    """Finds and deletes rows by the span they show. Files are the caller's."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def overlapping(self, session_id: str, start_ns: int, end_ns: int) -> list[SavedClip]:
        """Every clip that holds part of it, those in a trash included; oldest first."""
        with self._library.database.read() as db:
            ids = db.execute(
                "select clip_id from clips where session_id = ? and start_ns < ? and end_ns > ?"
                " order by start_ns, clip_id",
                [session_id, end_ns, start_ns],
            ).fetchall()
        found = (self._library.clip(clip_id) for (clip_id,) in ids)
        return [clip for clip in found if clip is not None]

    def delete_clips(self, clip_ids: Sequence[str]) -> None:
        """Delete the rows of these clips and of their exports; unknown ones are quietly ignored."""
        marks = ", ".join("?" for _ in clip_ids)
        with self._library.database.write() as db:
            db.execute(f"delete from exports where clip_id in ({marks})", list(clip_ids))
            db.execute(f"delete from clips where clip_id in ({marks})", list(clip_ids))

    def moments(self, session_id: str, start_ns: int, end_ns: int) -> list[str]:
        """The ids of the moments that lie in it, wholly or in part: their titles say what was heard."""
        with self._library.database.read() as db:
            rows = db.execute(
                "select moment_id, message from moments where start_ns < ?", [end_ns]
            ).fetchall()
        found = []
        for moment_id, message in rows:
            moment = clips_pb2.Moment.FromString(message)
            if moment.session_id == session_id and moment.end_ns > start_ns:
                found.append(moment_id)
        return found

    def num_said(self, session_id: str, start_ns: int, end_ns: int) -> int:
        """How many utterances that the coordinator heard lie in it, wholly or in part."""
        return SaidWords(self._library).count(session_id, start_ns, end_ns)

    def forget_said(self, session_id: str, start_ns: int, end_ns: int) -> int:
        """Delete those, and take none of them any more; returns how many went."""
        return SaidWords(self._library).forget(session_id, start_ns, end_ns)

    def delete_moments(self, moment_ids: Sequence[str]) -> None:
        """Delete moments and what was exported of them."""
        marks = ", ".join("?" for _ in moment_ids)
        with self._library.database.write() as db:
            db.execute(f"delete from exports where moment_id in ({marks})", list(moment_ids))
            db.execute(f"delete from moments where moment_id in ({marks})", list(moment_ids))

    def num_verdicts(self, session_id: str, start_ns: int, end_ns: int) -> int:
        """How many verdicts are about moments of it."""
        with self._library.database.read() as db:
            row = db.execute(
                f"select count(*) from verdicts where {_OVERLAPS}", [session_id, end_ns, start_ns]
            ).fetchone()
        return int(row[0])

    def delete_verdicts(self, session_id: str, start_ns: int, end_ns: int) -> int:
        """Delete what was said of moments of it; returns how many verdicts."""
        with self._library.database.write() as db:
            done = db.execute(f"delete from verdicts where {_OVERLAPS}", [session_id, end_ns, start_ns])
        return int(done.rowcount)
