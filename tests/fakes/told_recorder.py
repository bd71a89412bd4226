"""A told engine with all of an engine's desks: what the app's pages change is changed in the next status and list."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from agent.errors import AgentError
from agent.model.clips import ClipFile, SavedClip
from protos.clippy.v1 import control_pb2
from tests.fakes.told_engine import CLIP, ToldEngine


class ToldRecorder(ToldEngine):
    """Tell it by its attributes; `refusal` is raised by whatever changes something while it is set.

    Args:
        folder: where it puts files to share.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.refusal: AgentError | None = None
        self.moved_to: list[tuple[str, int | None, int | None]] = []
        self.shared: list[str] = []
        # Cleared: a file to share is under way.
        self.may_share = threading.Event()
        self.may_share.set()
        self.left: list[control_pb2.Recoverable] = []
        self.recovered: list[str] = []
        self.sound_set: list[tuple[str, dict[str, object]]] = []
        self.forgotten: list[control_pb2.ForgetRequest] = []
        self.receipt = control_pb2.ForgetReceipt()

    # ---- port ClipDesk

    def move_ends(self, clip: str, *, start_ns: int | None, end_ns: int | None) -> SavedClip:
        self._refuse()
        self.moved_to.append((clip, start_ns, end_ns))
        return super().move_ends(clip, start_ns=start_ns, end_ns=end_ns)

    def share(self, clip: str, *, tracks: Sequence[str]) -> ClipFile:
        self.may_share.wait(20)
        self._refuse()
        self.shared.append(clip)
        path = self.folder / f"share-{clip}.mp4"
        path.write_bytes(b"smart cut")
        return ClipFile(path=str(path), start_ns=0, end_ns=1, size_bytes=9, is_exact=True)

    def update(self, clip: str, *, title: str | None, is_locked: bool | None) -> SavedClip:
        self._refuse()
        return super().update(clip, title=title, is_locked=is_locked)

    def trash(self, clip: str) -> SavedClip:
        self._refuse()
        return super().trash(clip)

    def restore(self, clip: str) -> SavedClip:
        self._refuse()
        return super().restore(clip)

    # ---- port SoundDesk

    def set_sound(
        self, name: str, *, gain_db: float | None, is_muted: bool | None, is_noise_suppressed: bool | None
    ) -> None:
        self._refuse()
        asked = {"gain_db": gain_db, "is_muted": is_muted, "is_noise_suppressed": is_noise_suppressed}
        wanted: dict[str, object] = {key: value for key, value in asked.items() if value is not None}
        self.sound_set.append((name, wanted))
        state = control_pb2.Status()
        state.CopyFrom(self.state)
        for track in state.sound:
            if track.name == name:
                for key, value in wanted.items():
                    setattr(track, key, value)
        self.state = state

    # ---- port Recovery

    def sessions(self) -> list[control_pb2.Recoverable]:
        return self.left

    def recover(self, session_id: str, *, last_ns: int = 0) -> SavedClip:
        self._refuse()
        self.recovered.append(session_id)
        return CLIP

    def discard(self, session_id: str) -> None:
        self._refuse()
        self._leave_out(session_id)

    # ---- port Forgetter

    def forget(self, request: control_pb2.ForgetRequest) -> control_pb2.ForgetReceipt:
        self._refuse()
        self.forgotten.append(request)
        receipt = control_pb2.ForgetReceipt()
        receipt.CopyFrom(self.receipt)
        receipt.is_preview = request.is_preview
        return receipt

    def _leave_out(self, session_id: str) -> None:
        self.left = [session for session in self.left if session.session_id != session_id]
        state = control_pb2.Status()
        state.CopyFrom(self.state)
        state.buffer.num_recoverable = len(self.left)
        self.state = state

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal
