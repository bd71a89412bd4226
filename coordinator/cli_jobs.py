"""The verb `jobs`: what waits and why, what failed and what to do, and queues that rest."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import getpass
import json
import re
from typing import TYPE_CHECKING, Any

from coordinator.errors import InputUnusable, NotFound

if TYPE_CHECKING:
    from coordinator.app.installation import Installation
    from coordinator.jobs.desk import Desk, Outcome, Told
    from coordinator.jobs.explain import LineFacts

# As coordinator.model.jobs and coordinator.jobs.desk; repeated here so that --help imports nothing.
_QUEUES = ("video-processing", "transcription", "ai-analysis", "clip-generation", "export", "cleanup")
_STATES = ("waiting", "running", "done", "failed", "cancelled")
_WATCH_EVERY_S = 2.0
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_TEXT = """\
jobs list                     the queues, and every job in words: why it waits, how far it is, how it ended
jobs show KEY                 one job: what was tried, and what to do
jobs dead                     jobs that failed for good, each with what to do
jobs retry KEY...|--all       give them all their attempts again
jobs cancel KEY...            take jobs out of the queue; one that runs is ended within 2 s, and leaves nothing
jobs pause QUEUE              no worker anywhere claims from it any more; what runs goes on
jobs resume QUEUE             undo pause
"""


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add it to the command line; `common` has the options of every verb."""
    jobs = verbs.add_parser(
        "jobs",
        help="list, explain, retry and cancel jobs; pause and resume queues",
        description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whats = jobs.add_subparsers(dest="what", required=True, metavar="WHAT")

    def add(what: str, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = whats.add_parser(
            what, help=text, description=text, parents=[common]
        )
        return parser

    listing = add("list", "the queues and the jobs in them: what runs and waits first, then what ended")
    _add_choice(listing)
    listing.add_argument("--state", choices=_STATES, help="only jobs in this state")
    listing.add_argument(
        "--watch", action="store_true", help="again every 2 s until Ctrl-C; with --json a line each"
    )
    add("show", "one job: its state in words, what was tried, and what to do").add_argument(
        "key", metavar="KEY"
    )
    dead = add("dead", "jobs that failed for good, the newest first, each with what to do")
    _add_choice(dead)
    dead.add_argument(
        "--forget", metavar="KEY", help="take this one off the list; no row brings it back either"
    )
    _add_by(dead)
    retry = add("retry", "run again what failed or was cancelled, with all its attempts")
    retry.add_argument("keys", nargs="*", metavar="KEY")
    retry.add_argument(
        "--all", action="store_true", help="everything that failed; narrow it with --queue, --code"
    )
    retry.add_argument("--queue", choices=_QUEUES, metavar="QUEUE", help=f"of: {', '.join(_QUEUES)}")
    retry.add_argument("--code", help="only what failed by this code, e.g. timeout")
    cancel = add("cancel", "take jobs out of the queue; one that runs is ended within 2 s")
    cancel.add_argument("keys", nargs="+", metavar="KEY")
    cancel.add_argument("--reason", default="", help="for whoever asks why there is no result")
    _add_by(cancel)
    pausing = add("pause", "let a queue rest on every machine; what runs goes on")
    pausing.add_argument("queue", choices=_QUEUES, metavar="QUEUE", help=f"one of {', '.join(_QUEUES)}")
    pausing.add_argument(
        "--for", dest="for_s", metavar="TIME", help="e.g. 90s, 10m, 2h (until it is resumed)"
    )
    pausing.add_argument("--reason", default="", help="for whoever asks why nothing moves")
    _add_by(pausing)
    resuming = add("resume", "undo your own pause of a queue")
    resuming.add_argument("queue", choices=_QUEUES, metavar="QUEUE", help=f"one of {', '.join(_QUEUES)}")
    resuming.add_argument("--force", action="store_true", help="lift others' pauses, too")
    _add_by(resuming)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--queue", choices=_QUEUES, metavar="QUEUE", help=f"of: {', '.join(_QUEUES)}")
    parser.add_argument("--session", help="only jobs of this session: its id")
    parser.add_argument("--code", help="only what failed by this code, e.g. timeout")
    parser.add_argument("--limit", type=int, default=50, help="how many jobs at most (50)")


def _add_by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", metavar="NAME", help="who asks for it (your login name)")


def run(installation: Installation, arguments: argparse.Namespace) -> int:
    """Do it, and print the answer; returns the exit code. Raises as `job_commands` and `Desk`."""
    if arguments.what in ("pause", "resume"):
        value, text = (_pause if arguments.what == "pause" else _resume)(installation, arguments)
        _print(value, text, arguments)
        return 0
    from coordinator.app.job_commands import with_desk

    if getattr(arguments, "limit", 1) < 1:
        raise InputUnusable(f"--limit {arguments.limit} is out of range; allowed: 1 and more")
    work = {"list": _list, "show": _show, "dead": _dead, "retry": _retry, "cancel": _cancel}[arguments.what]

    async def at_desk(desk: Desk) -> None:
        await work(desk, arguments)

    with_desk(installation, at_desk)
    return 0


async def _list(desk: Desk, arguments: argparse.Namespace) -> None:
    while True:
        lines = await desk.lines()
        jobs = await desk.look(**_choice(arguments), state=arguments.state)
        if arguments.queue:
            lines = [line for line in lines if line.queue == arguments.queue]
        value = {
            "queues": [_line_value(line) for line in lines],
            "jobs": [_job_value(told) for told in jobs],
        }
        _print(value, "\n".join([*_lines_text(lines), *_jobs_text(jobs)]), arguments)
        if not arguments.watch:
            return
        await asyncio.sleep(_WATCH_EVERY_S)
        if not arguments.json:
            print(flush=True)


async def _show(desk: Desk, arguments: argparse.Namespace) -> None:
    told = await desk.show(arguments.key)
    if told.facts.state == "unknown":
        raise NotFound(f"{told.words}: {arguments.key[:200]!r}; `clippy-coordinator jobs list` shows some")
    facts = told.facts
    lines = [f"{facts.key}  {facts.queue}  {facts.state}", told.words]
    lines += [f"session   {told.session_id}"] if told.session_id else []
    lines += [f"starts    {facts.runs}, attempt {facts.attempts}"] if facts.runs else []
    lines += [f"payload   {json.dumps(told.payload)}"] if told.payload else []
    lines += [f"tried     {one.at}  {one.stage or '-'}  {one.code}: {one.reason}" for one in facts.tried]
    _print(_job_value(told), "\n".join(lines), arguments)


async def _dead(desk: Desk, arguments: argparse.Namespace) -> None:
    if arguments.forget is not None:
        await desk.give_up(arguments.forget, by=_owner(arguments))
        value: dict[str, Any] = {"key": arguments.forget, "did": "given up"}
        _print(value, f"{arguments.forget} is given up; `jobs retry` still takes it", arguments)
        return
    jobs = await desk.look(**_choice(arguments), state="failed")
    text = "\n".join(_jobs_text(jobs)) or "no job has failed for good"
    _print({"jobs": [_job_value(told) for told in jobs]}, text, arguments)


async def _retry(desk: Desk, arguments: argparse.Namespace) -> None:
    from coordinator.model.jobs import Queue

    if bool(arguments.keys) == arguments.all:
        raise InputUnusable("which jobs? give their keys, or --all with --queue or --code or neither")
    if arguments.keys and (arguments.queue or arguments.code):
        raise InputUnusable("--queue and --code narrow --all; a key needs neither")
    if arguments.all:
        queue = Queue(arguments.queue) if arguments.queue else None
        outcomes = await desk.retry_all(queue=queue, code=arguments.code)
    else:
        outcomes = await desk.retry(arguments.keys)
    _print_outcomes(outcomes, arguments, "no job has failed")


async def _cancel(desk: Desk, arguments: argparse.Namespace) -> None:
    outcomes = await desk.cancel(arguments.keys, by=_owner(arguments), reason=arguments.reason)
    _print_outcomes(outcomes, arguments, "")


def _pause(installation: Installation, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from coordinator.app.job_commands import pause_queue
    from coordinator.model.jobs import Queue

    made = pause_queue(
        installation,
        Queue(arguments.queue),
        owner=_owner(arguments),
        reason=arguments.reason,
        for_s=None if arguments.for_s is None else seconds(arguments.for_s),
    )
    until = f"until {made.until.astimezone():%Y-%m-%d %H:%M}" if made.until else "until it is resumed"
    text = f"{made.queue} rests {until}; workers claim no more from it within 2 s, what runs goes on"
    return _pause_value(made), text


def _resume(installation: Installation, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from coordinator.app.job_commands import resume_queue
    from coordinator.model.jobs import Queue

    lifted = resume_queue(
        installation, Queue(arguments.queue), owner=_owner(arguments), is_forced=arguments.force
    )
    told = f"pauses lifted: {', '.join(lifted)}" if lifted else "was not paused"
    return {"queue": arguments.queue, "lifted": lifted}, f"{arguments.queue}: {told}"


def seconds(text: str) -> float:
    """Of `90`, `90s`, `10m`, `2h` or `1d`. Pure.

    Raises:
        InputUnusable: It is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None:
        raise InputUnusable(f"--for {text!r} is no time; give e.g. 90s, 10m, 2h or 1d")
    return float(found[1]) * _UNITS_S[found[2]]


def _choice(arguments: argparse.Namespace) -> dict[str, Any]:
    from coordinator.model.jobs import Queue

    return {
        "queue": Queue(arguments.queue) if arguments.queue else None,
        "session_id": arguments.session,
        "code": arguments.code,
        "limit": arguments.limit,
    }


def _owner(arguments: argparse.Namespace) -> str:
    if arguments.by:
        return f"operator:{arguments.by}"
    try:
        name = getpass.getuser()
    except (KeyError, ImportError, OSError) as exc:
        raise InputUnusable("this login has no name, so say who asks: --by NAME") from exc
    # A login may have a space or a backslash in it, on Windows.
    return "operator:" + re.sub(r"[^\w.@-]", "-", name)[:64]


def _job_value(told: Told) -> dict[str, Any]:
    from coordinator.policy.remedies import remedy_of

    facts = dataclasses.asdict(told.facts)
    return {
        "key": facts.pop("key"),
        "words": told.words,
        "remedy": remedy_of(told.facts.code) if told.facts.state == "failed" else None,
        "session_id": told.session_id,
        "priority": told.priority,
        "payload": told.payload,
        **facts,
    }


def _line_value(line: LineFacts) -> dict[str, Any]:
    counts = dataclasses.asdict(dataclasses.replace(line, pauses=(), rest=None))
    del counts["rest"]
    return {**counts, "words": _line_words(line), "pauses": [_pause_value(one) for one in line.pauses]}


def _pause_value(pause: Any) -> dict[str, Any]:
    return {
        "queue": pause.queue.value,
        "owner": pause.owner,
        "reason": pause.reason,
        "paused_at": pause.paused_at.isoformat(),
        "until": pause.until.isoformat() if pause.until else None,
    }


def _line_words(line: LineFacts) -> str:
    import datetime

    from coordinator.jobs.explain import explain_line

    return explain_line(line, datetime.datetime.now(datetime.UTC).astimezone())


def _lines_text(lines: list[LineFacts]) -> list[str]:
    texts = [f"{'queue':<17}{'ready':>7}{'delayed':>9}{'running':>9}{'failed':>8}{'oldest':>9}  workers"]
    for line in lines:
        workers = f"{line.num_workers}, {line.num_busy} of {line.num_slots} slots busy"
        numbers = f"{line.num_ready:>7}{line.num_delayed:>9}{line.num_running:>9}{line.num_held:>8}"
        words = _line_words(line)
        texts.append(
            f"{line.queue:<17}{numbers}{line.oldest_age_s:>7.0f} s  {workers}{f'; {words}' if words else ''}"
        )
    return texts


def _jobs_text(jobs: list[Told]) -> list[str]:
    return [f"{told.facts.key}  {told.words}" for told in jobs]


def _print_outcomes(outcomes: list[Outcome], arguments: argparse.Namespace, otherwise: str) -> None:
    """Print them; raises NotFound where one single key was asked for and nobody knows it."""
    if len(outcomes) == 1 and outcomes[0].words.startswith("nobody ever asked"):
        raise NotFound(f"{outcomes[0].words}: {outcomes[0].key[:200]!r}")
    value = {"jobs": [dataclasses.asdict(outcome) for outcome in outcomes]}
    text = "\n".join(f"{outcome.key}  {outcome.words}" for outcome in outcomes) or otherwise
    _print(value, text, arguments)


def _print(value: dict[str, Any], text: str, arguments: argparse.Namespace) -> None:
    print(json.dumps(value) if arguments.json else text, flush=True)
