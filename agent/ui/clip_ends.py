"""Moves a saved clip's ends, as far as its packets are still pinned, and has the file written anew."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from agent.model.clips import SavedClip
from agent.ui.bridge import Bridge, ShownClip
from agent.ui.ends_line import MIN_LENGTH_MS, Ends, EndsLine
from agent.ui.texts import clip_name, text_label
from protos.timebase import SECOND_NS

_MS_NS = 1_000_000


def room_of(clip: SavedClip) -> Ends | None:
    """How far a clip's ends can go; None where they cannot be moved. Pure."""
    min_start_ns = min(clip.min_start_ns or clip.start_ns, clip.start_ns)
    max_end_ns = max(clip.max_end_ns, clip.end_ns)
    can_grow = min_start_ns < clip.start_ns or max_end_ns > clip.end_ns
    if not can_grow or max_end_ns - min_start_ns <= MIN_LENGTH_MS * _MS_NS:
        return None
    return Ends(min_start_ns=min_start_ns, start_ns=clip.start_ns, end_ns=clip.end_ns, max_end_ns=max_end_ns)


def ends_words(clip: SavedClip, ends: Ends) -> str:
    """What the handles would make of the clip. Pure."""
    length_s = (ends.end_ns - ends.start_ns) / SECOND_NS
    was_s = (clip.end_ns - clip.start_ns) / SECOND_NS
    parts = [f"{length_s:.1f} s"]
    if moved_ns := clip.start_ns - ends.start_ns:
        parts.append(f"starts {abs(moved_ns) / SECOND_NS:.1f} s {'earlier' if moved_ns > 0 else 'later'}")
    if moved_ns := ends.end_ns - clip.end_ns:
        parts.append(f"ends {abs(moved_ns) / SECOND_NS:.1f} s {'later' if moved_ns > 0 else 'earlier'}")
    return " · ".join(parts) + (f" (was {was_s:.1f} s)" if len(parts) > 1 else "")


class EndsEditor(QFrame):
    """Emits looked_at(path, ms after the start of that file) while a handle moves, began() and written(SavedClip)."""

    looked_at = Signal(str, int)
    began = Signal()
    written = Signal(object)

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.setObjectName("card")
        self._bridge = bridge
        self._clip: SavedClip | None = None
        self._writing_id = ""
        self._title = text_label("facts")
        self._title.setWordWrap(False)
        self.line = EndsLine()
        self.line.moved.connect(self._show_moved)
        self._words = text_label("facts")
        self._trouble = text_label("problem")
        self._reset = QPushButton("Reset")
        self._reset.setObjectName("small")
        self._reset.clicked.connect(self._show_saved)
        self._apply = QPushButton("Apply")
        self._apply.setObjectName("small")
        self._apply.setAccessibleDescription("Write the clip's file anew with these ends")
        self._apply.clicked.connect(self._write)
        row = QHBoxLayout()
        row.addWidget(self._words, 1)
        row.addWidget(self._reset)
        row.addWidget(self._apply)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 6, 12, 6)
        layout.setSpacing(4)
        for widget in (self.line, self._trouble):
            layout.addWidget(widget)
        layout.addLayout(row)
        self.show_clip(None)

    def show_clip(self, shown: ShownClip | None) -> None:
        """Show a clip's ends. While it stays the same the handles stay where they are, whatever its room does."""
        clip = shown.clip if shown is not None and shown.is_there else None
        if clip == self._clip:
            return
        is_same = clip is not None and self._clip is not None and _file_of(clip) == _file_of(self._clip)
        had_room = self._clip is not None and room_of(self._clip) is not None
        self._clip = clip
        room = room_of(clip) if clip is not None else None
        if is_same and had_room and room is not None:
            self.line.change_room(room)
        elif not is_same or had_room != (room is not None):
            self._show_saved()

    def _show_saved(self) -> None:
        self._trouble.hide()
        room = room_of(self._clip) if self._clip else None
        self.line.setVisible(room is not None)
        for button in (self._apply, self._reset):
            button.setVisible(room is not None)
            button.setEnabled(False)
        if room is not None:
            self.line.show_room(room)
        self._show_words()
        if self._writing_id and self._clip and self._clip.clip_id == self._writing_id:
            self._show_writing()

    def _show_words(self) -> None:
        if self._clip is None:
            self._words.setText("Select a clip to move its ends.")
        elif room_of(self._clip) is None:
            self._words.setText("Its ends can no longer be moved: what was recorded around it has expired.")
        else:
            self._words.setText(ends_words(self._clip, self.line.ends()))

    def _show_moved(self, side: str) -> None:
        if self._clip is None:
            return
        ends = self.line.ends()
        is_moved = (ends.start_ns, ends.end_ns) != (self._clip.start_ns, self._clip.end_ns)
        for button in (self._apply, self._reset):
            button.setEnabled(is_moved and not self._writing_id)
        self._show_words()
        time_ns = ends.start_ns if side == "start" else ends.end_ns
        self.looked_at.emit(self._clip.path, (time_ns - self._clip.start_ns) // _MS_NS)

    def _write(self) -> None:
        if self._clip is None:
            return
        ends = self.line.ends()
        self._writing_id = self._clip.clip_id
        self._trouble.hide()
        self._show_writing()
        self.began.emit()  # whoever has the file open lets go of it
        call = self._bridge.move_ends(self._clip.clip_id, ends.start_ns, ends.end_ns)
        call.done.connect(self._show_written)
        call.failed.connect(self._show_failed)

    def _show_writing(self) -> None:
        assert self._clip is not None
        self._words.setText(f"Writing “{clip_name(self._clip.title, self._clip.path)}” anew…")
        for button in (self._apply, self._reset):
            button.setEnabled(False)

    def _show_written(self, clip: SavedClip) -> None:
        self._writing_id = ""
        if self._clip is not None and clip.clip_id == self._clip.clip_id:
            self._clip = clip
            self._show_saved()
        self.written.emit(clip)

    def _show_failed(self, why: str) -> None:
        is_shown = self._clip is not None and self._clip.clip_id == self._writing_id
        self._writing_id = ""
        if is_shown:
            self._show_moved("start")
        self._trouble.setText(f"The ends were not moved: {why}")
        self._trouble.show()


def _file_of(clip: SavedClip) -> tuple[str, int, int]:
    return (clip.clip_id, clip.start_ns, clip.end_ns)
