"""An engine that says what a test told it to, for everything that speaks to one through the control API."""

from __future__ import annotations

import threading

from agent.errors import AgentError
from agent.model.clips import SavedClip, Trigger
from protos.clippy.v1 import clips_pb2, control_pb2
from protos.timebase import SECOND_NS

CLIP = SavedClip(
    clip_id="c1",
    session_id="0" * 32,
    path="/videos/a.mp4",
    start_ns=1,
    end_ns=3 * SECOND_NS,
    latency_ms=41,
    trigger="command",
    size_bytes=9,
    created_unix_ms=1_700_000_000_000,
    thumbnail_path="/t/c1.jpg",
)


class ToldEngine:
    """Port `Engine`. Tell it by its attributes, then call `tell_change`; from any thread."""

    def __init__(self) -> None:
        self.failure: AgentError | None = None
        self.saved_with: list[tuple[int, Trigger, bool]] = []
        self.sounds_set: list[tuple[str, float | None, bool | None, bool | None]] = []
        self.stopped = threading.Event()
        self.state = control_pb2.Status(
            state="ready", buffered_ns=5 * SECOND_NS, session_id=CLIP.session_id, hotkey="Ctrl+Shift+F10"
        )
        self.saved_clips = [CLIP]
        self.found = control_pb2.ListMomentsResponse(
            moments=[
                control_pb2.MomentWithExports(moment=clips_pb2.Moment(moment_id="m1", title="What a goal"))
            ]
        )
        # Set: calls are answered. Cleared: `wait_for_change` hangs, as in a process that was stopped.
        self.awake = threading.Event()
        self.awake.set()
        self._changed = threading.Event()

    def tell_change(self) -> None:
        """Let watchers look again at once."""
        self._changed.set()

    def status(self) -> control_pb2.Status:
        return self.state

    def wait_for_change(self, timeout_s: float) -> None:
        self._changed.wait(min(timeout_s, 0.05))
        self._changed.clear()
        self.awake.wait(30)

    def save_clip(self, *, last_ns: int, trigger: Trigger, is_exact: bool) -> SavedClip:
        if self.failure:
            raise self.failure
        self.saved_with.append((last_ns, trigger, is_exact))
        return CLIP

    def set_sound(
        self,
        name: str,
        gain_db: float | None = None,
        is_muted: bool | None = None,
        is_noise_suppressed: bool | None = None,
    ) -> control_pb2.Status:
        if self.failure:
            raise self.failure
        self.sounds_set.append((name, gain_db, is_muted, is_noise_suppressed))
        return self.state

    def clips(self, limit: int) -> list[SavedClip]:
        return self.saved_clips[:limit]

    def moments(self, limit: int) -> control_pb2.ListMomentsResponse:
        return self.found

    def devices(self) -> list[control_pb2.Device]:
        return [control_pb2.Device(kind="screen", name=":0")]

    def request_stop(self) -> None:
        self.stopped.set()
