"""`clip`, `library`, `moments`: what was saved and found."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.cli.answers import answer
from agent.paths import AgentPaths
from protos.timebase import SECOND_NS


def clip(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Save the last seconds."""
    from agent.control.client import ControlClient

    client = ControlClient(paths.control_socket)
    clip = client.save_clip(last_ns=round(arguments.last * SECOND_NS), is_exact=arguments.exact)
    duration_s = (clip.end_ns - clip.start_ns) / SECOND_NS
    value = {
        "clip_id": clip.clip_id,
        "path": clip.path,
        "start_ns": clip.start_ns,
        "end_ns": clip.end_ns,
        "duration_s": duration_s,
        "latency_ms": clip.latency_ms,
    }
    answer(
        value, is_json=arguments.json, text=f"saved {duration_s:.3f} s in {clip.latency_ms} ms: {clip.path}"
    )
    return 0


def library(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Saved clips, newest first."""
    from agent.engine.surveying import read_library

    clips = read_library(paths, arguments.limit)
    rows = [
        {
            "clip_id": clip.clip_id,
            "path": clip.path,
            "session_id": clip.session_id,
            "start_ns": clip.start_ns,
            "end_ns": clip.end_ns,
            "latency_ms": clip.latency_ms,
            "duration_s": (clip.end_ns - clip.start_ns) / SECOND_NS,
            "trigger": clip.trigger,
            "size_bytes": clip.size_bytes,
            "created_unix_ms": clip.created_unix_ms,
            "is_there": Path(clip.path).is_file(),
        }
        for clip in clips
    ]
    text = "\n".join(
        f"{row['duration_s']:8.1f} s  {row['path']}{'' if row['is_there'] else '  (file is gone)'}"
        for row in rows
    )
    answer(
        {"clips": rows},
        is_json=arguments.json,
        text=text or "no clips yet; press the hotkey or run `clippy clip`",
    )
    return 0


def moments(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Moments, best first."""
    from agent.control.client import ControlClient

    found = ControlClient(paths.control_socket).moments(arguments.limit)
    rows = [
        {
            "moment_id": item.moment.moment_id,
            "start_s": item.moment.start_ns / SECOND_NS,
            "end_s": item.moment.end_ns / SECOND_NS,
            "score": item.moment.score,
            "kind": item.moment.kind,
            "title": item.moment.title,
            "evidence": [{"lane": e.lane, "weight": e.weight, "note": e.note} for e in item.moment.evidence],
            "exports": [{"preset": e.preset, "state": e.state, "url": e.url} for e in item.exports],
        }
        for item in found.moments
    ]
    text = "\n".join(
        f"{row['score']:.2f}  {row['start_s']:8.1f}-{row['end_s']:.1f} s  {row['title'] or row['kind']}"
        for row in rows
    )
    answer(
        {"moments": rows, "reason": found.reason},
        is_json=arguments.json,
        text=text or f"no moments: {found.reason}",
    )
    return 0
