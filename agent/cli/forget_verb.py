"""`forget`: take a span out of everything on this PC that holds it, and say what remains elsewhere."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from agent.cli.answers import answer, with_numbers
from agent.errors import InputUnusable
from agent.paths import AgentPaths
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    from agent.control.client import ControlClient
    from protos.clippy.v1 import control_pb2


def forget(arguments: argparse.Namespace, paths: AgentPaths) -> int:
    """Show what would go, ask, forget, and print the receipt."""
    from agent.control.client import ControlClient

    client = ControlClient(paths.control_socket)
    span = _span(arguments, client)
    clip_ids = [clip_id for clip_id in arguments.clips.split(",") if clip_id]
    if arguments.preview or not arguments.yes:
        preview = client.forget(**span, is_preview=True, clip_ids=clip_ids)
        if arguments.preview:
            _print(preview, is_json=arguments.json)
            return 0
        if arguments.json or not sys.stdin.isatty():
            raise InputUnusable(
                "forgetting cannot be undone, and there is nobody to ask; look with --preview, then add --yes"
            )
        _print(preview, is_json=False)
        if input("Forget this for good? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was forgotten")
            return 1
        # What was shown is what goes: not what has come since.
        span = {"start_ns": preview.start_ns, "end_ns": preview.end_ns}
    _print(client.forget(**span, is_preview=False, clip_ids=clip_ids), is_json=arguments.json)
    return 0


def receipt_lines(receipt: control_pb2.ForgetReceipt) -> list[str]:
    """A receipt in words. Pure."""
    span = f"{receipt.start_ns / SECOND_NS:.1f} to {receipt.end_ns / SECOND_NS:.1f} s of this session"
    lines = [
        f"{'would be forgotten' if receipt.is_preview else 'forgotten'}: {span}, in whole GOPs and chunks"
    ]
    lines += [f"  {_thing(thing)}" for thing in receipt.gone] or ["  nothing held any of it"]
    if receipt.remaining:
        lines.append("would remain:" if receipt.is_preview else "remains:")
        lines += [f"  {_thing(thing)}" for thing in receipt.remaining]
    if receipt.overlapping_clips:
        lines.append("saved clips that hold part of it (tick with --clips ID,ID):")
        for clip in receipt.overlapping_clips:
            locked = ", locked" if clip.is_locked else ""
            lines.append(f"  {clip.clip_id}  {clip.path}{locked}")
    return lines


def _thing(thing: control_pb2.ForgottenThing) -> str:
    if not thing.count and thing.reason:
        return f"{thing.what}: {thing.reason}"
    size = f", {thing.size_bytes / 1e6:.1f} MB" if thing.size_bytes else ""
    return f"{thing.what}: {thing.count}{size}{f' ({thing.reason})' if thing.reason else ''}"


def _print(receipt: control_pb2.ForgetReceipt, *, is_json: bool) -> None:
    from google.protobuf.json_format import MessageToDict

    value = MessageToDict(
        receipt, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    answer(with_numbers(value), is_json=is_json, text="\n".join(receipt_lines(receipt)))


def _span(arguments: argparse.Namespace, client: ControlClient) -> dict[str, int]:
    """The span as the control API wants it; times before now are counted from the session's own now."""
    if arguments.last is not None:
        if arguments.start is not None or arguments.end is not None:
            raise InputUnusable("give --last, or --from and --to, not both")
        now_ns = client.status().now_ns
        return {"start_ns": max(0, now_ns - round(arguments.last * SECOND_NS)), "end_ns": now_ns}
    if arguments.start is None:
        raise InputUnusable("say what is to be forgotten: --last 300, or --from -600 --to -300")
    now_ns = client.status().now_ns
    return {
        "start_ns": max(0, _at_ns(arguments.start, now_ns)),
        "end_ns": now_ns if arguments.end is None else max(0, _at_ns(arguments.end, now_ns)),
    }


def _at_ns(time_s: float, now_ns: int) -> int:
    return round(time_s * SECOND_NS) + (now_ns if time_s < 0 else 0)
