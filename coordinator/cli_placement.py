"""The verb `placement`: which kind of worker takes the jobs of which tier."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordinator.app.installation import Installation
    from coordinator.jobs.placing import Served, SetPlacement

# As coordinator.model; repeated here so that --help imports nothing.
_TIERS = ("free", "pro", "business")
_QUEUES = ("video-processing", "transcription", "ai-analysis", "clip-generation", "export", "cleanup")
_TEXT = """\
placement list                                       what was set, and which places workers serve now
placement set TIER QUEUE --place PLACE               jobs of that tier go to workers of that place
          [--under-load PLACE] [--press PLACE]       elsewhere while those are over 0.8 busy; what a press asked for
placement clear TIER QUEUE                           as if nobody had set it: any worker

A place is a name that workers are started with (`worker --stage S --place NAME`, or workers.places); `any` is the one
without a name. It counts within 10 s, without a restart, for jobs that are put from then on. A place that no worker
serves is as `any`.
"""


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add it to the command line; `common` has the options of every verb."""
    placement = verbs.add_parser(
        "placement",
        help="which kind of worker takes the jobs of which tier",
        description=_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whats = placement.add_subparsers(dest="what", required=True, metavar="WHAT")

    def add(what: str, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = whats.add_parser(
            what, help=text, description=text, parents=[common]
        )
        if what != "list":
            parser.add_argument("tier", choices=_TIERS, metavar="TIER", help=f"one of {', '.join(_TIERS)}")
            parser.add_argument(
                "queue", choices=_QUEUES, metavar="QUEUE", help=f"one of {', '.join(_QUEUES)}"
            )
        return parser

    add("list", "what was set, and which places workers serve now")
    setting = add("set", "let the jobs of a tier go to workers of a place")
    setting.add_argument("--place", default="any", help="where they go (any)")
    setting.add_argument("--under-load", metavar="PLACE", help="where they go while that is over 0.8 busy")
    setting.add_argument("--press", metavar="PLACE", help="where those go that a press asked for")
    add("clear", "undo set")


def run(installation: Installation, arguments: argparse.Namespace) -> int:
    """Do it, and print the answer; returns the exit code. Raises as `job_commands` and `place_named`."""
    value, text = {"list": _list, "set": _set, "clear": _clear}[arguments.what](installation, arguments)
    print(json.dumps(value) if arguments.json else text, flush=True)
    return 0


def _list(installation: Installation, _arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from coordinator.app.job_commands import list_placements

    rows, served = list_placements(installation)
    value = {
        "placements": [_value(row) for row in rows],
        "places": [
            {
                "queue": entry.queue.value,
                "place": _named(entry.place),
                "num_workers": entry.num_workers,
                "num_slots": entry.num_slots,
                "num_busy": entry.num_busy,
            }
            for entry in served
        ],
    }
    lines = [_words(row, served) for row in rows] or ["nothing is set: jobs of all tiers go to any worker"]
    lines += [
        f"{entry.queue.value:<17} {_named(entry.place):<12} {entry.num_workers} workers, "
        f"{entry.num_busy} of {entry.num_slots} slots busy"
        for entry in served
    ]
    return value, "\n".join(lines)


def _set(installation: Installation, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from coordinator.app.job_commands import list_placements, set_placement
    from coordinator.jobs.placing import SetPlacement
    from coordinator.model.jobs import Queue
    from coordinator.policy.placement import Placement
    from coordinator.settings import place_named

    def named(text: str | None) -> str | None:
        return None if text is None else place_named(text)

    wanted = SetPlacement(
        tier=arguments.tier,
        queue=Queue(arguments.queue),
        placement=Placement(
            place=place_named(arguments.place),
            under_load=named(arguments.under_load),
            press=named(arguments.press),
        ),
    )
    set_placement(installation, wanted)
    return _value(wanted), f"{_words(wanted, list_placements(installation)[1])}; within 10 s"


def _clear(installation: Installation, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from coordinator.app.job_commands import clear_placement
    from coordinator.model.jobs import Queue

    was_set = clear_placement(installation, arguments.tier, Queue(arguments.queue))
    text = "any worker again, within 10 s" if was_set else "was not set"
    value = {"tier": arguments.tier, "queue": arguments.queue, "was_set": was_set}
    return value, f"{arguments.tier} {arguments.queue}: {text}"


def _value(row: SetPlacement) -> dict[str, Any]:
    one = row.placement
    return {
        "tier": row.tier,
        "queue": row.queue.value,
        "place": _named(one.place),
        "under_load": None if one.under_load is None else _named(one.under_load),
        "press": None if one.press is None else _named(one.press),
    }


def _words(row: SetPlacement, served: list[Served]) -> str:
    one = row.placement
    words = f"{row.tier} {row.queue.value}: {_named(one.place)}"
    words += "" if one.under_load is None else f", under load {_named(one.under_load)}"
    words += "" if one.press is None else f", presses {_named(one.press)}"
    there = {entry.place for entry in served if entry.queue is row.queue}
    missing = sorted({place for place in (one.place, one.under_load, one.press) if place} - there)
    return words + (
        f"; no worker serves {', '.join(missing)} now, so any takes those jobs" if missing else ""
    )


def _named(place: str) -> str:
    return place or "any"
