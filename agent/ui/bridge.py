"""Turns the control API into Qt signals, and clicks into calls.

The thread `bridge` watches the status, `bridge-lists` polls the lists, and calls run in four pools, so that the
interface never waits for the engine nor for a disk, and a press never waits for a file that is made to be shared:
`bridge-save` saves, `bridge-change` makes small changes in the order of the clicks, `bridge-long` writes files, and
`bridge-pair` pairs.
Signals arrive on the main thread (queued connections).
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from PySide6.QtCore import QObject, QTimer, Signal, SignalInstance

from agent.control.client import ControlClient, PairingCall
from agent.errors import AgentError, EngineNotRunning
from agent.model.clips import SavedClip
from agent.ui.calls import Call, CallPool
from protos.clippy.v1 import clips_pb2, control_pb2

log = structlog.get_logger()
_RECONNECT_S = 1.0
_LISTS_EVERY_S = 2.0
# The engine speaks at least once a second; one that was silent for so long hangs, and is not "ready".
_SILENT_S = 5.0
_MAX_CALLS = 8
_MAX_CHANGES = 64
NUM_SHOWN = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownClip:
    """A saved clip, and whether its file is still there."""

    clip: SavedClip
    is_there: bool


def keep_reason(why: str) -> str | None:
    """Explains nothing: the reason as it is."""
    return why


class Bridge(QObject):
    """Signals of the engine. `start`, `stop` and the calls belong to the main thread.

    Args:
        explain_lost: gets why the engine does not answer, in the thread `bridge`; returns what to show instead,
            or None while it is about to start.

    Emits:
        status_changed(control_pb2.Status), engine_lost(str why), engine_starting(),
        clips_changed(list[ShownClip]), trash_changed(list[ShownClip]),
        moments_changed(control_pb2.ListMomentsResponse), saved(SavedClip), save_failed(str why),
        engine_stopped(), stop_failed(str why), pairing_progress(control_pb2.PairingProgress).
    """

    status_changed = Signal(object)
    engine_lost = Signal(str)
    engine_starting = Signal()
    clips_changed = Signal(object)
    trash_changed = Signal(object)
    moments_changed = Signal(object)
    saved = Signal(object)
    save_failed = Signal(str)
    engine_stopped = Signal()
    stop_failed = Signal(str)
    pairing_progress = Signal(object)

    def __init__(self, socket_path: Path, explain_lost: Callable[[str], str | None] = keep_reason) -> None:
        super().__init__()
        self._explain_lost = explain_lost
        self._client = ControlClient(socket_path)
        self._stopping = threading.Event()
        self._lists_wanted = threading.Event()
        self._saves = CallPool("bridge-save", num_threads=2, max_calls=_MAX_CALLS)
        self._changes = CallPool("bridge-change", num_threads=1, max_calls=_MAX_CHANGES)
        self._long = CallPool("bridge-long", num_threads=2, max_calls=_MAX_CALLS)
        self._pairings = CallPool("bridge-pair", num_threads=1, max_calls=_MAX_CALLS)
        self._pairing: PairingCall | None = None
        self._threads = [
            threading.Thread(target=self._watch, name="bridge", daemon=True),
            threading.Thread(target=self._poll_lists, name="bridge-lists", daemon=True),
        ]
        self._heard_at_s = time.monotonic()
        self._silence = QTimer(self)
        self._silence.setInterval(1000)
        self._silence.timeout.connect(self._look_for_silence)

    def start(self) -> None:
        """Start watching."""
        self._heard_at_s = time.monotonic()
        self._silence.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop within two seconds; the engine goes on. Twice is once."""
        self._stopping.set()
        self._lists_wanted.set()
        self._silence.stop()
        for pool in (self._saves, self._changes, self._long, self._pairings):
            pool.stop()
        self._client.close()  # ends every call that is under way
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=2)

    def save(self, last_ns: int) -> None:
        """Save a clip; `saved` or `save_failed` follows."""
        call = self._saves.run(
            lambda: self._and_look(self._client.save_clip(last_ns=last_ns, trigger="app")),
            refusal=f"{_MAX_CALLS} saves are under way already; wait for the first of them",
        )
        call.done.connect(self.saved)
        call.failed.connect(self.save_failed)

    def stop_engine(self) -> None:
        """Stop recording; `engine_stopped` follows once the engine has heard it, or `stop_failed`."""

        def stop() -> None:
            try:
                self._client.stop_engine()
            except EngineNotRunning:
                log.info("engine_gone_already")

        call = self._saves.run(stop, refusal="clips are still being saved; try again in a moment")
        call.done.connect(lambda _none: self.engine_stopped.emit())
        call.failed.connect(self.stop_failed)

    def rename(self, clip_id: str, title: str) -> Call:
        """Name a clip."""
        return self._change(lambda: self._client.update_clip(clip_id, title=title))

    def lock(self, clip_id: str, is_locked: bool) -> Call:
        """Lock a clip against the trash and against forgetting, or unlock it."""
        return self._change(lambda: self._client.update_clip(clip_id, is_locked=is_locked))

    def trash(self, clip_id: str) -> Call:
        """Put a clip into the trash."""
        return self._change(lambda: self._client.trash_clip(clip_id))

    def restore(self, clip_id: str) -> Call:
        """Take a clip out of the trash."""
        return self._change(lambda: self._client.restore_clip(clip_id))

    def judge_moment(self, moment_id: str, verdict: str) -> Call:
        """Keep or skip a moment, or take that back (`undo`)."""
        kind = clips_pb2.MomentVerdict.Kind.Value(verdict.upper())
        return self._change(lambda: self._client.judge_moment(moment_id, kind))

    def set_sound(
        self,
        name: str,
        *,
        gain_db: float | None = None,
        is_muted: bool | None = None,
        is_noise_suppressed: bool | None = None,
    ) -> Call:
        """Change one sound source; the next status shows it."""
        return self._change(
            lambda: self._client.set_sound(
                name, gain_db=gain_db, is_muted=is_muted, is_noise_suppressed=is_noise_suppressed
            )
        )

    def move_ends(self, clip_id: str, start_ns: int, end_ns: int) -> Call:
        """Write a clip anew with other ends; done with the SavedClip."""
        return self._write(lambda: self._client.move_clip_ends(clip_id, start_ns=start_ns, end_ns=end_ns))

    def share(self, clip_id: str) -> Call:
        """Make the file that may be handed to others; done with its Path."""
        return self._long.run(lambda: self._client.share_clip(clip_id))

    def recoverable(self) -> Call:
        """What killed engines left; done with a list of control_pb2.Recoverable, newest first."""
        return self._changes.run(self._client.recoverable)

    def recover(self, session_id: str) -> Call:
        """Save what a killed engine left; done with the SavedClip."""
        return self._write(lambda: self._client.recover(session_id))

    def discard(self, session_id: str) -> Call:
        """Delete what a killed engine left."""
        return self._write(lambda: self._client.discard_recoverable(session_id))

    def forget(self, last_ns: int, *, is_preview: bool, clip_ids: Sequence[str] = ()) -> Call:
        """Forget the last `last_ns` (0: everything), or say what would go; done with the receipt."""
        return self._write(
            lambda: self._client.forget(last_ns=last_ns, is_preview=is_preview, clip_ids=clip_ids)
        )

    def pair(self, request: control_pb2.PairCoordinatorRequest) -> Call:
        """Pair; `pairing_progress` tells how far it is; done with the last step of it."""
        pairing = self._pairing = self._client.pair(request)

        def follow() -> control_pb2.PairingProgress:
            last = control_pb2.PairingProgress()
            for last in pairing:
                self._emit(self.pairing_progress, last)
            return last

        return self._pairings.run(follow)

    def give_up_pairing(self) -> None:
        """Nobody waits for the pairing under way any more; it fails."""
        if self._pairing is not None:
            self._pairing.cancel()

    def unpair(self) -> Call:
        """Give the pairing up; done with a control_pb2.UnpairCoordinatorResponse."""
        return self._long.run(self._client.unpair)

    def _change(self, work: Callable[[], object]) -> Call:
        return self._changes.run(lambda: self._and_look(work()))

    def _write(self, work: Callable[[], object]) -> Call:
        return self._long.run(lambda: self._and_look(work()))

    def _and_look(self, answer: object) -> object:
        """What was changed is in the lists at once."""
        self._lists_wanted.set()
        return answer

    def _emit(self, signal: SignalInstance, *values: object) -> None:
        """From our threads; nobody listens any more once the app stops."""
        if not self._stopping.is_set():
            signal.emit(*values)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                for status in self._client.watch_status():
                    self._heard_at_s = time.monotonic()
                    self._emit(self.status_changed, status)
                    if self._stopping.is_set():
                        return
            except AgentError as exc:
                # Nothing to watch is said at once; the silence after it is no news.
                self._heard_at_s = float("inf")
                if (why := self._explain_lost(str(exc))) is None:
                    self._emit(self.engine_starting)
                else:
                    self._emit(self.engine_lost, why)
            except Exception:
                if not self._stopping.is_set():
                    log.exception("bridge_watch_failed")
            self._stopping.wait(_RECONNECT_S)

    def _look_for_silence(self) -> None:
        silent_s = time.monotonic() - self._heard_at_s
        if silent_s > _SILENT_S:
            self.engine_lost.emit(f"the engine has not answered for {silent_s:.0f} s; it may be overloaded")

    def _poll_lists(self) -> None:
        while not self._stopping.is_set():
            self._lists_wanted.clear()
            for look in (self._look_at_clips, self._look_at_moments, self._look_at_trash):
                try:
                    look()
                except AgentError as exc:
                    log.debug("list_unavailable", problem=str(exc))
                except Exception:
                    if not self._stopping.is_set():
                        log.exception("bridge_lists_failed")
            self._lists_wanted.wait(_LISTS_EVERY_S)

    def _look_at_clips(self) -> None:
        self._emit(self.clips_changed, _shown(self._client.clips(NUM_SHOWN)))

    def _look_at_trash(self) -> None:
        self._emit(self.trash_changed, _shown(self._client.clips(NUM_SHOWN, is_trash=True)))

    def _look_at_moments(self) -> None:
        self._emit(self.moments_changed, self._client.moments(NUM_SHOWN))


def _shown(clips: Sequence[SavedClip]) -> list[ShownClip]:
    return [ShownClip(clip=clip, is_there=Path(clip.path).is_file()) for clip in clips]
