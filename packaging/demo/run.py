"""The whole product in about four minutes: a stream is played, captured, clipped by a key, heard, cut and captioned.

    python3 packaging/dev.py demo [--json] [--video FILE] [--offline] [--llm-url URL --llm-model M]

Boots in this order: input, desktop, speech model, coordinator, engine, player; then a real key press into the real
listener, and the results. Everything is stopped in reverse, whatever happens. Progress goes to stderr.
Exit: 0 done, 1 failed, 2 usage, 3 environment problem, 75 try later.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import errno
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent))
import language_model
import report
from given import DemoFailed, say
from stage import Stage
from watch import Watch

ROOT = Path(__file__).resolve().parents[2]
# A press needs some seconds of match; match.py plays a day at most.
_MIN_S, _MAX_S = 5.0, 86_400.0


class _Parser(argparse.ArgumentParser):
    """Raises instead of ending the process: with `--json` the answer belongs on stdout, as an object."""

    def error(self, message: str) -> NoReturn:
        raise DemoFailed(f"{message}; see `{self.prog} --help`", code="usage", exit_code=2)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None
    if not _MIN_S <= value <= _MAX_S:
        raise argparse.ArgumentTypeError(f"{text} is out of range; {_MIN_S:g} to {_MAX_S:g}")
    return value


def _words(text: str) -> str:
    try:
        return language_model.address(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None


def parse() -> argparse.Namespace:
    """Understand the command line."""
    parser = _Parser(prog="dev.py demo", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, errors included")
    parser.add_argument(
        "--video", type=Path, metavar="FILE", help="stream this recording instead of the generated match"
    )
    parser.add_argument("--offline", action="store_true", help="fetch no speech model")
    parser.add_argument("--seconds", type=_seconds, default=165.0, help="length of the generated match (165)")
    parser.add_argument("--seed", type=int, default=7, help="of the generated match")
    parser.add_argument(
        "--screen",
        choices=["auto", "real", "virtual", "none"],
        default="auto",
        help="auto: the real one where there is one, else a virtual one, else a generated picture",
    )
    parser.add_argument("--out", type=Path, help="folder of the results (.clippy/demo/<time>)")
    parser.add_argument("--close", action="store_true", help="do not keep the page open at the end")
    parser.add_argument(
        "--llm-url",
        type=_words,
        metavar="URL",
        help="ask the language model there, by OpenAI's interface, e.g. http://127.0.0.1:8080/v1; "
        "its key, if it wants one, in CLIPPY_LLM_LOCAL_KEY",
    )
    parser.add_argument("--llm-model", type=_words, metavar="M", help="the model's name there")
    arguments = parser.parse_args()
    if bool(arguments.llm_url) != bool(arguments.llm_model):
        parser.error("--llm-url and --llm-model belong together; give both")
    arguments.llm = None
    if arguments.llm_url:
        arguments.llm = language_model.LanguageModel(url=arguments.llm_url, model=arguments.llm_model)
    return arguments


def main() -> int:
    """Command line entry point."""
    is_json = "--json" in sys.argv[1:]
    # Who is asked to end takes what it started along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return demo(parse())
    except DemoFailed as exc:
        return fail(exc.code, str(exc), exc.exit_code, is_retryable=exc.retryable, is_json=is_json)
    except KeyboardInterrupt:
        return fail("interrupted", "stopped by the user", 130, is_retryable=True, is_json=is_json)
    except OSError as exc:
        # Nobody foresaw where: a full or failing disk, or a folder that went away.
        is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
        code, advice = ("disk_full", "make room") if is_full else ("environment_problem", "mend it")
        reason = f"{exc.strerror or exc}{f': {exc.filename}' if exc.filename else ''}; {advice}, or give another --out"
        return fail(code, reason, 3, is_retryable=is_full, is_json=is_json)
    except Exception as exc:  # noqa: BLE001 - outermost frame of the process; the answer stays one object
        traceback.print_exc()
        reason = f"unexpected {type(exc).__name__}: {exc}; please report it with the lines above"
        return fail("bug", reason, 1, is_retryable=False, is_json=is_json)


def demo(arguments: argparse.Namespace) -> int:
    """Play it to its end. Raises DemoFailed."""
    began = datetime.datetime.now().astimezone()
    out = arguments.out or ROOT / ".clippy" / "demo" / began.strftime("%Y%m%d-%H%M%S")
    missing = os.environ.pop("CLIPPY_DEMO_MISSING", "").split()
    with contextlib.ExitStack() as stack:
        stage = Stage(arguments, out.absolute(), missing, stack)
        stage.set_up()
        watch = Watch(stage)
        watch.run()
        results = report.collect(stage, watch)
        print_results(results, is_json=arguments.json)
        if not arguments.json and not arguments.close and sys.stdin.isatty():
            stage.keep_page_open()
    return language_model.EXIT_CODE if "error" in results else 0


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
