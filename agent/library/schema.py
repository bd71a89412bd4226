"""The library's tables, as migrations that only ever grow. Run at every opening."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Migrations

migrations = Migrations("clippy_library")


@migrations()
def m001_first(db: Any) -> None:
    """Clips, moments, exports, presses, facts."""
    db["clips"].create(
        {
            "clip_id": str,
            "session_id": str,
            "path": str,
            "start_ns": int,
            "end_ns": int,
            "latency_ms": int,
            "trigger": str,
            "size_bytes": int,
            "created_unix_ms": int,
            "thumbnail_path": str,
        },
        pk="clip_id",
        not_null={"session_id", "path", "start_ns", "end_ns", "created_unix_ms"},
    )
    db["clips"].create_index(["created_unix_ms"])
    # What the coordinator sent is kept as it came: a newer field survives an older agent.
    db["moments"].create(
        {"moment_id": str, "score": float, "start_ns": int, "message": bytes}, pk="moment_id"
    )
    db["moments"].create_index(["score"])
    db["exports"].create(
        {"export_id": str, "moment_id": str, "clip_id": str, "message": bytes}, pk="export_id"
    )
    db["exports"].create_index(["moment_id"])
    db["exports"].create_index(["clip_id"])
    db["presses"].create(
        {"press_id": int, "at_unix_ms": int, "trigger": str, "clip_id": str, "error": str}, pk="press_id"
    )
    db["facts"].create({"name": str, "value": str}, pk="name")


@migrations()
def m002_kept_clips(db: Any) -> None:
    """Title, lock, trash, what a clip lacks, its sounds, and where it was before it went to the trash."""
    for name, kind, default in (
        ("title", str, ""),
        ("is_locked", int, 0),
        ("is_exact", int, 0),
        ("trashed_unix_ms", int, 0),
        ("note", str, ""),
        ("tracks", str, ""),
        ("original_path", str, ""),
    ):
        db["clips"].add_column(name, kind, not_null_default=default)
    db["clips"].create_index(["trashed_unix_ms"])


@migrations()
def m003_verdicts(db: Any) -> None:
    """What the user did with moments. Numbers only grow, so that a change can be seen."""
    db.execute(
        "create table verdicts (number integer primary key autoincrement, verdict_id text not null unique,"
        " moment_id text not null, session_id text not null, start_ns integer not null, end_ns integer not null,"
        " at_unix_ms integer not null, message blob not null)"
    )
    db["verdicts"].create_index(["session_id"])
    db["verdicts"].create_index(["at_unix_ms"])


@migrations()
def m004_said(db: Any) -> None:
    """What was said in what is kept, as the coordinator heard it, and the index of its words."""
    db["said"].create(
        {"row_id": int, "said_id": int, "session_id": str, "start_ns": int, "end_ns": int, "text": str},
        pk="row_id",
        not_null={"said_id", "session_id", "start_ns", "end_ns", "text"},
    )
    # Another coordinator has other numbers, and other sessions.
    db["said"].create_index(["session_id", "said_id"], unique=True)
    db["said"].create_index(["session_id", "start_ns"])
    # Words as `protos.words` makes them: nothing is left for a tokeniser to change.
    db.execute(
        "create virtual table said_words using fts5(words, tokenize = 'unicode61 remove_diacritics 0')"
    )
    db.execute("create virtual table said_vocabulary using fts5vocab(said_words, row)")
    # Up to which words of a session came down, and spans of which none may be kept.
    db["said_sessions"].create({"session_id": str, "last_id": int}, pk="session_id")
    db["said_forgotten"].create({"session_id": str, "start_ns": int, "end_ns": int})
