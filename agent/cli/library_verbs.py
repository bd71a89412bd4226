"""`library`, `share`, `move`, `rename`, `lock`, `unlock`, `delete`, `restore`, `trash`: the clips that are kept.

A clip is named by its id, the beginning of one, or its file.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.answers import answer
from agent.errors import EnvironmentProblem
from agent.model.clips import SavedClip
from agent.paths import AgentPaths
from protos.timebase import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from agent.control.client import ControlClient


def _row(clip: SavedClip) -> dict[str, Any]:
    return {
        "clip_id": clip.clip_id,
        "path": clip.path,
        "title": clip.title,
        "session_id": clip.session_id,
        "start_ns": clip.start_ns,
        "end_ns": clip.end_ns,
        "latency_ms": clip.latency_ms,
        "duration_s": (clip.end_ns - clip.start_ns) / SECOND_NS,
        "trigger": clip.trigger,
        "size_bytes": clip.size_bytes,
        "created_unix_ms": clip.created_unix_ms,
        "tracks": list(clip.tracks),
        "note": clip.note,
        "is_locked": clip.is_locked,
        "trashed_unix_ms": clip.trashed_unix_ms,
        "is_there": Path(clip.path).is_file(),
    }


def _words(row: dict[str, Any]) -> str:
    marks = [
        row["title"],
        "locked" if row["is_locked"] else "",
        row["note"],
        "" if row["is_there"] else "the file is gone",
    ]
    said = "; ".join(mark for mark in marks if mark)
    return f"{row['clip_id'][:8]} {row['duration_s']:8.1f} s  {row['path']}{f'  ({said})' if said else ''}"


def library(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Saved clips, newest first."""
    from agent.engine.surveying import read_library

    rows = [_row(clip) for clip in read_library(paths, arguments.limit)]
    text = "\n".join(map(_words, rows))
    answer(
        {"clips": rows},
        is_json=arguments.json,
        text=text or "no clips yet; press the hotkey or run `clippy clip`",
    )
    return 0


def share(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """A file to hand on."""
    client = _client(paths)
    path = client.share_clip(_named(arguments.clip), tracks=arguments.tracks)
    if arguments.output is not None:
        path = _moved(path, arguments.output)
    value = {"path": str(path), "size_bytes": path.stat().st_size}
    answer(value, is_json=arguments.json, text=f"holds nothing from before the clip's start: {path}")
    return 0


def move(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Move a clip's ends."""
    client = _client(paths)
    name = _named(arguments.clip)
    before = _found(client, name)
    moved = client.move_clip_ends(
        before.clip_id,
        start_ns=before.start_ns + round(arguments.start * SECOND_NS) if arguments.start else None,
        end_ns=before.end_ns + round(arguments.end * SECOND_NS) if arguments.end else None,
    )
    low_s = (moved.start_ns - moved.min_start_ns) / SECOND_NS
    high_s = (moved.max_end_ns - moved.end_ns) / SECOND_NS
    value = _row(moved) | {"min_start_ns": moved.min_start_ns, "max_end_ns": moved.max_end_ns}
    text = f"{_words(_row(moved))}\ncould reach {low_s:.1f} s further back and {high_s:.1f} s further on"
    answer(value, is_json=arguments.json, text=text)
    return 0


def _found(client: ControlClient, name: str) -> SavedClip:
    # Nothing is changed by this: it is how the engine finds a clip by what the user typed.
    return client.update_clip(name)


def rename(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Give a clip a title."""
    return _changed(arguments, paths, lambda client, clip: client.update_clip(clip, title=arguments.title))


def lock(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Keep a clip from the trash."""
    return _changed(arguments, paths, lambda client, clip: client.update_clip(clip, is_locked=True))


def unlock(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """And no longer."""
    return _changed(arguments, paths, lambda client, clip: client.update_clip(clip, is_locked=False))


def delete(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Into the trash."""
    return _changed(arguments, paths, lambda client, clip: client.trash_clip(clip))


def restore(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Out of the trash."""
    return _changed(arguments, paths, lambda client, clip: client.restore_clip(clip))


def trash(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """What is in the trash; with --empty it goes for good."""
    from agent.config import load_config

    client = _client(paths)
    days = load_config(paths.config_file).clips.trash_days
    clips = client.empty_trash(is_preview=False) if arguments.empty else client.clips(10_000, is_trash=True)
    rows = [_row(clip) | {"goes_unix_ms": _goes_unix_ms(clip, days)} for clip in clips]
    size_bytes = sum(clip.size_bytes for clip in clips)
    lines = [f"{_words(row)}  goes on {_day(row['goes_unix_ms'])}" for row in rows]
    if arguments.empty:
        text = f"deleted {len(rows)} clips, {size_bytes / 1e6:.1f} MB"
    else:
        text = "\n".join(lines) or "the trash is empty"
    value = {"clips": rows, "size_bytes": size_bytes, "is_deleted": arguments.empty}
    answer(value, is_json=arguments.json, text=text)
    return 0


def _goes_unix_ms(clip: SavedClip, days: int) -> int:
    return clip.trashed_unix_ms + days * 24 * 3600 * 1000


def _day(unix_ms: int) -> str:
    return (
        datetime.datetime.fromtimestamp(unix_ms * MILLISECOND_NS / SECOND_NS)
        .astimezone()
        .strftime("%Y-%m-%d")
    )


def _changed(
    arguments: argparse.Namespace,
    paths: AgentPaths,
    change: Callable[[ControlClient, str], SavedClip],
) -> int:
    row = _row(change(_client(paths), _named(arguments.clip)))
    answer(row, is_json=arguments.json, text=_words(row))
    return 0


def _client(paths: AgentPaths) -> ControlClient:
    from agent.control.client import ControlClient

    return ControlClient(paths.control_socket)


def _named(text: str) -> str:
    """A file is named by its whole path: the engine works in another folder."""
    return str(Path(text).absolute()) if os.sep in text or Path(text).exists() else text


def _moved(path: Path, output: Path) -> Path:
    """The shared file where the user wants it, whole or not at all."""
    target = output / path.name if output.is_dir() else output
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(path, part)
        part.replace(target)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise EnvironmentProblem(f"cannot write {target}: {exc.strerror}; choose another -o") from exc
    path.unlink(missing_ok=True)
    return target
