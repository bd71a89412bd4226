"""What the user did with moments, as rows: kept, skipped, moved, deleted. Any thread."""

from __future__ import annotations

from agent.library.library import Library
from protos.clippy.v1 import clips_pb2
from protos.taste import Verdict
from protos.taste_wire import verdict_message, verdict_of

# Four times what is learnt from: several verdicts may be about one moment.
MAX_KEPT = 2000
_RESET_UNIX_MS = "taste_reset_unix_ms"
_YEAR_2100_MS = 4_102_444_800_000


class LibraryVerdicts:
    """Verdicts in the library's file.

    Raises (every method):
        DiskFull, EnvironmentProblem: As `Library`.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    def add(self, verdict: Verdict) -> bool:
        """Keep one, once; False, and nothing, when it is known or was said before the last reset."""
        subject = verdict.subject
        if verdict.at_unix_ms <= int(self._library.fact(_RESET_UNIX_MS) or 0):
            return False
        with self._library.database.write() as db:
            done = db.execute(
                "insert or ignore into verdicts (verdict_id, moment_id, session_id, start_ns, end_ns, at_unix_ms,"
                " message) values (?, ?, ?, ?, ?, ?, ?)",
                [
                    verdict.verdict_id,
                    subject.moment_id,
                    subject.session_id,
                    subject.start_ns,
                    subject.end_ns,
                    verdict.at_unix_ms,
                    verdict_message(verdict).SerializeToString(),
                ],
            )
            db.execute(
                "delete from verdicts where number not in"
                " (select number from verdicts order by at_unix_ms desc, verdict_id desc limit ?)",
                [MAX_KEPT],
            )
        return bool(done.rowcount)

    def all(self) -> list[Verdict]:
        """All that are kept, newest first."""
        with self._library.database.read() as db:
            rows = db.execute(
                "select message from verdicts order by at_unix_ms desc, verdict_id desc"
            ).fetchall()
        # They were checked before they were written.
        return [
            verdict_of(clips_pb2.MomentVerdict.FromString(message), now_unix_ms=_YEAR_2100_MS)
            for (message,) in rows
        ]

    def version(self) -> tuple[int, int]:
        """Another one whenever there are other verdicts."""
        with self._library.database.read() as db:
            row = db.execute("select count(*), coalesce(max(number), 0) from verdicts").fetchone()
        return int(row[0]), int(row[1])

    def reset(self, up_to_unix_ms: int) -> int:
        """Forget what was said up to a time, and what comes late of it; returns how many verdicts went."""
        before = int(self._library.fact(_RESET_UNIX_MS) or 0)
        self._library.set_fact(_RESET_UNIX_MS, str(max(before, up_to_unix_ms)))
        with self._library.database.write() as db:
            return int(db.execute("delete from verdicts where at_unix_ms <= ?", [up_to_unix_ms]).rowcount)
