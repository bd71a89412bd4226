"""The command line: `clippy` opens the app, `clippy engine` records, every other verb asks the engine.

`--json` prints one JSON object to stdout, errors included, and nothing else; logs go to stderr.
Exit: 0 done, 1 failed, 2 usage, 3 environment problem, 75 try later.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable

from agent.cli import (
    chat_verb,
    clip_verbs,
    engine_verbs,
    forget_verb,
    library_verbs,
    pair_verbs,
    recover_verbs,
    search_verb,
    taste_verbs,
)
from agent.cli.parser import UsageProblem, make_parser
from agent.errors import AgentError, InputUnusable
from agent.paths import AgentPaths, find_paths

FAILED, USAGE = 1, 2

_VERBS: dict[str, Callable[[argparse.Namespace, AgentPaths], int]] = {
    "engine": engine_verbs.engine,
    "clip": clip_verbs.clip,
    "press": clip_verbs.press,
    "status": engine_verbs.status,
    "devices": engine_verbs.devices,
    "library": library_verbs.library,
    "search": search_verb.search,
    "share": library_verbs.share,
    "move": library_verbs.move,
    "rename": library_verbs.rename,
    "lock": library_verbs.lock,
    "unlock": library_verbs.unlock,
    "delete": library_verbs.delete,
    "restore": library_verbs.restore,
    "trash": library_verbs.trash,
    "moments": clip_verbs.moments,
    "taste": taste_verbs.taste,
    "forget": forget_verb.forget,
    "chat": chat_verb.chat,
    "doctor": engine_verbs.doctor,
    "recover": recover_verbs.recover,
    "pair": pair_verbs.pair,
    "unpair": pair_verbs.unpair,
    "stop": engine_verbs.stop,
}


def main(argv: list[str] | None = None) -> int:
    """Command line entry point; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    is_json = "--json" in words
    try:
        return _run(make_parser().parse_args(words))
    except UsageProblem as exc:
        if not is_json:
            print(exc.usage, end="", file=sys.stderr)
        return _fail("usage", str(exc), USAGE, is_retryable=False, is_json=is_json)
    except AgentError as exc:
        exit_code = USAGE if isinstance(exc, InputUnusable) else exc.exit_code
        return _fail(exc.code, str(exc), exit_code, is_retryable=exc.retryable, is_json=is_json)
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as exc:  # noqa: BLE001 - outermost frame of the process; the answer stays one object
        traceback.print_exc()
        reason = f"unexpected {type(exc).__name__}: {exc}; please report it with the lines above"
        return _fail("bug", reason, FAILED, is_retryable=False, is_json=is_json)


def _run(arguments: argparse.Namespace) -> int:
    paths = find_paths(arguments.data)
    if arguments.verb is None:
        from agent.app import run_app

        return run_app(paths)
    if arguments.verb != "engine":
        from agent.log import configure_log

        # Unconfigured, structlog prints to stdout, which belongs to the answer.
        configure_log(level="warning")
    return _VERBS[arguments.verb](arguments, paths)


def _fail(code: str, message: str, exit_code: int, *, is_retryable: bool, is_json: bool) -> int:
    """Say what failed where it belongs; returns the exit code."""
    if is_json:
        print(
            json.dumps({"error": {"code": code, "message": message, "retryable": is_retryable}}), flush=True
        )
    else:
        print(f"clippy: {message}", file=sys.stderr)
    return exit_code
