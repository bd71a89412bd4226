"""`retention`: what expires when, what would go now, and a moment that is to stay."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordinator.app.installation import Installation

_HELP = """Without options: after how many hours what nobody kept expires, what is overdue, what went of late.
Kept is what was pressed, and a moment that its streamer kept last; nothing of the account `owner` expires."""


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add it to the command line."""
    retention = verbs.add_parser(
        "retention", help="what expires by its age", description=_HELP, parents=[common]
    )
    what = retention.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="what would go now; deletes nothing")
    what.add_argument("--keep", metavar="MOMENT", help="a moment stays, with its posts and its words")
    what.add_argument("--let-go", metavar="MOMENT", help="it is kept no longer")
    retention.add_argument("--limit", type=int, default=1000, help="sessions of a dry run at most (1000)")


def run(installation: Installation, arguments: argparse.Namespace) -> int:
    """Do it, and print the answer; returns the exit code. Raises as `retention_commands`."""
    from coordinator.app.retention_commands import keep_moment, retention_preview, retention_state

    if arguments.keep or arguments.let_go:
        is_kept = bool(arguments.keep)
        value = keep_moment(installation, arguments.keep or arguments.let_go, is_kept=is_kept)
        lines = [f"{value['moment_id']} is {'kept' if is_kept else 'kept no longer'}"]
    elif arguments.dry_run:
        value = retention_preview(installation, max(1, arguments.limit))
        lines = preview_lines(value)
    else:
        value = retention_state(installation)
        lines = state_lines(value)
    print(json.dumps(value) if arguments.json else "\n".join(lines), flush=True)
    return 0


def preview_lines(value: dict[str, Any]) -> list[str]:
    """What would go, in words. Pure."""
    lines = [
        f"{one['session_id']}  {one['user_id']} ({one['tier']}): {_went(one)}" for one in value["sessions"]
    ]
    if not lines:
        return ["nothing would go now"]
    more = "" if value["is_all"] else ", and more that --limit leaves out"
    return [*lines, f"{len(lines)} sessions would go{more}: {_went(value['total'])}"]


def state_lines(value: dict[str, Any]) -> list[str]:
    """How far it is, in words. Pure."""
    rules = ", ".join(
        f"{tier} {f'{hours:g} h' if hours > 0 else 'never'}" for tier, hours in value["hours"].items()
    )
    sessions, objects = value["sessions"], value["objects"]
    lines = [f"what nobody kept expires after: {rules}; of the account owner: never"]
    if sessions["num_overdue"]:
        lines.append(
            f"{sessions['num_overdue']} sessions wait, the longest for {sessions['oldest_s'] / 60:.0f} min"
        )
    if sessions["num_worked_on"]:
        lines.append(f"{sessions['num_worked_on']} are old enough and still worked on, or waited for")
    if objects["num"]:
        why = f": {objects['problem']}" if objects["problem"] else ""
        lines.append(
            f"{objects['num']} objects are still in the store, the longest for {objects['oldest_s'] / 60:.0f} min{why}"
        )
    if not (sessions["num_overdue"] or objects["num"]):
        lines.append("nothing is overdue")
    for day in value["days"]:
        lines.append(
            f"{day['day']}  {day['num_sessions']} sessions: {_went(day)}, {day['num_objects']} objects"
        )
    return lines


def _went(counts: dict[str, Any]) -> str:
    return (
        f"{counts['num_chunks']} chunks, {counts['num_moments']} moments, {counts['num_clips']} clips, "
        f"{counts['num_posts']} posts, {counts['num_bytes'] / 1e6:.1f} MB"
    )
