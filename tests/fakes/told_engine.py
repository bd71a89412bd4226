"""An engine that says what a test told it to, for everything that speaks to one through the control API."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

from agent.errors import AgentError, InputUnusable
from agent.model.clips import ClipFile, SavedClip, Trigger
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
    """Ports `Engine` and `ClipDesk`. Tell it by its attributes, then call `tell_change`; from any thread."""

    def __init__(self) -> None:
        self.failure: AgentError | None = None
        self.saved_with: list[tuple[int, Trigger, bool]] = []
        self.tracks_and_title: tuple[tuple[str, ...], str] = ((), "")
        self.key_events: list[tuple[bool, int, Trigger]] = []
        self.trashed_clips: list[SavedClip] = []
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

    def moments(self, limit: int) -> control_pb2.ListMomentsResponse:
        return self.found

    def devices(self) -> list[control_pb2.Device]:
        return [control_pb2.Device(kind="screen", name=":0")]

    def request_stop(self) -> None:
        self.stopped.set()

    # ---- port ClipDesk

    def save(
        self, *, last_ns: int, trigger: Trigger, is_exact: bool, tracks: Sequence[str], title: str
    ) -> SavedClip:
        if self.failure:
            raise self.failure
        self.saved_with.append((last_ns, trigger, is_exact))
        self.tracks_and_title = (tuple(tracks), title)
        return CLIP

    def key(self, *, is_down: bool, monotonic_ns: int, trigger: Trigger) -> SavedClip | None:
        if self.failure:
            raise self.failure
        self.key_events.append((is_down, monotonic_ns, trigger))
        return CLIP if is_down else None

    def clips(self, limit: int, *, is_trash: bool = False) -> list[SavedClip]:
        return (self.trashed_clips if is_trash else self.saved_clips)[:limit]

    def move_ends(self, clip: str, *, start_ns: int | None, end_ns: int | None) -> SavedClip:
        found = self._found(clip)
        return self._put(
            found,
            start_ns=found.start_ns if start_ns is None else start_ns,
            end_ns=found.end_ns if end_ns is None else end_ns,
        )

    def share(self, clip: str, *, tracks: Sequence[str]) -> ClipFile:
        found = self._found(clip)
        return ClipFile(
            path=f"/shared/{','.join(tracks)}{found.clip_id}.mp4",
            start_ns=found.start_ns,
            end_ns=found.end_ns,
            size_bytes=found.size_bytes,
            is_exact=True,
        )

    def update(self, clip: str, *, title: str | None, is_locked: bool | None) -> SavedClip:
        found = self._found(clip)
        return self._put(
            found,
            title=found.title if title is None else title,
            is_locked=found.is_locked if is_locked is None else is_locked,
        )

    def trash(self, clip: str) -> SavedClip:
        found = self._found(clip)
        if found.is_locked:
            raise InputUnusable(f"clip {found.clip_id} is locked")
        self.saved_clips.remove(found)
        self.trashed_clips.append(dataclasses.replace(found, trashed_unix_ms=1_800_000_000_000))
        return self.trashed_clips[-1]

    def restore(self, clip: str) -> SavedClip:
        found = next((item for item in self.trashed_clips if item.clip_id == clip), None)
        if found is None:
            raise InputUnusable(f"clip {clip} is not in the trash")
        self.trashed_clips.remove(found)
        self.saved_clips.append(dataclasses.replace(found, trashed_unix_ms=0))
        return self.saved_clips[-1]

    def empty_trash(self, *, is_preview: bool) -> list[SavedClip]:
        gone = list(self.trashed_clips)
        if not is_preview:
            self.trashed_clips.clear()
        return gone

    def _found(self, clip: str) -> SavedClip:
        for found in self.saved_clips:
            if found.clip_id.startswith(clip):
                return found
        raise InputUnusable(f"there is no clip {clip!r} in the library")

    def _put(self, clip: SavedClip, **values: Any) -> SavedClip:
        changed = dataclasses.replace(clip, **values)
        self.saved_clips[self.saved_clips.index(clip)] = changed
        return changed
