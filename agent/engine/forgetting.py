"""Forgets a span on this PC: ring, pins, outbox, files on their way, moments, and the saved clips that were ticked.

The order is what makes a kill harmless: the order is written down; chunks that are still being made are refused; the
outbox loses the span and keeps its tombstones; nobody writes or sends a copy any more; then the media go; then the
journal. Each step may be done again, so the next start does all of them again. Any thread; one at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from agent.engine.forget_receipts import (
    ForgottenPart,
    MediaSpan,
    add_confirmation,
    clip_parts,
    make_receipt,
    sorted_out,
)
from agent.engine.forgetting_journal import ForgetOrder, ForgettingJournal
from agent.errors import EnvironmentProblem, InputUnusable
from agent.library.forgetting import LibraryForgetting
from agent.model.clips import SavedClip
from agent.uplink.outbox_forgetting import OutboxForgetting, OutboxSpan
from protos.clippy.v1 import control_pb2, link_pb2
from protos.timebase import SECOND_NS

log = structlog.get_logger()

# How long a press that is being written may take to become a clip that can be listed.
_WRITERS_S = 10.0
# A session's worth of orders is a handful; more would only be a script's.
_MAX_SPANS = 1000


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
        await_receipt: wait a little for what the coordinator says of an order; None: it says nothing yet.
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
    await_receipt: Callable[[str], link_pb2.Forgotten | None] = lambda _forget_id: None


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
            forget_id=uuid.uuid4().hex,
            session_id=session_id,
            start_ns=start_ns,
            end_ns=end_ns,
            clip_ids=tuple(request.clip_ids),
        )
        if request.is_preview:
            with self._lock:
                return self._preview(order)
        receipt = self._forget(order, is_live=True)
        # Not under the lock: the network must not hold up the next order.
        said = self._parts.await_receipt(order.forget_id)
        if said is not None:
            add_confirmation(receipt, said)
        return receipt

    def follow(self, order: link_pb2.Forget, *, session_id: str, now_ns: int) -> None:
        """Do what was asked for at the coordinator; its own id says that it was done. Saved clips stay.

        Args:
            session_id, now_ns: of the session that runs; the order may be for an older one.

        Raises as `forget`.
        """
        if self._parts.outbox is None or self._parts.outbox.is_known(order.forget_id):
            return
        is_live = order.session_id == session_id
        # What is not recorded yet was not meant.
        end_ns = max(order.start_ns + 1, min(order.end_ns, now_ns)) if is_live else order.end_ns
        self._forget(
            ForgetOrder(
                forget_id=order.forget_id, session_id=order.session_id, start_ns=order.start_ns, end_ns=end_ns
            ),
            is_live=is_live,
        )

    def _forget(self, order: ForgetOrder, *, is_live: bool) -> control_pb2.ForgetReceipt:
        with self._lock:
            self._journal.write(order)
            if is_live:
                self._spans.add(order.start_ns, order.end_ns)
            receipt = self._carry_out(order)
            self._journal.clear()
        log.info(
            "span_forgotten",
            duration_s=round((order.end_ns - order.start_ns) / SECOND_NS, 1),
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
        going, staying = sorted_out(clips, order.clip_ids)
        span = (order.session_id, order.start_ns, order.end_ns)
        moments = self._parts.library.moments(*span)
        return make_receipt(
            order,
            media,
            sent,
            gone=[
                *clip_parts(going),
                ForgottenPart(what="moments", count=len(moments)),
                ForgottenPart(what="verdicts", count=self._parts.library.num_verdicts(*span)),
                ForgottenPart(
                    what="said",
                    count=self._parts.library.num_said(order.session_id, order.start_ns, order.end_ns),
                ),
            ],
            staying=staying,
            clips=clips,
            is_preview=True,
        )

    def _carry_out(self, order: ForgetOrder) -> control_pb2.ForgetReceipt:
        span = (order.session_id, order.start_ns, order.end_ns)
        # Written by an older version, a journal's order has no id: the coordinator gets a new one.
        forget_id = order.forget_id or uuid.uuid4().hex
        sent = self._parts.outbox.forget(*span, forget_id=forget_id) if self._parts.outbox else None
        num_requests = self._parts.end_requests(*span)
        if not self._parts.finish_writers(_WRITERS_S):
            log.warning("clip_still_being_written", timeout_s=_WRITERS_S)
        media = self._parts.media(*span, is_preview=False)
        self._parts.forget_looks()
        moments = self._parts.library.moments(*span)
        if moments:
            self._parts.library.delete_moments(moments)
        num_verdicts = self._parts.library.delete_verdicts(*span)
        num_said = self._parts.library.forget_said(*span)
        clips = self._overlapping(order)
        going, staying = sorted_out(clips, order.clip_ids)
        self._delete_clips(going)
        num_uploads = self._empty_uploads() if num_requests else 0
        num_shared = self._delete_shared(clips)
        return make_receipt(
            order,
            media,
            sent or OutboxSpan(start_ns=order.start_ns, end_ns=order.end_ns),
            gone=[
                *clip_parts(going),
                ForgottenPart(what="moments", count=len(moments)),
                ForgottenPart(what="verdicts", count=num_verdicts),
                ForgottenPart(what="said", count=num_said),
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


def _delete_file(path: Path) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    except OSError as exc:
        raise EnvironmentProblem(
            f"cannot delete {path}: {exc.strerror}; close the program that has it open, and forget again"
        ) from exc
