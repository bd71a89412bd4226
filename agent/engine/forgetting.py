"""Forgets a span on this PC: ring, pins, outbox, files on their way, moments, and the saved clips that were ticked.

The order is what makes a kill harmless: the order is written down; chunks that are still being made are refused; the
outbox loses the span and keeps its tombstones; nobody writes or sends a copy any more; then the media go; then the
journal. Each step may be done again, so the next start does all of them again. Any thread; one at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from agent.control.wire import clip_to_wire
from agent.engine.forgetting_journal import ForgetOrder, ForgettingJournal
from agent.errors import EnvironmentProblem, InputUnusable
from agent.library.forgetting import LibraryForgetting
from agent.model.clips import SavedClip
from agent.uplink.outbox_forgetting import OutboxForgetting, OutboxSpan
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS

log = structlog.get_logger()

# How long a press that is being written may take to become a clip that can be listed.
_WRITERS_S = 10.0
# A session's worth of orders is a handful; more would only be a script's.
_MAX_SPANS = 1000


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


class MediaForgetting(Protocol):
    """The ring's side. Any thread."""

    def __call__(self, session_id: str, start_ns: int, end_ns: int, *, is_preview: bool) -> MediaSpan:
        """Delete every GOP of ring and pins that overlaps, or only count them.

        Raises:
            EnvironmentProblem: Something cannot be deleted; says what.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingParts:
    """Everything that may hold part of a span.

    Attributes:
        media: ring and pins.
        outbox: None without a coordinator.
        end_requests: answer and end what is being fulfilled for the coordinator; returns how many.
        finish_writers: wait until no press is being written any more; False at the deadline.
        uploads: the folder of exact files on their way.
        open_uploads: names in it that belong to requests for other spans, and stay.
        shared: the folder of files made for handing on, by the beginning of their clip's id.
        release_clip: give back what is held for a clip that is deleted.
        forget_looks: the self-test's own small pictures.
    """

    media: MediaForgetting
    library: LibraryForgetting
    outbox: OutboxForgetting | None
    end_requests: Callable[[str, int, int], int] = lambda _session_id, _start_ns, _end_ns: 0
    finish_writers: Callable[[float], bool] = lambda _timeout_s: True
    uploads: Path | None = None
    open_uploads: Callable[[], set[str]] = set
    shared: Path | None = None
    release_clip: Callable[[str], None] = lambda _clip_id: None
    forget_looks: Callable[[], None] = lambda: None


class ForgottenSpans:
    """The spans of the live session of which nothing may be kept any more. Any thread."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def add(self, start_ns: int, end_ns: int) -> None:
        """From now on."""
        self._spans = [*self._spans[-_MAX_SPANS:], (start_ns, end_ns)]

    def overlap(self, start_ns: int, end_ns: int) -> bool:
        """Does part of this lie in one of them?"""
        return any(start_ns < end and end_ns > start for start, end in self._spans)


class Forgetter:
    """Does what the user asks, and finishes what a kill left."""

    def __init__(self, parts: ForgettingParts, journal_path: Path, spans: ForgottenSpans) -> None:
        self._parts = parts
        self._journal = ForgettingJournal(journal_path)
        self._spans = spans
        self._lock = threading.Lock()

    def forget(
        self, request: control_pb2.ForgetRequest, *, session_id: str, now_ns: int
    ) -> control_pb2.ForgetReceipt:
        """Forget, or with `is_preview` only say what would go.

        Raises:
            InputUnusable: The span is not one, or lies in the future.
            EnvironmentProblem: Something could not be deleted; the next start tries again.
        """
        start_ns, end_ns = asked_span(request, now_ns=now_ns)
        order = ForgetOrder(
            session_id=session_id, start_ns=start_ns, end_ns=end_ns, clip_ids=tuple(request.clip_ids)
        )
        with self._lock:
            if request.is_preview:
                return self._preview(order)
            self._journal.write(order)
            self._spans.add(start_ns, end_ns)
            receipt = self._carry_out(order)
            self._journal.clear()
        log.info(
            "span_forgotten",
            duration_s=round((end_ns - start_ns) / SECOND_NS, 1),
            gone={part.what: part.count for part in receipt.gone},
        )
        return receipt

    def finish(self) -> control_pb2.ForgetReceipt | None:
        """Do what a killed engine had begun; before anything is recorded or sent. None: nothing was begun.

        Raises as `forget`.
        """
        with self._lock:
            order = self._journal.read()
            if order is None:
                return None
            receipt = self._carry_out(order)
            self._journal.clear()
        log.info("forgetting_finished", session_id=order.session_id)
        return receipt

    # ---- the two ways

    def _preview(self, order: ForgetOrder) -> control_pb2.ForgetReceipt:
        media = self._parts.media(order.session_id, order.start_ns, order.end_ns, is_preview=True)
        sent = self._look_at_outbox(order)
        clips = self._overlapping(order)
        going, staying = _sorted_out(clips, order.clip_ids)
        moments = self._parts.library.moments(order.session_id, order.start_ns, order.end_ns)
        return _receipt(
            order,
            media,
            sent,
            gone=[*_clip_parts(going), ForgottenPart(what="moments", count=len(moments))],
            staying=staying,
            clips=clips,
            is_preview=True,
        )

    def _carry_out(self, order: ForgetOrder) -> control_pb2.ForgetReceipt:
        span = (order.session_id, order.start_ns, order.end_ns)
        sent = self._parts.outbox.forget(*span) if self._parts.outbox else None
        num_requests = self._parts.end_requests(*span)
        if not self._parts.finish_writers(_WRITERS_S):
            log.warning("clip_still_being_written", timeout_s=_WRITERS_S)
        media = self._parts.media(*span, is_preview=False)
        self._parts.forget_looks()
        moments = self._parts.library.moments(*span)
        if moments:
            self._parts.library.delete_moments(moments)
        clips = self._overlapping(order)
        going, staying = _sorted_out(clips, order.clip_ids)
        self._delete_clips(going)
        num_uploads = self._empty_uploads() if num_requests else 0
        num_shared = self._delete_shared(clips)
        return _receipt(
            order,
            media,
            sent or OutboxSpan(start_ns=order.start_ns, end_ns=order.end_ns),
            gone=[
                *_clip_parts(going),
                ForgottenPart(what="moments", count=len(moments)),
                ForgottenPart(what="requests", count=num_requests),
                ForgottenPart(what="uploads", count=num_uploads),
                ForgottenPart(what="shares", count=num_shared),
            ],
            staying=staying,
            clips=[clip for clip in clips if clip not in going],
            is_preview=False,
        )

    def _look_at_outbox(self, order: ForgetOrder) -> OutboxSpan:
        if self._parts.outbox is None:
            return OutboxSpan(start_ns=order.start_ns, end_ns=order.end_ns)
        return self._parts.outbox.look(order.session_id, order.start_ns, order.end_ns)

    def _overlapping(self, order: ForgetOrder) -> list[SavedClip]:
        return self._parts.library.overlapping(order.session_id, order.start_ns, order.end_ns)

    def _delete_clips(self, clips: Sequence[SavedClip]) -> None:
        for clip in clips:
            for name in (clip.path, clip.thumbnail_path):
                if name:
                    _delete_file(Path(name))
            self._parts.release_clip(clip.clip_id)
        # The rows go last: a kill before that finds them again, and their files gone.
        if clips:
            self._parts.library.delete_clips([clip.clip_id for clip in clips])
            log.info("clips_forgotten", num_clips=len(clips), reason="the user ticked them")

    def _empty_uploads(self) -> int:
        """Files on their way are made for one request each; whoever has none any more goes."""
        num = 0
        if self._parts.uploads is not None and self._parts.uploads.is_dir():
            staying = self._parts.open_uploads()
            for path in self._parts.uploads.iterdir():
                # What is still being written has a longer name than the file it becomes.
                if not any(path.name.startswith(name) for name in staying):
                    _delete_file(path)
                    num += 1
        return num

    def _delete_shared(self, clips: Sequence[SavedClip]) -> int:
        """Copies of clips that hold part of it, also of those that stay: they can be made again."""
        num = 0
        for clip in clips:
            folder = None if self._parts.shared is None else self._parts.shared / clip.clip_id[:8]
            for path in folder.iterdir() if folder is not None and folder.is_dir() else ():
                _delete_file(path)
                num += 1
        return num


def asked_span(request: control_pb2.ForgetRequest, *, now_ns: int) -> tuple[int, int]:
    """Which span of the session is meant. Pure.

    Raises:
        InputUnusable: It is empty, or negative.
    """
    if request.last_ns < 0 or request.start_ns < 0 or request.end_ns < 0:
        raise InputUnusable("a span to forget has no negative times")
    if request.last_ns:
        return max(0, now_ns - request.last_ns), now_ns
    end_ns = min(request.end_ns or now_ns, now_ns)
    if request.start_ns >= end_ns:
        raise InputUnusable(
            f"the span {request.start_ns / SECOND_NS:.1f}..{end_ns / SECOND_NS:.1f} s is empty; "
            f"the session is at {now_ns / SECOND_NS:.1f} s"
        )
    return request.start_ns, end_ns


def _sorted_out(
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


def _clip_parts(going: Sequence[SavedClip]) -> list[ForgottenPart]:
    return [
        ForgottenPart(what="clips", count=len(going), size_bytes=sum(clip.size_bytes for clip in going)),
        ForgottenPart(what="thumbnails", count=sum(1 for clip in going if clip.thumbnail_path)),
    ]


def _receipt(
    order: ForgetOrder,
    media: MediaSpan,
    sent: OutboxSpan,
    *,
    gone: Sequence[ForgottenPart],
    staying: Sequence[ForgottenPart],
    clips: Sequence[SavedClip],
    is_preview: bool,
) -> control_pb2.ForgetReceipt:
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
    for part in (*staying, *_still_read(media), *_at_the_coordinator(sent)):
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


def _at_the_coordinator(sent: OutboxSpan) -> list[ForgottenPart]:
    parts = []
    if sent.num_sent:
        parts.append(
            ForgottenPart(
                what="coordinator",
                count=sent.num_sent,
                reason="chunks of sound and signals that were sent; the coordinator is told, but this version of it "
                "keeps them and what it heard in them until they are deleted there",
            )
        )
    if sent.num_sources:
        parts.append(
            ForgottenPart(
                what="coordinator",
                count=sent.num_sources,
                size_bytes=sent.source_bytes,
                reason="full quality that was sent on request, and what was made of it; until it is deleted there",
            )
        )
    return parts


def _add(thing: control_pb2.ForgottenThing, part: ForgottenPart) -> None:
    thing.what, thing.count, thing.size_bytes, thing.reason = (
        part.what,
        part.count,
        part.size_bytes,
        part.reason,
    )


def _delete_file(path: Path) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    except OSError as exc:
        raise EnvironmentProblem(
            f"cannot delete {path}: {exc.strerror}; close the program that has it open, and forget again"
        ) from exc
