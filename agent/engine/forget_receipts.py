"""What would go, what went and what remains, as the control API says it. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from agent.control.wire import clip_to_wire
from agent.engine.forgetting_journal import ForgetOrder
from agent.model.clips import SavedClip
from agent.uplink.outbox_forgetting import OutboxSpan
from protos.clippy.v1 import control_pb2, link_pb2

_ASKED = (
    ": the coordinator is asked to forget it until it has confirmed, at each connect; see `clippy status`"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenPart:
    """A line of the receipt."""

    what: str
    count: int
    size_bytes: int = 0
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MediaSpan:
    """What ring and pins hold of a span, widened to whole GOPs.

    Attributes:
        num_still_read: files that somebody reads just now; they go when the reader is done.
        is_done: False: something could not be deleted yet.
    """

    start_ns: int
    end_ns: int
    parts: tuple[ForgottenPart, ...] = ()
    num_still_read: int = 0
    is_done: bool = True


def sorted_out(
    clips: Sequence[SavedClip], ticked: Sequence[str]
) -> tuple[list[SavedClip], list[ForgottenPart]]:
    """Which clips go, and why the others stay."""
    going = [clip for clip in clips if clip.clip_id in ticked and not clip.is_locked]
    locked = [clip for clip in clips if clip.clip_id in ticked and clip.is_locked]
    unticked = [clip for clip in clips if clip.clip_id not in ticked]
    staying = [
        ForgottenPart(
            what="clips", count=len(group), size_bytes=sum(clip.size_bytes for clip in group), reason=reason
        )
        for group, reason in (
            (locked, "locked: unlock them first"),
            (unticked, "saved clips stay until they are ticked or deleted"),
        )
        if group
    ]
    return going, staying


def clip_parts(going: Sequence[SavedClip]) -> list[ForgottenPart]:
    """Saved clips that go, and their pictures."""
    return [
        ForgottenPart(what="clips", count=len(going), size_bytes=sum(clip.size_bytes for clip in going)),
        ForgottenPart(what="thumbnails", count=sum(1 for clip in going if clip.thumbnail_path)),
    ]


def make_receipt(
    order: ForgetOrder,
    media: MediaSpan,
    sent: OutboxSpan,
    *,
    gone: Sequence[ForgottenPart],
    staying: Sequence[ForgottenPart],
    clips: Sequence[SavedClip],
    is_preview: bool,
) -> control_pb2.ForgetReceipt:
    """The whole receipt, as far as this PC knows."""
    receipt = control_pb2.ForgetReceipt(
        is_preview=is_preview,
        start_ns=min(media.start_ns, sent.start_ns, order.start_ns),
        end_ns=max(media.end_ns, sent.end_ns, order.end_ns),
        overlapping_clips=[clip_to_wire(clip) for clip in clips],
    )
    outbox = ForgottenPart(what="outbox", count=sent.num_chunks, size_bytes=sent.size_bytes)
    for part in (*media.parts, outbox, *gone):
        if part.count:
            _add(receipt.gone.add(), part)
    for part in (*staying, *_still_read(media), *at_the_coordinator(sent)):
        _add(receipt.remaining.add(), part)
    return receipt


def _still_read(media: MediaSpan) -> list[ForgottenPart]:
    if media.num_still_read:
        reason = "a clip is being written from them; they go when it is done, at the next start at the latest"
    elif not media.is_done:
        reason = "some files could not be deleted just now; they go at the next start at the latest"
    else:
        return []
    return [ForgottenPart(what="ring", count=media.num_still_read, reason=reason)]


def at_the_coordinator(sent: OutboxSpan) -> list[ForgottenPart]:
    """What left this PC, and is asked to be forgotten there."""
    parts = []
    if sent.num_sent:
        parts.append(
            ForgottenPart(
                what="coordinator",
                count=sent.num_sent,
                reason="chunks of sound and signals that were sent" + _ASKED,
            )
        )
    if sent.num_sources:
        parts.append(
            ForgottenPart(
                what="coordinator",
                count=sent.num_sources,
                size_bytes=sent.source_bytes,
                reason="full quality that was sent on request, and what was made of it" + _ASKED,
            )
        )
    return parts


def confirmed_by(receipt: link_pb2.Forgotten) -> ForgottenPart:
    """What the coordinator says that it has forgotten."""
    words = [f"confirmed, gone there: {', '.join(receipt.went) or 'nothing was there'}"]
    if receipt.remains:
        words.append(f"remains there: {'; '.join(receipt.remains)}")
    if receipt.unreachable:
        words.append(f"not reached: {'; '.join(receipt.unreachable)}")
    return ForgottenPart(what="coordinator", count=0, reason=". ".join(words))


def add_confirmation(receipt: control_pb2.ForgetReceipt, said: link_pb2.Forgotten) -> None:
    """The coordinator's receipt takes the place of what it was asked for."""
    staying = [thing for thing in receipt.remaining if thing.what != "coordinator"]
    del receipt.remaining[:]
    receipt.remaining.extend(staying)
    _add(receipt.remaining.add(), confirmed_by(said))


def _add(thing: control_pb2.ForgottenThing, part: ForgottenPart) -> None:
    thing.what, thing.count, thing.size_bytes, thing.reason = (
        part.what,
        part.count,
        part.size_bytes,
        part.reason,
    )
