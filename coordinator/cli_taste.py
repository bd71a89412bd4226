"""The verb `taste`: what was learnt from what a streamer keeps and throws away, and how it begins anew."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordinator.app.installation import Installation

_HELP = """taste show ACCOUNT    verdicts by kind, what counts more or less, and what it changes of the newest moments
taste reset ACCOUNT   deletes every verdict, here and on the account's PCs; scores go back to what was found
"""


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add it to the command line."""
    taste = verbs.add_parser(
        "taste",
        help="what a streamer keeps and throws away, and what was learnt from it",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whats = taste.add_subparsers(dest="what", required=True, metavar="WHAT")
    for what, text in (
        ("show", "what was learnt of an account, and what it changes"),
        ("reset", "forget every verdict of an account"),
    ):
        whats.add_parser(what, help=text, description=text, parents=[common]).add_argument("account")


def run(installation: Installation, arguments: argparse.Namespace) -> int:
    """Do it, and print the answer; returns the exit code. Raises as `taste_commands`."""
    from coordinator.app.taste_commands import reset_taste, taste_of
    from protos.taste_words import lines_of_shown

    value: dict[str, Any]
    if arguments.what == "reset":
        value = {"num_verdicts": reset_taste(installation, arguments.account)}
        text = f"{value['num_verdicts']} verdicts of {arguments.account} are gone"
    else:
        value = taste_of(installation, arguments.account)
        text = "\n".join(lines_of_shown(value))
    print(json.dumps(value) if arguments.json else text, flush=True)
    return 0
