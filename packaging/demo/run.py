"""The whole product in about four minutes: a stream is played, captured, clipped by a key, heard, cut and captioned.

    python3 packaging/dev.py demo [--json] [--video FILE] [--offline]

Boots in this order: input, desktop, speech model, coordinator, engine, player; then a real key press into the real
listener, and the results. Everything is stopped in reverse, whatever happens. Progress goes to stderr.
Exit: 0 done, 1 failed, 2 usage, 3 environment problem, 75 try later.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import report
from stage import DemoFailed, Stage, say
from watch import Watch

ROOT = Path(__file__).resolve().parents[2]


def parse() -> argparse.Namespace:
    """Understand the command line."""
    parser = argparse.ArgumentParser(
        prog="dev.py demo", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, errors included")
    parser.add_argument(
        "--video", type=Path, metavar="FILE", help="stream this recording instead of the generated match"
    )
    parser.add_argument("--offline", action="store_true", help="fetch no speech model")
    parser.add_argument("--seconds", type=float, default=155.0, help="length of the generated match (155)")
    parser.add_argument("--seed", type=int, default=7, help="of the generated match")
    parser.add_argument(
        "--screen",
        choices=["auto", "real", "virtual", "none"],
        default="auto",
        help="auto: the real one where there is one, else a virtual one, else a generated picture",
    )
    parser.add_argument("--out", type=Path, help="folder of the results (.clippy/demo/<time>)")
    parser.add_argument("--close", action="store_true", help="do not keep the page open at the end")
    return parser.parse_args()


def main() -> int:
    """Command line entry point."""
    arguments = parse()
    began = datetime.datetime.now().astimezone()
    out = arguments.out or ROOT / ".clippy" / "demo" / began.strftime("%Y%m%d-%H%M%S")
    missing = os.environ.pop("CLIPPY_DEMO_MISSING", "").split()
    try:
        with contextlib.ExitStack() as stack:
            stage = Stage(arguments, out.absolute(), missing, stack)
            stage.set_up()
            watch = Watch(stage)
            watch.run()
            results = report.collect(stage, watch)
            print_results(results, is_json=arguments.json)
            if not arguments.json and not arguments.close and sys.stdin.isatty():
                stage.keep_page_open()
    except DemoFailed as exc:
        return fail(exc.code, str(exc), exc.exit_code, is_retryable=exc.retryable, is_json=arguments.json)
    except KeyboardInterrupt:
        return fail("interrupted", "stopped by the user", 130, is_retryable=True, is_json=arguments.json)
    return 0


def print_results(results: dict[str, Any], *, is_json: bool) -> None:
    """The table, or the object."""
    if is_json:
        print(json.dumps(results), flush=True)
    else:
        print(report.table(results), flush=True)


def fail(code: str, message: str, exit_code: int, *, is_retryable: bool, is_json: bool) -> int:
    """Say what failed, and return the exit code."""
    if is_json:
        print(
            json.dumps({"error": {"code": code, "message": message, "retryable": is_retryable}}), flush=True
        )
    else:
        say(f"demo failed: {message}")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
