"""`taste`, and `moments keep|skip|undo`: what is learnt from, and what was learnt."""

from __future__ import annotations

import argparse
import json

from agent.cli.answers import answer
from agent.errors import InputUnusable
from agent.paths import AgentPaths


def taste(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Show what was learnt, or forget it."""
    from agent.control.client import ControlClient

    client = ControlClient(paths.control_socket)
    if arguments.what == "reset":
        num = client.reset_taste()
        text = f"{num} verdicts are gone; scores go back to what was found"
        answer({"num_verdicts": num}, is_json=arguments.json, text=text)
    else:
        found = client.taste()
        answer(json.loads(found.json), is_json=arguments.json, text="\n".join(found.lines))
    return 0


def judge(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Keep or skip a moment, or take that back."""
    from agent.control.client import ControlClient
    from protos.clippy.v1 import clips_pb2

    if not arguments.moment:
        raise InputUnusable(
            f"which moment? `clippy moments {arguments.deed} ID`; `clippy moments --json` has ids"
        )
    kind = clips_pb2.MomentVerdict.Kind.Value(arguments.deed.upper())
    moment_id = ControlClient(paths.control_socket).judge_moment(arguments.moment, kind)
    words = {"keep": "kept", "skip": "skipped", "undo": "no longer judged"}[arguments.deed]
    answer(
        {"moment_id": moment_id, "verdict": arguments.deed},
        is_json=arguments.json,
        text=f"moment {moment_id[:8]} is {words}",
    )
    return 0
