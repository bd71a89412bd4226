"""What would go, what went and what remains, in words. Pure."""

from __future__ import annotations

from agent.ui.texts import length_words, size_words
from protos.clippy.v1 import control_pb2

# What the engine calls a thing, and what one and several of them are called here.
_THINGS = {
    "ring": ("piece of the buffer", "pieces of the buffer"),
    "pins": ("span kept for a clip or a request", "spans kept for clips and requests"),
    "candidates": ("noticed moment", "noticed moments"),
    "thumbnails": ("picture of a clip", "pictures of clips"),
    "outbox": ("chunk that waits to be sent", "chunks that wait to be sent"),
    "clips": ("saved clip", "saved clips"),
    "coordinator": ("thing at the coordinator", "things at the coordinator"),
    "verdicts": ("thing you said of a moment", "things you said of moments"),
    "said": ("thing that was said", "things that were said"),
    "shares": ("file made to be shared", "files made to be shared"),
}


def thing_words(thing: control_pb2.ForgottenThing) -> str:
    """One line: `12 pieces of the buffer, 12.3 MB`; with its reason where there is one."""
    one, several = _THINGS.get(thing.what, (thing.what, thing.what))
    words = f"{thing.count} {one if thing.count == 1 else several}" if thing.count else several.capitalize()
    if thing.size_bytes:
        words += f", {size_words(thing.size_bytes)}"
    return f"{words}: {thing.reason}" if thing.reason else words


def receipt_lines(receipt: control_pb2.ForgetReceipt) -> list[str]:
    """The whole receipt: what goes or went, and what remains."""
    goes = "Would go" if receipt.is_preview else "Gone"
    lines = []
    if receipt.end_ns > receipt.start_ns:
        span = length_words(receipt.end_ns - receipt.start_ns)
        lines.append(f"{goes}: {span}, widened to whole pieces" if receipt.is_preview else f"{goes}: {span}")
    elif not receipt.gone:
        lines.append("Nothing holds any of it")
    lines += [f"  • {thing_words(thing)}" for thing in receipt.gone]
    if receipt.remaining:
        lines.append("Would remain:" if receipt.is_preview else "Remains:")
        lines += [f"  • {thing_words(thing)}" for thing in receipt.remaining]
    return lines
