"""`recover`: what killed engines left behind."""

from __future__ import annotations

import argparse
import datetime
from typing import TYPE_CHECKING

from agent.cli.answers import answer
from agent.errors import InputUnusable
from agent.paths import AgentPaths
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    from protos.clippy.v1 import control_pb2


def recover(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """List what is left of killed sessions, save one as a clip, or discard it."""
    from agent.control.client import ControlClient

    client = ControlClient(paths.control_socket)
    sessions = client.recoverable()
    if arguments.session is None:
        if arguments.discard or arguments.last is not None:
            raise InputUnusable("name the session to recover or to discard; `clippy recover` lists them")
        return _list(sessions, is_json=arguments.json)
    session_id = _resolve(arguments.session, sessions)
    if arguments.discard:
        client.discard_recoverable(session_id)
        answer(
            {"session_id": session_id, "is_discarded": True},
            is_json=arguments.json,
            text=f"discarded {session_id}",
        )
        return 0
    clip = client.recover(session_id, last_ns=round((arguments.last or 0.0) * SECOND_NS))
    duration_s = (clip.end_ns - clip.start_ns) / SECOND_NS
    value = {
        "clip_id": clip.clip_id,
        "path": clip.path,
        "session_id": clip.session_id,
        "start_ns": clip.start_ns,
        "end_ns": clip.end_ns,
        "duration_s": duration_s,
        "created_unix_ms": clip.created_unix_ms,
    }
    answer(value, is_json=arguments.json, text=f"recovered {duration_s:.3f} s: {clip.path}")
    return 0


def _list(sessions: list[control_pb2.Recoverable], *, is_json: bool) -> int:
    rows = [
        {
            "session_id": session.session_id,
            "duration_s": session.duration_ns / SECOND_NS,
            "size_bytes": session.size_bytes,
            "created_unix_ms": session.created_unix_ms,
        }
        for session in sessions
    ]
    lines = [
        f"{session.session_id}  {_time(session.created_unix_ms)}  {session.duration_ns / SECOND_NS:7.1f} s"
        f"  {session.size_bytes / 1e6:6.0f} MB"
        for session in sessions
    ]
    answer(
        {"sessions": rows},
        is_json=is_json,
        text="\n".join(lines) or "no engine was killed: nothing to recover",
    )
    return 0


def _time(unix_ms: int) -> str:
    return datetime.datetime.fromtimestamp(unix_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def _resolve(name: str, sessions: list[control_pb2.Recoverable]) -> str:
    """The session of that id, or the only one whose id begins so."""
    found = [session.session_id for session in sessions if session.session_id.startswith(name)]
    if name in found:
        return name
    if len(found) != 1:
        what = "more than one session begins" if found else "no session that can be recovered begins"
        raise InputUnusable(f"{what} with {name!r}; `clippy recover` lists them")
    return found[0]
