"""Runs a bench and prints its figures, as `packaging/dev.py bench` asks.

python -m tests.bench.run [NAME ...] [--part P] [--json]
"""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import time
from typing import Any, Protocol, cast

from tests.bench.measure import CannotMeasure, Result, commit, machine


class Bench(Protocol):
    """A module of this folder. `run` fills the result with the figures of the parts.

    Attributes:
        PARTS: what is measured when nobody asks for less.
    """

    PARTS: tuple[str, ...]

    def run(self, result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None: ...


BENCHES = {
    "capture": "what recording costs and loses, beside ffmpeg and OBS",
    "clip": "from the press to a closed file, and how exact it is, beside OBS and ffmpeg -c copy",
    "ring": "what the buffer costs, and what a kill -9 loses, beside a buffer in memory",
    "export": "what a post costs beside ffmpeg's command line, and how exact its size, sound and captions are",
    "highlights": "how well moments are found in made-up streams, commentary and chat, beside the usual recipes",
    "ingest": "ten thousand agents on one server, a herd of them, and faults, beside a WebSocket server",
    "jobs": "what job keeping costs beside bare PgQueuer, and how soon a job starts, with a backlog too",
    "search": "what was said by its words, of 1,000 accounts and of one, beside ILIKE and SQLite's FTS5",
    "speech": "many streams through one model: by batch size, its memory, and what voice detection costs",
    "sync": "six hours with a sound device whose clock runs off",
}


def all_parts(name: str) -> tuple[str, ...]:
    """Every part of a bench, those too that only run when they are named (`MORE_PARTS`)."""
    bench = load(name)
    return (*bench.PARTS, *getattr(bench, "MORE_PARTS", ()))


def load(name: str) -> Bench:
    """The module of a bench."""
    return cast("Bench", importlib.import_module(f"tests.bench.{name}"))


def measure(name: str, parts: tuple[str, ...] = (), *, scale: float = 1.0) -> dict[str, Any]:
    """Run a bench, or some parts of it; what could not be measured is null, with its reason in the notes."""
    bench = load(name)
    result = Result()
    began = time.monotonic()
    where = machine()
    try:
        bench.run(result, parts or bench.PARTS, scale=scale)
    except CannotMeasure as exc:
        result.notes.append(f"not measured: {exc}")
    result.notes.append(f"took {time.monotonic() - began:.0f} s")
    return {
        "name": name,
        "machine": where,
        "commit": commit(),
        "figures": result.figures,
        "rivals": result.rivals,
        "notes": result.notes,
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description="Measures Clippy beside its rivals.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; none: list them")
    parser.add_argument("--part", action="append", default=[], help="only this part; may be given again")
    parser.add_argument("--json", action="store_true", help="print one JSON object a bench")
    parser.add_argument("--scale", type=float, default=1.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in BENCHES:
            parser.error(f"there is no bench {name!r}; there are: {', '.join(BENCHES)}")
        if unknown := sorted(set(arguments.part) - set(all_parts(name))):
            parser.error(f"{name} has no part {', '.join(unknown)}; it has: {', '.join(all_parts(name))}")
    if not arguments.names:
        print(_list(is_json=arguments.json))
        return 0
    # As Ctrl+C does: what was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in arguments.names:
        found = measure(name, tuple(arguments.part), scale=arguments.scale)
        print(json.dumps(found) if arguments.json else _text(found), flush=True)
    return 0


def _list(*, is_json: bool) -> str:
    if is_json:
        rows = {name: {"about": about, "parts": all_parts(name)} for name, about in BENCHES.items()}
        return json.dumps({"benches": rows})
    return "\n".join(
        f"{name:10}{about}\n{'':10}--part {' | '.join(all_parts(name))}" for name, about in BENCHES.items()
    )


def _text(found: dict[str, Any]) -> str:
    lines = [f"{found['name']} at {found['commit']} on {found['machine']}"]
    lines += [
        f"  {name:28}{'not measured' if value is None else value}" for name, value in found["figures"].items()
    ]
    lines += [f"  rival {name} {version}" for name, version in found["rivals"].items()]
    return "\n".join([*lines, *(f"  {note}" for note in found["notes"])])


if __name__ == "__main__":
    sys.exit(main())
