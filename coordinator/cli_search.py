"""`search`: what was said, by its words."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordinator.app.installation import Installation

_HELP = """All words are looked for, by their beginnings; "words between quotation marks" follow one another.
A slip is mended where nobody said the word. Best first; of a common word the newest."""


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add it to the command line."""
    search = verbs.add_parser(
        "search", help="what was said, by its words", description=_HELP, parents=[common]
    )
    search.add_argument("words", nargs="+")
    search.add_argument("--user", default="owner", metavar="NAME", help="whose streams (owner)")
    search.add_argument("--limit", type=int, default=20, help="how many at most (20, up to 100)")


def run(installation: Installation, arguments: argparse.Namespace) -> int:
    """Find, and print; returns the exit code."""
    from coordinator.app.search_commands import search
    from coordinator.web.search import as_json

    found = search(installation, " ".join(arguments.words), account=arguments.user, limit=arguments.limit)
    value = as_json(found)
    print(json.dumps(value) if arguments.json else "\n".join(lines_of(value)), flush=True)
    return 0


def lines_of(value: dict[str, Any]) -> list[str]:
    """What was found, in words. Pure."""
    lines = [f"nobody said {word}; looked for {', '.join(words)}" for word, words in value["meant"].items()]
    if value["is_any"]:
        lines.append("nothing has all of these words; these have some")
    for hit in value["hits"]:
        minutes, seconds = divmod(int(hit["start_s"]), 60)
        post = f"  {hit['post']}" if hit["post"] else ""
        lines.append(
            f"{hit['said_at'][:19]}Z  {hit['session_id']} {minutes}:{seconds:02}  {hit['said']}{post}"
        )
    return lines or ["nobody said that"]
