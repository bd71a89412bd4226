"""`forget`: a span of a session goes, here and on the PC that recorded it; or what became of earlier orders."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from coordinator.errors import InputUnusable

if TYPE_CHECKING:
    from coordinator.app.installation import Installation


def add_verb(verbs: Any, common: argparse.ArgumentParser) -> None:
    """Add it to the command line."""
    forget = verbs.add_parser("forget", help="take a span of a session out of everything", parents=[common])
    forget.add_argument("session", nargs="?", help="its id: 32 hexadecimal digits")
    forget.add_argument("--start", type=float, help="seconds from the session's start")
    forget.add_argument("--end", type=float, help="seconds from the session's start")
    forget.add_argument(
        "--list", action="store_true", help="earlier orders and their receipts, the newest first"
    )


def run(installation: Installation, arguments: argparse.Namespace) -> int:
    """Do it, and print the answer; returns the exit code."""
    from coordinator.app.forgetting import forget_span, list_orders

    if arguments.list:
        if arguments.session is not None:
            raise InputUnusable("give a session, or --list, not both")
        value = list_orders(installation)
        lines = [line for order in value["orders"] for line in order_lines(order)] or [
            "nothing was forgotten yet"
        ]
    else:
        if arguments.session is None or arguments.start is None or arguments.end is None:
            raise InputUnusable(
                "say what is to be forgotten: forget SESSION --start S --end S; or look with --list"
            )
        value = forget_span(installation, arguments.session, arguments.start, arguments.end)
        lines = [*order_lines(value), "  objects and spools follow; its agent is told; see `forget --list`"]
    print(json.dumps(value) if arguments.json else "\n".join(lines), flush=True)
    return 0


def order_lines(order: dict[str, Any]) -> list[str]:
    """An order in words. Pure."""
    span = f"{order['start_s']:.1f} to {order['end_s']:.1f} s of {order['session_id']}"
    lines = [f"{order['forget_id']}  {span}: {order['state']}"]
    if "asked_by" in order:
        answered = order["agent_answered_at"] or "not yet"
        lines.append(
            f"  asked by the {order['asked_by']} at {order['asked_at']}; the agent has forgotten it: {answered}"
        )
    if order.get("problem"):
        lines.append(
            f"  not worked off: {order['problem']}; it is tried again every minute, see `jobs dead --queue cleanup`"
        )
    for name, title in (("went", "gone"), ("remains", "remains"), ("unreachable", "not reached")):
        lines += [f"  {title}: {line}" for line in order.get(name, [])]
    return lines
