"""`search`: what was said, titles, names and kinds, in the saved clips and in the live buffer."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.cli.answers import answer
from agent.errors import AgentError
from agent.paths import AgentPaths
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    from agent.library.finding import Hit
    from protos.clippy.v1 import control_pb2

# A person who reads the command needs some seconds to type it.
_MARGIN_S = 10
_UNPAIRED = (
    "speech is transcribed at a coordinator, and this PC has none: titles and names alone were looked at; "
    "`clippy pair` says how to have one"
)


def search(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Look, with a running engine and without one."""
    from agent.engine.searching import is_speech_known, search_library

    status = _status(paths)
    hits = search_library(paths, " ".join(arguments.words), status=status, limit=arguments.limit)
    is_heard = bool(status is not None and status.uplink.coordinator) or is_speech_known(paths)
    rows = [_row(hit) for hit in hits]
    reason = None if is_heard else _UNPAIRED
    lines = [_words(hit, status) for hit in hits] or ["nothing that is kept or in the buffer has these words"]
    answer(
        {"hits": rows, "reason": reason},
        is_json=arguments.json,
        text="\n".join([*lines, *([reason] if reason else [])]),
    )
    return 0


def _status(paths: AgentPaths) -> control_pb2.Status | None:
    """Of the engine; None: none runs, and there is no buffer."""
    from agent.control.client import ControlClient

    if not paths.control_socket.exists():
        return None
    try:
        return ControlClient(paths.control_socket).status()
    except AgentError:
        return None


def _row(hit: Hit) -> dict[str, Any]:
    return {
        "where": "buffer" if hit.clip is None else "clip",
        "clip_id": None if hit.clip is None else hit.clip.clip_id,
        "path": None if hit.clip is None else hit.clip.path,
        "session_id": hit.session_id,
        "start_s": hit.start_ns / SECOND_NS,
        "end_s": hit.end_ns / SECOND_NS,
        "text": hit.text,
        "score": round(hit.score, 3),
    }


def _words(hit: Hit, status: control_pb2.Status | None) -> str:
    if hit.clip is not None:
        into_s = max(0.0, (hit.start_ns - hit.clip.start_ns) / SECOND_NS)
        return (
            f"{hit.score:.2f}  clip {hit.clip.clip_id[:8]} at {into_s:.1f} s  {hit.text!r}  {hit.clip.path}"
        )
    last_s = _MARGIN_S
    if status is not None:
        last_s += math.ceil((status.now_ns - hit.start_ns) / SECOND_NS)
    return f"{hit.score:.2f}  in the buffer  {hit.text!r}; to save it: clippy clip --last {last_s}"


def add_verb(verbs: Any, parents: Sequence[argparse.ArgumentParser], count: Any) -> None:
    """Add it to the command line. Args: count: understands a number of rows."""
    found = verbs.add_parser(
        "search", help="what was said, titles and names, in saved clips and the buffer", parents=list(parents)
    )
    found.add_argument("words", nargs="+", metavar="WORDS", help="all of them; quoted ones in their order")
    found.add_argument("--limit", type=count, default=20)
