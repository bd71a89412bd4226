"""`clip`, `press`, `moments`: what is saved and found."""

from __future__ import annotations

import argparse
import time
from typing import Any

from agent.cli import taste_verbs
from agent.cli.answers import answer
from agent.model.clips import SavedClip
from agent.paths import AgentPaths
from protos.timebase import SECOND_NS


def saved_value(clip: SavedClip) -> dict[str, Any]:
    """What a saved clip is, for `--json`. Pure."""
    return {
        "clip_id": clip.clip_id,
        "path": clip.path,
        "start_ns": clip.start_ns,
        "end_ns": clip.end_ns,
        "duration_s": (clip.end_ns - clip.start_ns) / SECOND_NS,
        "latency_ms": clip.latency_ms,
        "note": clip.note,
    }


def saved_words(clip: SavedClip) -> str:
    """And in words. Pure."""
    duration_s = (clip.end_ns - clip.start_ns) / SECOND_NS
    note = f"\nnote: {clip.note}" if clip.note else ""
    return f"saved {duration_s:.3f} s in {clip.latency_ms} ms: {clip.path}{note}"


def clip(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Save the last seconds."""
    from agent.control.client import ControlClient

    saved = ControlClient(paths.control_socket).save_clip(
        last_ns=round(arguments.last * SECOND_NS),
        is_exact=arguments.exact,
        tracks=arguments.tracks,
        title=arguments.title,
    )
    answer(saved_value(saved), is_json=arguments.json, text=saved_words(saved))
    return 0


def press(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """One key event into the press grammar; a tap is a press and its release."""
    from agent.control.client import ControlClient
    from protos.clippy.v1 import control_pb2

    client = ControlClient(paths.control_socket)
    now_ns = time.monotonic_ns()
    saved = None
    if arguments.event in ("down", "tap"):
        saved = client.press_key(control_pb2.KEY_ACTION_DOWN, monotonic_ns=now_ns)
    if arguments.event == "tap":
        # Dated like the press: however long the clip took to write, the key was not held.
        client.press_key(control_pb2.KEY_ACTION_UP, monotonic_ns=now_ns)
    elif arguments.event == "up":
        saved = client.press_key(control_pb2.KEY_ACTION_UP, monotonic_ns=now_ns)
    if saved is None:
        answer({"clip_id": None}, is_json=arguments.json, text="no clip follows from this")
    else:
        answer(saved_value(saved), is_json=arguments.json, text=saved_words(saved))
    return 0


def moments(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Moments, best first; or keep or skip one of them."""
    from agent.control.client import ControlClient

    if arguments.deed is not None:
        return taste_verbs.judge(arguments, paths)
    found = ControlClient(paths.control_socket).moments(arguments.limit)
    rows = [
        {
            "moment_id": item.moment.moment_id,
            "start_s": item.moment.start_ns / SECOND_NS,
            "end_s": item.moment.end_ns / SECOND_NS,
            "score": item.moment.score,
            "kind": item.moment.kind,
            "title": item.moment.title,
            "verdict": item.verdict or None,
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
