"""Clips with their thumbnails, newest first: those that are kept, or those in the trash."""

from __future__ import annotations

import datetime
import html

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QImage, QImageReader, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from agent.model.clips import SavedClip
from agent.ui.bridge import ShownClip
from agent.ui.clip_card import (
    ID_ROLE,
    LINES_ROLE,
    LOCKED_ROLE,
    PICTURE_ROLE,
    PICTURE_SIZE,
    TITLE_ROLE,
    ClipCard,
)
from agent.ui.texts import clip_name
from agent.ui.theme import QUIET_COLOUR
from protos.timebase import SECOND_NS

# As the control API promises of TrashClip.
TRASH_DAYS = 7


class ClipList(QListWidget):
    """Emits chosen(ShownClip), current_changed(ShownClip or None), renamed(clip_id, title), drag_wanted(ShownClip).

    Args:
        empty: what is said where there is nothing.
    """

    chosen = Signal(object)
    current_changed = Signal(object)
    renamed = Signal(str, str)
    drag_wanted = Signal(object)

    def __init__(self, name: str, empty: str) -> None:
        super().__init__()
        self._empty = empty
        self.setAccessibleName(name)
        self._card = ClipCard(self)
        self._card.renamed.connect(self.renamed)
        self.setItemDelegate(self._card)
        self.setMinimumHeight(48)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._shown: list[ShownClip] = []
        self._by_id: dict[str, ShownClip] = {}
        self._is_dragging = False
        # A picture is decoded once, not at each change of the list.
        self._pictures: dict[tuple[object, ...], QImage] = {}
        self.itemActivated.connect(self._choose)
        self.itemClicked.connect(self._choose)
        self.currentItemChanged.connect(self._tell_current)

    def show_clips(self, clips: list[ShownClip]) -> None:
        """Show them; nothing moves when nothing changed, and the selection and the place stay.

        While a name is being edited they wait for the next call.
        """
        if clips == self._shown or self.state() == QAbstractItemView.State.EditingState:
            return
        self._shown = clips
        chosen = self.currentItem().data(ID_ROLE) if self.currentItem() else None
        row = self.currentRow()
        scrolled_px = self.verticalScrollBar().value()
        old, self._pictures = self._pictures, {}
        for shown in clips:
            key = _picture_key(shown.clip)
            if shown.clip.thumbnail_path:
                self._pictures[key] = old.get(key) or self._load(shown.clip)
        self.blockSignals(True)
        self.clear()
        self._by_id = {shown.clip.clip_id: shown for shown in clips}
        for shown in clips:
            self.addItem(self._item(shown))
            if shown.clip.clip_id == chosen:
                self.setCurrentRow(self.count() - 1)
        if chosen is not None and self.currentRow() < 0:
            # What was chosen is gone: its neighbour takes its place, so that the keyboard goes on from there.
            self.setCurrentRow(min(row, self.count() - 1))
        self.blockSignals(False)
        self.verticalScrollBar().setValue(scrolled_px)
        self.viewport().update()
        self.current_changed.emit(self.current())

    def current(self) -> ShownClip | None:
        """The clip that is selected."""
        item = self.currentItem()
        return self._by_id.get(item.data(ID_ROLE)) if item else None

    def edit_name(self) -> None:
        """Let the selected clip's name be edited in place."""
        if item := self.currentItem():
            self.editItem(item)

    def startDrag(self, _actions: Qt.DropAction) -> None:  # noqa: N802 - Qt's own naming
        """What is dragged out is never the clip's own file: who listens makes one that may leave."""
        self._is_dragging = True
        if shown := self.current():
            self.drag_wanted.emit(shown)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's own naming
        self._is_dragging = False
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's own naming
        # Qt would select what the pointer passes while the file of the dragged clip is made.
        if not (self._is_dragging and event.buttons()):
            super().mouseMoveEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's own naming
        super().paintEvent(event)
        if self.count() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(QUIET_COLOUR))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.viewport().rect().adjusted(16, 0, -16, 0), flags, self._empty)
            painter.end()

    def _item(self, shown: ShownClip) -> QListWidgetItem:
        clip = shown.clip
        lines = clip_lines(shown)
        spoken = [text for text, _look in lines] + (["locked"] if clip.is_locked else [])
        item = QListWidgetItem("\n".join(spoken))  # what a screen reader reads
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDragEnabled)
        item.setToolTip(f"<p>{html.escape(clip.note)}</p>" if clip.note else "")
        item.setData(LINES_ROLE, lines)
        item.setData(TITLE_ROLE, clip_name(clip.title, clip.path))
        item.setData(LOCKED_ROLE, clip.is_locked)
        item.setData(PICTURE_ROLE, self._pictures.get(_picture_key(clip)))
        item.setData(ID_ROLE, clip.clip_id)
        return item

    def _load(self, clip: SavedClip) -> QImage:
        return _load_picture(clip.thumbnail_path, self.devicePixelRatioF())

    def _choose(self, item: QListWidgetItem) -> None:
        if shown := self._by_id.get(item.data(ID_ROLE)):
            self.chosen.emit(shown)

    def _tell_current(self, *_items: object) -> None:
        self.current_changed.emit(self.current())


def clip_lines(shown: ShownClip) -> list[tuple[str, str]]:
    """A clip's three lines, each with its look: name, facts, and the worst that is to say of it. Pure."""
    clip = shown.clip
    length_s = (clip.end_ns - clip.start_ns) / SECOND_NS
    facts = f"{_day(clip.created_unix_ms)} · {length_s:.1f} s · {clip.size_bytes / 1e6:.1f} MB"
    return [(clip_name(clip.title, clip.path), "name"), (facts, "fact"), _last_line(clip, shown.is_there)]


def _last_line(clip: SavedClip, is_there: bool) -> tuple[str, str]:
    if not is_there:
        return "the file is gone", "problem"
    if clip.trashed_unix_ms:
        leaves = clip.trashed_unix_ms + TRASH_DAYS * 86_400_000
        return f"deleted for good on {_day(leaves)}", "note"
    if clip.note:
        return clip.note, "note"
    return f"saved in {clip.latency_ms} ms", "fact"


def _day(unix_ms: int) -> str:
    return f"{datetime.datetime.fromtimestamp(unix_ms / 1000).astimezone():%d %b, %H:%M}"


def _picture_key(clip: SavedClip) -> tuple[object, ...]:
    """A moved end may bring another picture under the same path."""
    return (clip.thumbnail_path, clip.start_ns, clip.end_ns)


def _load_picture(path: str, ratio: float) -> QImage:
    """The thumbnail, scaled while it is decoded; null where it cannot be read."""
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    if reader.size().isValid():
        reader.setScaledSize(reader.size().scaled(PICTURE_SIZE * ratio, Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    image.setDevicePixelRatio(ratio)
    return image
