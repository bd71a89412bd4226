"""The verbs and their options, and what is wrong with a command line that does not fit them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from agent import __version__


class UsageProblem(Exception):
    """The command line cannot be understood; carries the usage line to show with the reason."""

    def __init__(self, reason: str, usage: str) -> None:
        super().__init__(reason)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    """Raises instead of ending the process: with `--json` the answer belongs on stdout, as an object."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message}; see `{self.prog} --help`", self.format_usage())


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(prog="clippy", description="Keeps the last minutes of your screen and clips them.")
    parser.add_argument("--version", action="version", version=f"clippy {__version__}")
    parser.add_argument(
        "--data", type=Path, help="data directory (default: CLIPPY_AGENT_DATA, or the platform's)"
    )
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object, errors included")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="without a verb the app opens; verbs")
    engine = verbs.add_parser("engine", help="record, until stopped", parents=[common])
    engine.add_argument("--headless", action="store_true", help="no sounds; for services")
    engine.add_argument(
        "--generated", action="store_true", help="record a generated picture and sound: no screen needed"
    )
    engine.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    clip = verbs.add_parser("clip", help="save the last seconds now", parents=[common])
    clip.add_argument(
        "--last", type=_seconds, default=30.0, metavar="SECONDS", help="how far back (30; 0: everything)"
    )
    clip.add_argument(
        "--exact", action="store_true", help="the file holds nothing from before its start, not even hidden"
    )
    status = verbs.add_parser("status", help="is the buffer ready, and what does it cost", parents=[common])
    status.add_argument(
        "--watch", action="store_true", help="again at each change; with --json one object a line"
    )
    verbs.add_parser("devices", help="screens and sound devices", parents=[common])
    library = verbs.add_parser("library", help="saved clips, newest first", parents=[common])
    library.add_argument("--limit", type=_count, default=20)
    moments = verbs.add_parser("moments", help="moments found in your stream, best first", parents=[common])
    moments.add_argument("--limit", type=_count, default=20)
    doctor = verbs.add_parser(
        "doctor", help="what works on this machine, and what to do about what does not", parents=[common]
    )
    doctor.add_argument("--self-check", action="store_true", help="also record and save two seconds")
    recover = verbs.add_parser(
        "recover", help="what a killed engine left behind: list it, save it, discard it", parents=[common]
    )
    recover.add_argument(
        "session", nargs="?", metavar="SESSION", help="its id, or how it begins; none: list all"
    )
    recover.add_argument(
        "--last", type=_seconds, metavar="SECONDS", help="save only its last seconds (0: everything)"
    )
    recover.add_argument("--discard", action="store_true", help="delete it instead; clips of it stay")
    verbs.add_parser("stop", help="stop the engine", parents=[common])
    return parser


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None
    if not 0 <= value <= 1800:
        raise argparse.ArgumentTypeError(f"{text} is out of range; 0 (everything) to 1800")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows; 1 to 100000")
    return int(text)
