"""The desk where clips are asked for (`ClipDesk`): pressed, moved, shared, named, kept and thrown away.

Any thread. What two threads do to one clip they do one after the other (`ClipSaver.only`).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path

import structlog

from agent.desk.chores import Chores
from agent.desk.margins import Margins
from agent.desk.presses import Presses
from agent.desk.saver import ClipSaver, StartGone, Wish
from agent.desk.sharing import Sharer
from agent.desk.tasting import Tasting
from agent.desk.window import Window
from agent.errors import AgentError, EnvironmentProblem, InputUnusable
from agent.library.library import Library
from agent.library.trash import Trash
from agent.model.clips import ClipFile, SavedClip, Trigger
from protos.timebase import MILLISECOND_NS, SECOND_NS

log = structlog.get_logger()

_SAVE_TIMEOUT_S = 60.0
_TRASH_EVERY_S = 3600.0
# A key event is dated by who heard it; a date further off than this is another clock's.
_MAX_EVENT_AGE_NS = 10 * SECOND_NS
_MIN_LENGTH_NS = 100 * MILLISECOND_NS
_SLACK_NS = 100 * MILLISECOND_NS
_COMMAND_KEY = "command"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeskParts:
    """What the desk joins."""

    library: Library
    saver: ClipSaver
    margins: Margins
    chores: Chores
    sharer: Sharer
    trash: Trash
    tasting: Tasting
    make_thumbnail: Callable[[Path, Path], object]
    thumbnail_folder: Path
    on_change: Callable[[], None]
    on_moved: Callable[[SavedClip], None] = lambda _clip: None


class Desk:
    """Port `ClipDesk`; `presses` also takes the hotkeys' events."""

    def __init__(self, parts: DeskParts) -> None:
        self._library = parts.library
        self._parts = parts
        self._saver = parts.saver
        self.chores = parts.chores
        self.presses: Presses  # joined by `take_presses`

    def take_presses(self, presses: Presses) -> None:
        """Join with the presses, which tell this desk of each file (`keep_up`)."""
        self.presses = presses

    def start(self) -> None:
        """Start the chores."""
        self.chores.start()
        self._look_at_trash()

    def stop(self) -> None:
        """Finish presses and chores. Twice is once."""
        self.presses.stop()
        self.chores.stop(10.0)

    # ---- saving

    def save(
        self, *, last_ns: int, trigger: Trigger, is_exact: bool, tracks: Sequence[str], title: str
    ) -> SavedClip:
        """As the port says."""
        future = self.presses.save(
            monotonic_ns=time.monotonic_ns(),
            last_ns=last_ns,
            trigger=trigger,
            is_exact=is_exact,
            tracks=tuple(tracks),
            title=title,
        )
        return self._reaching(_result(future))

    def key(self, *, is_down: bool, monotonic_ns: int, trigger: Trigger) -> SavedClip | None:
        """As the port says."""
        now_ns = time.monotonic_ns()
        is_ours = 0 <= now_ns - monotonic_ns <= _MAX_EVENT_AGE_NS
        at_ns = monotonic_ns if is_ours else now_ns
        if is_down:
            return self._reaching(_result(self.presses.key_down(_COMMAND_KEY, at_ns, trigger=trigger)))
        future = self.presses.key_up(_COMMAND_KEY, at_ns)
        return None if future is None else self._reaching(_result(future))

    def keep_up(self, clip: SavedClip) -> None:
        """A clip's file is new: pin its packets and margins, make its thumbnail; soon, in thread `clip-keeper`."""
        chores, margins = self.chores, self._parts.margins
        chores.put(lambda: self._hold(clip.clip_id))
        chores.put(lambda: self._make_thumbnail(clip.clip_id))
        if margins.margin_ns:
            # A second more, so that the last GOP of the margin is whole.
            later_s = margins.margin_ns / SECOND_NS + 1.0
            chores.put(lambda: self._hold(clip.clip_id), in_s=later_s)

    def _hold(self, clip_id: str) -> None:
        with self._saver.only(clip_id):
            clip = self._library.clip(clip_id)
            if clip is not None:
                self._parts.margins.hold(clip)

    def _make_thumbnail(self, clip_id: str) -> None:
        clip = self._library.clip(clip_id)
        if clip is None:
            return
        # Named by the span it shows, so that whoever shows it sees that it is another one.
        span_ms = f"{clip.start_ns // MILLISECOND_NS}-{clip.end_ns // MILLISECOND_NS}"
        target = self._parts.thumbnail_folder / f"{clip_id}-{span_ms}.jpg"
        try:
            self._parts.make_thumbnail(Path(clip.path), target)
        except AgentError as exc:
            log.warning("thumbnail_failed", problem=str(exc))
            return
        with self._saver.only(clip_id):
            self._library.set_thumbnail(clip_id, str(target))
        if clip.thumbnail_path and clip.thumbnail_path != str(target):
            Path(clip.thumbnail_path).unlink(missing_ok=True)
        self._parts.on_change()

    # ---- what there is

    def clips(self, limit: int, *, is_trash: bool) -> list[SavedClip]:
        """As the port says."""
        reaches = self._parts.margins.reaches()
        found = self._library.clips(limit, is_trash=is_trash)
        return [clip.with_reach(reaches.get(clip.clip_id)) for clip in found]

    def _reaching(self, clip: SavedClip) -> SavedClip:
        return clip.with_reach(self._parts.margins.reach(clip))

    # ---- changing one

    def move_ends(self, clip: str, *, start_ns: int | None, end_ns: int | None) -> SavedClip:
        """As the port says."""
        clip_id = self._library.find_clip(clip).clip_id
        with self._saver.only(clip_id):
            old = self._library.find_clip(clip_id)
            if old.trashed_unix_ms:
                raise InputUnusable(f"clip {clip_id[:8]} is in the trash; `clippy restore` it first")
            window = Window(
                start_ns=old.start_ns if start_ns is None else start_ns,
                end_ns=old.end_ns if end_ns is None else end_ns,
            )
            if window.end_ns - window.start_ns < _MIN_LENGTH_NS:
                raise InputUnusable(
                    f"a clip of {window.start_ns / SECOND_NS:.3f}..{window.end_ns / SECOND_NS:.3f} s is too short; "
                    "its end must lie at least 0.1 s after its start"
                )
            self._check_reach(old, window)
            wish = Wish(
                pressed_ns=time.monotonic_ns(),
                at_unix_ms=old.created_unix_ms,
                trigger=old.trigger,
                tracks=old.tracks or ("none",),
            )
            try:
                moved = self._saver.replace(old, window, wish)
            except StartGone as exc:
                raise InputUnusable(str(exc)) from exc
        self._parts.on_moved(moved)
        self.keep_up(moved)
        self._parts.tasting.note_moved(old, moved)
        self._parts.on_change()
        return self._reaching(moved)

    def _check_reach(self, clip: SavedClip, window: Window) -> None:
        """Is the whole window there, in the ring or pinned?"""
        low_ns, high_ns = self._parts.margins.reach(clip) or (clip.start_ns, clip.end_ns)
        there = self._parts.margins.there(clip.session_id, window)
        if there is None or there[0] - window.start_ns > _SLACK_NS or window.end_ns - there[1] > _SLACK_NS:
            raise InputUnusable(
                f"the ends of clip {clip.clip_id[:8]} go from {low_ns / SECOND_NS:.3f} to {high_ns / SECOND_NS:.3f} s "
                f"of its session now, not from {window.start_ns / SECOND_NS:.3f} to {window.end_ns / SECOND_NS:.3f} s"
            )

    def share(self, clip: str, *, tracks: Sequence[str]) -> ClipFile:
        """As the port says."""
        row = self._library.find_clip(clip)
        shared = self._parts.sharer.share(row, tracks=tracks)
        self._parts.tasting.note_clip(row, "keep")
        return shared

    def update(self, clip: str, *, title: str | None, is_locked: bool | None) -> SavedClip:
        """As the port says."""
        clip_id = self._library.find_clip(clip).clip_id
        with self._saver.only(clip_id):
            if title is not None:
                self._library.set_title(clip_id, title.strip())
            if is_locked is not None:
                self._library.set_locked(clip_id, is_locked)
        changed = self._library.find_clip(clip_id)
        if (title is not None and title.strip()) or is_locked:
            self._parts.tasting.note_clip(changed, "keep")
        self._parts.on_change()
        return self._reaching(changed)

    # ---- trash

    def trash(self, clip: str) -> SavedClip:
        """As the port says."""
        trashed = self._change_place(clip, lambda row: self._parts.trash.put(row, now_unix_ms=_unix_ms()))
        self._parts.tasting.note_clip(trashed, "delete")
        return trashed

    def restore(self, clip: str) -> SavedClip:
        """As the port says."""
        restored = self._change_place(clip, self._parts.trash.restore)
        self._parts.tasting.note_clip(restored, "undo")
        return restored

    def _change_place(self, clip: str, change: Callable[[SavedClip], SavedClip]) -> SavedClip:
        clip_id = self._library.find_clip(clip).clip_id
        with self._saver.only(clip_id):
            changed = change(self._library.find_clip(clip_id))
        self._parts.on_change()
        return self._reaching(changed)

    def empty_trash(self, *, is_preview: bool) -> list[SavedClip]:
        """As the port says."""
        in_trash = [clip for clip in self._library.clips(1_000_000, is_trash=True) if not clip.is_locked]
        if is_preview:
            return in_trash
        return self._delete(in_trash, reason="the user emptied the trash")

    def _look_at_trash(self) -> None:
        due = self._parts.trash.due(now_unix_ms=_unix_ms())
        self._delete(due, reason="its days in the trash are over")
        self.chores.put(self._look_at_trash, in_s=_TRASH_EVERY_S, is_done_at_stop=False)

    def _delete(self, clips: Sequence[SavedClip], *, reason: str) -> list[SavedClip]:
        gone = []
        for clip in clips:
            try:
                with self._saver.only(clip.clip_id):
                    # Read again: it may have been taken out meanwhile.
                    self._parts.trash.delete(self._library.find_clip(clip.clip_id), reason=reason)
            except AgentError as exc:
                log.warning("clip_not_deleted", clip_id=clip.clip_id, problem=str(exc))
                continue
            self._parts.margins.release(clip.clip_id)
            gone.append(clip)
        if gone:
            self._parts.on_change()
        return gone


def _result(future: Future[SavedClip]) -> SavedClip:
    try:
        return future.result(timeout=_SAVE_TIMEOUT_S)
    except FutureTimeout as exc:
        raise EnvironmentProblem(
            f"the clip is not written after {_SAVE_TIMEOUT_S:.0f} s; is the clips' disk very slow?"
        ) from exc


def _unix_ms() -> int:
    return time.time_ns() // MILLISECOND_NS
