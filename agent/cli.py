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
from pathlib import Path
from typing import Any, NoReturn

from agent import __version__
from agent.errors import AgentError, EngineNotRunning, InputUnusable
from agent.paths import AgentPaths, find_paths
from protos.timebase import SECOND_NS

FAILED, USAGE = 1, 2


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


def _print(value: Any, *, is_json: bool, text: str) -> None:
    print(json.dumps(value) if is_json else text, flush=True)


def _clip(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from agent.control.client import ControlClient

    client = ControlClient(paths.control_socket)
    clip = client.save_clip(last_ns=round(arguments.last * SECOND_NS), is_exact=arguments.exact)
    duration_s = (clip.end_ns - clip.start_ns) / SECOND_NS
    value = {
        "clip_id": clip.clip_id,
        "path": clip.path,
        "start_ns": clip.start_ns,
        "end_ns": clip.end_ns,
        "duration_s": duration_s,
        "latency_ms": clip.latency_ms,
    }
    _print(
        value, is_json=arguments.json, text=f"saved {duration_s:.3f} s in {clip.latency_ms} ms: {clip.path}"
    )
    return 0


def _status(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from google.protobuf.json_format import MessageToDict

    from agent.control.client import ControlClient
    from agent.control.words import status_lines

    client = ControlClient(paths.control_socket)
    for status in client.watch_status() if arguments.watch else [client.status()]:
        value = MessageToDict(
            status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        _print(_numbers(value), is_json=arguments.json, text="\n".join(status_lines(status)))
    return 0


def _numbers(value: Any) -> Any:
    """protobuf writes 64-bit integers as strings; JSON readers of ours want numbers."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() and len(value) < 20 else value


def _devices(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from agent.control.client import ControlClient
    from agent.engine.surveying import list_devices

    try:
        devices = ControlClient(paths.control_socket).devices()
    except EngineNotRunning:
        devices = list_devices(paths)
    rows = [
        {
            "kind": device.kind,
            "name": device.name,
            "detail": device.detail,
            "is_chosen": device.is_chosen,
            "is_usable": device.is_usable,
            "problem": device.problem or None,
        }
        for device in devices
    ]
    text = "\n".join(
        f"{'*' if row['is_chosen'] else ' '} {row['kind']:14} {row['name']:40} {row['problem'] or row['detail']}"
        for row in rows
    )
    _print({"devices": rows}, is_json=arguments.json, text=text or "no devices")
    return 0


def _library(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from agent.engine.surveying import read_library

    clips = read_library(paths, arguments.limit)
    rows = [
        {
            "clip_id": clip.clip_id,
            "path": clip.path,
            "session_id": clip.session_id,
            "start_ns": clip.start_ns,
            "end_ns": clip.end_ns,
            "latency_ms": clip.latency_ms,
            "duration_s": (clip.end_ns - clip.start_ns) / SECOND_NS,
            "trigger": clip.trigger,
            "size_bytes": clip.size_bytes,
            "created_unix_ms": clip.created_unix_ms,
            "is_there": Path(clip.path).is_file(),
        }
        for clip in clips
    ]
    text = "\n".join(
        f"{row['duration_s']:8.1f} s  {row['path']}{'' if row['is_there'] else '  (file is gone)'}"
        for row in rows
    )
    _print(
        {"clips": rows},
        is_json=arguments.json,
        text=text or "no clips yet; press the hotkey or run `clippy clip`",
    )
    return 0


def _moments(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from agent.control.client import ControlClient

    answer = ControlClient(paths.control_socket).moments(arguments.limit)
    rows = [
        {
            "moment_id": item.moment.moment_id,
            "start_s": item.moment.start_ns / SECOND_NS,
            "end_s": item.moment.end_ns / SECOND_NS,
            "score": item.moment.score,
            "kind": item.moment.kind,
            "title": item.moment.title,
            "evidence": [{"lane": e.lane, "weight": e.weight, "note": e.note} for e in item.moment.evidence],
            "exports": [{"preset": e.preset, "state": e.state, "url": e.url} for e in item.exports],
        }
        for item in answer.moments
    ]
    text = "\n".join(
        f"{row['score']:.2f}  {row['start_s']:8.1f}-{row['end_s']:.1f} s  {row['title'] or row['kind']}"
        for row in rows
    )
    _print(
        {"moments": rows, "reason": answer.reason},
        is_json=arguments.json,
        text=text or f"no moments: {answer.reason}",
    )
    return 0


def _doctor(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from agent.engine.surveying import examine

    checks = examine(paths, is_self_check=arguments.self_check)
    value = {
        "checks": [
            {"name": c.name, "is_ok": c.is_ok, "detail": c.detail, "advice": c.advice or None} for c in checks
        ]
    }
    lines = [
        f"{'ok  ' if check.is_ok else 'FAIL'} {check.name}: {check.detail}{f'; {check.advice}' if check.advice else ''}"
        for check in checks
    ]
    _print(value, is_json=arguments.json, text="\n".join(lines))
    return 0 if all(check.is_ok or not check.is_needed for check in checks) else 3


def _stop(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from agent.control.client import ControlClient

    ControlClient(paths.control_socket).stop_engine()
    _print({"is_stopping": True}, is_json=arguments.json, text="stopping")
    return 0


def _engine(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    from agent.engine.run import run_engine

    return run_engine(
        paths,
        is_headless=arguments.headless,
        is_generated=arguments.generated,
        log_level=arguments.log_level,
        is_json_log=arguments.json,
    )


_VERBS: dict[str, Callable[[argparse.Namespace, AgentPaths], int]] = {
    "engine": _engine,
    "clip": _clip,
    "status": _status,
    "devices": _devices,
    "library": _library,
    "moments": _moments,
    "doctor": _doctor,
    "stop": _stop,
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


if __name__ == "__main__":
    sys.exit(main())
