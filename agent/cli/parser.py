"""The verbs and their options, and what is wrong with a command line that does not fit them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from agent import __version__
from agent.cli import search_verb


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
    clip.add_argument(
        "--tracks", type=_names, default=(), metavar="NAMES", help="sounds to keep, e.g. mix,mic"
    )
    clip.add_argument("--title", default="", help="what to call it")
    _add_press_and_library(verbs, common)
    status = verbs.add_parser("status", help="is the buffer ready, and what does it cost", parents=[common])
    status.add_argument(
        "--watch", action="store_true", help="again at each change; with --json one object a line"
    )
    verbs.add_parser("chat", help="the chats that are read, and how to feed one", parents=[common])
    verbs.add_parser("devices", help="screens and sound devices", parents=[common])
    _add_moments(verbs, common)
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
    _add_forget(
        verbs.add_parser("forget", help="take a span out of everything that holds it", parents=[common])
    )
    _add_pairing(verbs, common)
    verbs.add_parser("stop", help="stop the engine", parents=[common])
    return parser


def _add_press_and_library(verbs: Any, common: argparse.ArgumentParser) -> None:
    press = verbs.add_parser("press", help="one event of a key, for what knows down and up", parents=[common])
    press.add_argument("event", choices=["down", "up", "tap"])
    library = verbs.add_parser("library", help="saved clips, newest first", parents=[common])
    library.add_argument("--limit", type=_count, default=20)
    search_verb.add_verb(verbs, [common], _count)
    of_one = _Parser(add_help=False)
    of_one.add_argument("clip", metavar="CLIP", help="a clip's id, the beginning of one, or its file")
    both = [common, of_one]
    share = verbs.add_parser(
        "share", help="a file of a clip to hand on: nothing from before its start", parents=both
    )
    share.add_argument("--tracks", type=_names, default=(), metavar="NAMES", help="sounds to keep (mix)")
    share.add_argument("-o", "--output", type=Path, metavar="OUT", help="where to put it")
    move = verbs.add_parser("move", help="move a clip's ends, as far as its seconds are kept", parents=both)
    move.add_argument("--start", type=_shift, default=0.0, metavar="SECONDS", help="by so much, e.g. -5")
    move.add_argument("--end", type=_shift, default=0.0, metavar="SECONDS", help="by so much, e.g. +2.5")
    rename = verbs.add_parser("rename", help="give a clip a title", parents=both)
    rename.add_argument("title", metavar="TITLE")
    verbs.add_parser("lock", help="keep a clip from the trash", parents=both)
    verbs.add_parser("unlock", help="and no longer", parents=both)
    verbs.add_parser("delete", help="put a clip into the trash", parents=both)
    verbs.add_parser("restore", help="take a clip out of the trash", parents=both)
    trash = verbs.add_parser("trash", help="what is in the trash, and when it goes", parents=[common])
    trash.add_argument("--empty", action="store_true", help="delete it for good now; locked clips stay")


def _add_moments(verbs: Any, common: argparse.ArgumentParser) -> None:
    moments = verbs.add_parser("moments", help="moments found in your stream, best first", parents=[common])
    moments.add_argument("--limit", type=_count, default=20)
    moments.add_argument(
        "deed", nargs="?", choices=["keep", "skip", "undo"], help="of one moment: what follows learns from it"
    )
    moments.add_argument("moment", nargs="?", default="", metavar="ID", help="its id, or how it begins")
    taste = verbs.add_parser(
        "taste", help="what was learnt from what you keep and throw away", parents=[common]
    )
    taste.add_argument("what", nargs="?", choices=["show", "reset"], default="show")


def _add_pairing(verbs: Any, common: argparse.ArgumentParser) -> None:
    pair = verbs.add_parser("pair", help="send to a coordinator, as one of its devices", parents=[common])
    pair.add_argument("url", nargs="?", metavar="URL", help="host:port or https://host:port")
    pair.add_argument(
        "code",
        nargs="?",
        default="",
        metavar="CODE",
        help="made there; none: one is shown, to be approved there",
    )
    pair.add_argument("--fingerprint", default="", metavar="HEX", help="of the coordinator's authority")
    pair.add_argument("--name", default="", help="what to call this PC there (its own name)")
    pair.add_argument(
        "--store",
        default="",
        choices=["auto", "keyring", "file", "memory"],
        help="where the pairing's secret is kept (uplink.secret_store)",
    )
    pair.add_argument("--status", action="store_true", help="only say whom this PC is paired with")
    verbs.add_parser("unpair", help="send nothing to the coordinator any more", parents=[common])


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of sounds; write e.g. mix,mic")
    return names


def _shift(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None
    if not -1800 <= value <= 1800:
        raise argparse.ArgumentTypeError(f"{text} is out of range; -1800 to 1800")
    return value


def _add_forget(forget: argparse.ArgumentParser) -> None:
    forget.add_argument("--last", type=_seconds, metavar="SECONDS", help="the last so many seconds")
    forget.add_argument(
        "--from", dest="start", type=_time, metavar="SECONDS", help="of the session; negative: before now"
    )
    forget.add_argument("--to", dest="end", type=_time, metavar="SECONDS", help="likewise (now)")
    forget.add_argument(
        "--clips", default="", metavar="ID,ID", help="saved clips that hold part of it and go too"
    )
    forget.add_argument("--preview", action="store_true", help="only say what would go")
    forget.add_argument("--yes", action="store_true", help="do not ask")


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None


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
