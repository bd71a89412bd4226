"""The command line: `clippy-coordinator all` runs everything; the other verbs are its parts, one at a time.

`--json` prints one JSON object to stdout, errors included, and nothing else; logs go to stderr.
Exit: 0 done, 1 failed, 2 usage, 3 environment problem, 75 try later.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from coordinator import (
    __version__,
    cli_captions,
    cli_export,
    cli_forget,
    cli_jobs,
    cli_layouts,
    cli_llm,
    cli_placement,
    cli_posts,
    cli_retention,
    cli_search,
    cli_taste,
    cli_users,
)
from coordinator.errors import CoordinatorError, InputUnusable

if TYPE_CHECKING:
    from coordinator.app.installation import Installation

FAILED, USAGE, TRY_LATER = 1, 2, 75
# As coordinator.settings.STAGES; repeated here so that --help needs no configuration.
STAGES = ("media", "transcribe", "ai", "clip", "export", "maintenance")
# These configure their own logs.
_PROCESSES = ("all", "serve", "worker")


class UsageProblem(Exception):
    """The command line cannot be understood; carries the usage line to show with the reason."""

    def __init__(self, reason: str, usage: str) -> None:
        super().__init__(reason)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    """Raises instead of ending the process: with `--json` the answer belongs on stdout, as an object."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message}; see `{self.prog} --help`", self.format_usage())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="clippy-coordinator", description="Hears streams, finds their moments, cuts and exports clips."
    )
    parser.add_argument("--version", action="version", version=f"clippy-coordinator {__version__}")
    parser.add_argument(
        "--data", type=Path, help="data directory (default: CLIPPY_COORDINATOR_DATA, or the platform's)"
    )
    parser.add_argument(
        "--config", type=Path, help="TOML file (default: coordinator.toml in the data directory)"
    )
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object, errors included")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("all", help="everything on this machine, under one supervisor", parents=[common])
    serve = verbs.add_parser("serve", help="the link and the pages", parents=[common])
    # One of several; given by their supervisor.
    serve.add_argument("--process", type=int, help=argparse.SUPPRESS)
    serve.add_argument("--of", type=int, default=1, help=argparse.SUPPRESS)
    worker = verbs.add_parser("worker", help="a worker of one stage", parents=[common])
    worker.add_argument("--stage", required=True, choices=STAGES)
    worker.add_argument(
        "--place",
        action="append",
        default=[],
        help="a kind of worker that this one is, see `placement`; again for more, the first's jobs first "
        "(workers.places); any: jobs for which no place is named",
    )
    verbs.add_parser("migrate", help="bring the database up to date", parents=[common])
    verbs.add_parser("doctor", help="what works here, and what to do about what does not", parents=[common])
    config = verbs.add_parser(
        "config", help="check: print the configuration, secrets left out", parents=[common]
    )
    config.add_argument("what", choices=["check"])
    cli_users.add_verbs(verbs, common)
    cli_forget.add_verb(verbs, common)
    cli_jobs.add_verb(verbs, common)
    cli_search.add_verb(verbs, common)
    cli_llm.add_verb(verbs, common)
    cli_taste.add_verb(verbs, common)
    cli_placement.add_verb(verbs, common)
    cli_posts.add_verb(verbs, common)
    cli_retention.add_verb(verbs, common)
    cli_export.add_verb(verbs, common)
    cli_layouts.add_verbs(verbs, common)
    _add_file_verbs(verbs, common)
    return parser


def _add_file_verbs(verbs: Any, common: _Parser) -> None:
    models = verbs.add_parser(
        "models", help="fetch a speech model, or check the one that is here", parents=[common]
    )
    models.add_argument("what", choices=["fetch", "check"])
    models.add_argument("--model", help="tiny, base, small ... or owner/name (default: asr.model)")
    models.add_argument(
        "--if-missing", action="store_true", help="fetch nothing when a model is found already"
    )
    probe = verbs.add_parser("probe", help="what a media file holds", parents=[common])
    probe.add_argument("file", type=Path)
    normalize = verbs.add_parser(
        "normalize", help="make H.264/AAC MP4 that starts at 0, upright", parents=[common]
    )
    normalize.add_argument("input", type=Path)
    normalize.add_argument("output", type=Path)
    transcribe = verbs.add_parser(
        "transcribe", help="the words in a media file, with their times", parents=[common]
    )
    transcribe.add_argument("file", type=Path)
    transcribe.add_argument(
        "--engine", choices=["auto", "faster-whisper", "pocketsphinx", "remote"], default="auto"
    )
    transcribe.add_argument("--grammar", type=Path, help="phrases to expect, one a line (pocketsphinx)")
    highlights = verbs.add_parser(
        "highlights", help="the moments in a transcript, chat or recording", parents=[common]
    )
    highlights.add_argument("--transcript", type=Path, help='{"segs": [[start_s, end_s, text], ...]}, or .gz')
    highlights.add_argument("--chat", type=Path, help='{"chat": [[t_s, text], ...]}, or .gz')
    highlights.add_argument("--media", type=Path, help="a recording")
    highlights.add_argument("--duration", type=float, help="seconds (needed without --media)")
    highlights.add_argument("--top", type=int, default=5, help="how many at most (5)")
    highlights.add_argument(
        "--llm", action="store_true", help="let the configured language models compare them"
    )
    export = verbs.add_parser(
        "export", help="render a clip to a preset, captions burned in", parents=[common]
    )
    cli_export.add_export_options(export)
    export.add_argument("--captions", type=Path, help="what transcribe printed")
    cli_captions.add_options(export)
    export.add_argument("--title")
    cli_layouts.add_export_option(export)
    cli_export.add_sound_options(export)


def _installation(arguments: argparse.Namespace) -> Installation:
    from coordinator.app.installation import Installation
    from coordinator.config import find_data, load_config

    data = find_data(arguments.data)
    return Installation(data, load_config(data, arguments.config), config_file=arguments.config)


def _print(value: Any, *, is_json: bool, text: str) -> None:
    print(json.dumps(value) if is_json else text, flush=True)


def _users(arguments: argparse.Namespace) -> int:
    value, text = cli_users.users(_installation(arguments), arguments)
    _print(value, is_json=arguments.json, text=text)
    return 0


def _pair(arguments: argparse.Namespace) -> int:
    value, text = cli_users.pair(_installation(arguments), arguments)
    _print(value, is_json=arguments.json, text=text)
    return 0


def _all(arguments: argparse.Namespace) -> int:
    from coordinator.app.everything import run_all

    return run_all(_installation(arguments))


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.process is None:
        from coordinator.app.processes import run_serve_alone

        return run_serve_alone(_installation(arguments))
    from coordinator.app.serving import run_serve

    return run_serve(_installation(arguments), process=arguments.process, num_processes=arguments.of)


def _worker(arguments: argparse.Namespace) -> int:
    from coordinator.app.working import run_worker_process

    return run_worker_process(_installation(arguments), arguments.stage, places=arguments.place)


def _migrate(arguments: argparse.Namespace) -> int:
    from coordinator.store.migrate import migrate

    before, after = migrate(_installation(arguments).database_url())
    value = {"before": before, "after": after}
    _print(value, is_json=arguments.json, text=f"from {before or 'nothing'} to {after}")
    return 0


def _config(arguments: argparse.Namespace) -> int:
    from coordinator.config import describe

    installation = _installation(arguments)
    values = {"data": str(installation.data), **describe(installation.config)}
    _print(values, is_json=arguments.json, text=json.dumps(values, indent=2))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from coordinator.app.examining import examine

    checks = examine(_installation(arguments))
    value = {
        "checks": [
            {"name": check.name, "is_ok": check.is_ok, "found": check.found, "advice": check.advice or None}
            for check in checks
        ]
    }
    lines = [
        f"{'ok  ' if check.is_ok else 'FAIL'} {check.name}: {check.found}{f'; {check.advice}' if check.advice else ''}"
        for check in checks
    ]
    _print(value, is_json=arguments.json, text="\n".join(lines))
    return 0 if all(check.is_ok for check in checks) else 3


def _models(arguments: argparse.Namespace) -> int:
    from coordinator.app import commands

    installation = _installation(arguments)
    name = arguments.model or installation.config.asr.model
    if arguments.what == "check":
        value = commands.check_model(installation, name)
        text = f"{value['model']} at {value['folder']}: every file as it was fetched"
    else:
        value = commands.fetch_model(installation, name, is_only_if_missing=arguments.if_missing)
        text = f"{value['model']} is at {value['folder']}"
    _print(value, is_json=arguments.json, text=text)
    return 0


def _probe(arguments: argparse.Namespace) -> int:
    import asyncio

    from coordinator.media.commands import probe_command

    value = asyncio.run(probe_command(arguments.file))
    _print(value, is_json=arguments.json, text=json.dumps(value, indent=2))
    return 0


def _normalize(arguments: argparse.Namespace) -> int:
    import asyncio

    from coordinator.media.commands import normalize_command

    value = asyncio.run(normalize_command(arguments.input, arguments.output))
    _print(value, is_json=arguments.json, text=f"wrote {arguments.output}")
    return 0


def _transcribe(arguments: argparse.Namespace) -> int:
    from coordinator.app import commands

    value = commands.transcribe(
        _installation(arguments), arguments.file, engine=arguments.engine, grammar=arguments.grammar
    )
    words = " ".join(word["text"] for word in value["words"])
    _print(
        value, is_json=arguments.json, text=f"{value['engine']} ({value['model']}): {words or 'no speech'}"
    )
    return 0


def _highlights(arguments: argparse.Namespace) -> int:
    from coordinator.app import commands

    value = commands.find_highlights(
        transcript=arguments.transcript,
        chat=arguments.chat,
        media=arguments.media,
        duration_s=arguments.duration,
        top_k=arguments.top,
        llm=_installation(arguments).config.llm if arguments.llm else None,
    )
    lines = [
        f"{moment['score']:.2f}  {moment['start_s']:8.1f}-{moment['end_s']:.1f} s  {moment['kind']}: "
        + "; ".join(item["note"] for item in moment["evidence"])
        for moment in value["moments"]
    ]
    if unjudged := value.get("llm", {}).get("reason"):
        print(unjudged, file=sys.stderr)
    _print(value, is_json=arguments.json, text="\n".join(lines) or f"no moments: {value.get('reason')}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from coordinator.model.exporting import Recipe

    recipe = Recipe(
        preset="",
        title=arguments.title,
        framing=cli_layouts.framing_of(arguments),
        captions=cli_captions.wish_of(arguments),
        sound=cli_export.sound_of(arguments),
    )
    return cli_export.run_export(arguments, recipe)


_VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "all": _all,
    "serve": _serve,
    "worker": _worker,
    "migrate": _migrate,
    "doctor": _doctor,
    "forget": lambda arguments: cli_forget.run(_installation(arguments), arguments),
    "search": lambda arguments: cli_search.run(_installation(arguments), arguments),
    "placement": lambda arguments: cli_placement.run(_installation(arguments), arguments),
    "posts": lambda arguments: cli_posts.run(_installation(arguments), arguments),
    "retention": lambda arguments: cli_retention.run(_installation(arguments), arguments),
    "jobs": lambda arguments: cli_jobs.run(_installation(arguments), arguments),
    "taste": lambda arguments: cli_taste.run(_installation(arguments), arguments),
    "llm": lambda arguments: cli_llm.run(_installation(arguments), arguments),
    "layouts": cli_layouts.run,
    "thumbnail": cli_layouts.run_thumbnail,
    "config": _config,
    "users": _users,
    "pair": _pair,
    "models": _models,
    "probe": _probe,
    "normalize": _normalize,
    "transcribe": _transcribe,
    "highlights": _highlights,
    "export": _export,
    "presets": cli_export.run_presets,
}


def main(argv: list[str] | None = None) -> int:
    """Command line entry point; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    is_json = "--json" in words
    try:
        return _run(_parser().parse_args(words))
    except UsageProblem as exc:
        if not is_json:
            print(exc.usage, end="", file=sys.stderr)
        return _fail("usage", str(exc), USAGE, is_retryable=False, is_json=is_json)
    except CoordinatorError as exc:
        return _fail(exc.code, str(exc), _exit_code(exc), is_retryable=exc.retryable, is_json=is_json)
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as exc:  # noqa: BLE001 - outermost frame of the process; the answer stays one object
        traceback.print_exc()
        reason = f"unexpected {type(exc).__name__}: {exc}; please report it with the lines above"
        return _fail("bug", reason, FAILED, is_retryable=False, is_json=is_json)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.verb not in _PROCESSES:
        from coordinator.log import configure_logs

        # Unconfigured, structlog prints to stdout, which belongs to the answer.
        configure_logs(level="warning")
    return _VERBS[arguments.verb](arguments)


def _exit_code(exc: CoordinatorError) -> int:
    if isinstance(exc, InputUnusable) and exc.code == InputUnusable.code:
        return USAGE
    return TRY_LATER if exc.retryable and exc.exit_code == FAILED else exc.exit_code


def _fail(code: str, message: str, exit_code: int, *, is_retryable: bool, is_json: bool) -> int:
    """Say what failed where it belongs; returns the exit code."""
    if is_json:
        print(
            json.dumps({"error": {"code": code, "message": message, "retryable": is_retryable}}), flush=True
        )
    else:
        print(f"clippy-coordinator: {message}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
