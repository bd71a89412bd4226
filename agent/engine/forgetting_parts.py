"""What forgetting needs of this engine's ring, library and sending, joined."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from agent.engine.forget_receipts import ForgottenPart, MediaSpan
from agent.engine.forgetting import Forgetter, ForgettingParts
from agent.engine.recording import Recording
from agent.engine.sending import Sending
from agent.engine.watching import Watching
from agent.errors import AgentError
from agent.library.forgetting import LibraryForgetting
from agent.paths import AgentPaths
from agent.ring.ring import GopRing
from protos.clippy.v1 import control_pb2

log = structlog.get_logger()


class RingForgetting:
    """Ring and pins (`MediaForgetting`), of this session or of one that was left behind."""

    def __init__(self, ring: GopRing) -> None:
        self._ring = ring

    def __call__(self, session_id: str, start_ns: int, end_ns: int, *, is_preview: bool) -> MediaSpan:
        """As the port says."""
        found = self._ring.forget(start_ns, end_ns, session_id=session_id, is_preview=is_preview)
        parts = [ForgottenPart(what="ring", count=found.num_gops, size_bytes=found.size_bytes)]
        for what, kinds in (("pins", ("keep", "request")), ("candidates", ("candidate",))):
            pins = [item for item in found.pins if item.pin.kind in kinds]
            parts.append(
                ForgottenPart(what=what, count=len(pins), size_bytes=sum(item.size_bytes for item in pins))
            )
        return MediaSpan(
            start_ns=found.start_ns,
            end_ns=found.end_ns,
            parts=tuple(parts),
            num_still_read=found.num_still_read,
            is_done=found.is_done,
        )


class SessionForgetter:
    """Port `Forgetter`, for the session that runs."""

    def __init__(self, forgetter: Forgetter, recording: Recording, on_change: Callable[[], None]) -> None:
        self._forgetter = forgetter
        self._recording = recording
        self._on_change = on_change

    def forget(self, request: control_pb2.ForgetRequest) -> control_pb2.ForgetReceipt:
        """As the port says."""
        receipt = self._forgetter.forget(
            request, session_id=self._recording.session_id, now_ns=self._recording.now_ns
        )
        self._on_change()
        return receipt


def release_pins(ring: GopRing, clip_id: str) -> None:
    """Give back what was held for a clip that is no more."""
    for pin in ring.pins.of_owner(clip_id):
        ring.release(pin.pin_id)


def make_forgetter(
    paths: AgentPaths, recording: Recording, sending: Sending, watching: Watching
) -> Forgetter:
    """The forgetter of a running engine; it shares with `sending` what must not be sent any more."""
    parts = ForgettingParts(
        media=RingForgetting(recording.ring),
        library=LibraryForgetting(recording.library),
        outbox=sending.outbox_forgetting(),
        end_requests=sending.end_requests,
        finish_writers=recording.desk.presses.finish,
        release_clip=lambda clip_id: release_pins(recording.ring, clip_id),
        shared=paths.shared,
        uploads=paths.uploads,
        open_uploads=sending.open_uploads,
        forget_looks=watching.self_test.forget,
        await_receipt=sending.await_receipt,
    )
    return Forgetter(parts, paths.forgetting, sending.forgotten)


def finish_forgetting(forgetter: Forgetter, recording: Recording) -> None:
    """Finish what a kill interrupted; what cannot be finished is told, and tried again at the next start."""
    try:
        forgetter.finish()
    except AgentError as exc:
        log.error("forgetting_not_finished", problem=str(exc))
        recording.warnings.append(f"what you had forgotten is not all gone yet: {exc}")
