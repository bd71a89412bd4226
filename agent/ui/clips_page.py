"""Saved clips with their thumbnails, newest first."""

from __future__ import annotations

import datetime
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QImageReader, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from agent.ui.bridge import ShownClip
from agent.ui.theme import LINE_COLOUR, PROBLEM_COLOUR, QUIET_COLOUR, TEXT_COLOUR
from protos.timebase import SECOND_NS

_ID_ROLE = Qt.ItemDataRole.UserRole
_PICTURE_ROLE = Qt.ItemDataRole.UserRole + 1
_LINES_ROLE = Qt.ItemDataRole.UserRole + 2
_PICTURE_SIZE = QSize(144, 81)
_MARGIN = 10
EMPTY = "No clips yet.\nPress your hotkey, or Save 30 s above."


class ClipsPage(QListWidget):
    """Emits chosen(path, title)."""

    chosen = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Clips")
        self.setItemDelegate(_Card(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self._shown: list[ShownClip] = []
        self._paths: dict[str, tuple[str, str]] = {}
        self.itemActivated.connect(self._choose)
        self.itemClicked.connect(self._choose)

    def show_clips(self, clips: list[ShownClip]) -> None:
        """Show them; nothing moves when nothing changed, and the selection and the place stay."""
        if clips == self._shown:
            return
        self._shown = clips
        chosen = self.currentItem().data(_ID_ROLE) if self.currentItem() else None
        scrolled_px = self.verticalScrollBar().value()
        self.clear()
        self._paths = {}
        for shown in clips:
            self.addItem(self._item(shown))
            if shown.clip.clip_id == chosen:
                self.setCurrentRow(self.count() - 1)
        self.verticalScrollBar().setValue(scrolled_px)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's own naming
        super().paintEvent(event)
        if self.count() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(QUIET_COLOUR))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, EMPTY)
            painter.end()

    def _item(self, shown: ShownClip) -> QListWidgetItem:
        clip = shown.clip
        when = datetime.datetime.fromtimestamp(clip.created_unix_ms / 1000).astimezone()
        length_s = (clip.end_ns - clip.start_ns) / SECOND_NS
        name = Path(clip.path).stem
        facts = f"{when:%d %b, %H:%M} · {length_s:.1f} s"
        last = f"saved in {clip.latency_ms} ms" if shown.is_there else "the file is gone"
        item = QListWidgetItem("\n".join((name, facts, last)))  # what a screen reader reads
        item.setToolTip("")
        item.setData(_LINES_ROLE, (name, facts, last, shown.is_there))
        item.setData(_PICTURE_ROLE, _load_picture(clip.thumbnail_path, self.devicePixelRatioF()))
        item.setData(_ID_ROLE, clip.clip_id)
        self._paths[clip.clip_id] = (clip.path, name)
        return item

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(*self._paths[item.data(_ID_ROLE)])


class _Card(QStyledItemDelegate):
    """Paints one clip: the picture, and three lines that are shortened where they do not fit."""

    def sizeHint(  # noqa: N802 - Qt's own naming
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(0, _PICTURE_SIZE.height() + 2 * _MARGIN + 8)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        widget = option.widget
        widget.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, widget)
        outer: QRect = option.rect
        inner = outer.adjusted(_MARGIN + 4, _MARGIN + 4, -_MARGIN - 4, -_MARGIN - 4)
        box = QRect(inner.topLeft(), _PICTURE_SIZE)
        painter.save()
        painter.fillRect(box, QColor("#000000"))
        picture = index.data(_PICTURE_ROLE)
        if isinstance(picture, QImage) and not picture.isNull():
            size = picture.size() / picture.devicePixelRatio()
            place = QRect(box.topLeft(), size)
            place.moveCenter(box.center())
            painter.drawImage(place, picture)
        else:
            painter.setPen(QColor(LINE_COLOUR))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "no picture")
        self._paint_lines(painter, inner.adjusted(_PICTURE_SIZE.width() + 14, 0, 0, 0), index)
        painter.restore()

    def _paint_lines(
        self, painter: QPainter, place: QRect, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        name, facts, last, is_there = index.data(_LINES_ROLE)
        height = place.height() // 3
        colours = (TEXT_COLOUR, QUIET_COLOUR, QUIET_COLOUR if is_there else PROBLEM_COLOUR)
        for number, (text, colour) in enumerate(zip((name, facts, last), colours, strict=True)):
            font = QFont(painter.font())
            font.setWeight(QFont.Weight.DemiBold if number == 0 else QFont.Weight.Normal)
            painter.setFont(font)
            painter.setPen(QColor(colour))
            line = QRect(place.left(), place.top() + number * height, place.width(), height)
            short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, line.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, short)


def _load_picture(path: str, ratio: float) -> QImage:
    """The thumbnail, scaled while it is decoded; null where there is none."""
    if not path:
        return QImage()
    reader = QImageReader(path)
    reader.setAutoTransform(True)
    if reader.size().isValid():
        reader.setScaledSize(reader.size().scaled(_PICTURE_SIZE * ratio, Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    image.setDevicePixelRatio(ratio)
    return image
