"""Paints one clip of the list, and lets its name be edited in place."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from agent.ui.theme import LINE_COLOUR, NOTE_COLOUR, PROBLEM_COLOUR, QUIET_COLOUR, TEXT_COLOUR

ID_ROLE = Qt.ItemDataRole.UserRole
PICTURE_ROLE = Qt.ItemDataRole.UserRole + 1
# (text, look) of each line; the look is one of _COLOURS.
LINES_ROLE = Qt.ItemDataRole.UserRole + 2
TITLE_ROLE = Qt.ItemDataRole.UserRole + 3
LOCKED_ROLE = Qt.ItemDataRole.UserRole + 4
PICTURE_SIZE = QSize(144, 81)
MAX_TITLE_CHARACTERS = 120
_MARGIN = 10
_LOCK_PX = 12
_COLOURS = {"name": TEXT_COLOUR, "fact": QUIET_COLOUR, "note": NOTE_COLOUR, "problem": PROBLEM_COLOUR}
_Index = QModelIndex | QPersistentModelIndex


class ClipCard(QStyledItemDelegate):
    """Emits renamed(clip_id, title)."""

    renamed = Signal(str, str)

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:  # noqa: N802 - Qt's own naming
        return QSize(0, PICTURE_SIZE.height() + 2 * _MARGIN + 8)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        widget = option.widget
        widget.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, widget)
        inner = _inner(option.rect)
        box = QRect(inner.topLeft(), PICTURE_SIZE)
        painter.save()
        painter.fillRect(box, QColor("#000000"))
        picture = index.data(PICTURE_ROLE)
        if isinstance(picture, QImage) and not picture.isNull():
            size = picture.size() / picture.devicePixelRatio()
            place = QRect(box.topLeft(), size)
            place.moveCenter(box.center())
            painter.drawImage(place, picture)
        else:
            painter.setPen(QColor(LINE_COLOUR))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "no picture")
        _paint_lines(painter, _words(inner), index)
        painter.restore()

    def createEditor(  # noqa: N802 - Qt's own naming
        self, parent: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> QWidget:
        editor = QLineEdit(parent)
        editor.setMaxLength(MAX_TITLE_CHARACTERS)
        editor.setAccessibleName("Name of the clip")
        return editor

    def setEditorData(self, editor: QWidget, index: _Index) -> None:  # noqa: N802 - Qt's own naming
        assert isinstance(editor, QLineEdit)
        editor.setText(index.data(TITLE_ROLE))
        editor.selectAll()

    def setModelData(  # noqa: N802 - Qt's own naming
        self, editor: QWidget, model: QAbstractItemModel, index: _Index
    ) -> None:
        assert isinstance(editor, QLineEdit)
        title = " ".join(editor.text().split())
        if title != index.data(TITLE_ROLE):
            self.renamed.emit(index.data(ID_ROLE), title)

    def updateEditorGeometry(  # noqa: N802 - Qt's own naming
        self, editor: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> None:
        words = _words(_inner(option.rect))
        editor.setGeometry(words.adjusted(-6, -6, 0, -2 * words.height() // 3 + 6))


def _inner(outer: QRect) -> QRect:
    return outer.adjusted(_MARGIN + 4, _MARGIN + 4, -_MARGIN - 4, -_MARGIN - 4)


def _words(inner: QRect) -> QRect:
    return inner.adjusted(PICTURE_SIZE.width() + 14, 0, 0, 0)


def _paint_lines(painter: QPainter, place: QRect, index: _Index) -> None:
    height = place.height() // 3
    for number, (text, look) in enumerate(index.data(LINES_ROLE)):
        font = QFont(painter.font())
        font.setWeight(QFont.Weight.DemiBold if look == "name" else QFont.Weight.Normal)
        painter.setFont(font)
        line = QRect(place.left(), place.top() + number * height, place.width(), height)
        if look == "name" and index.data(LOCKED_ROLE):
            _paint_lock(painter, QRect(line.right() - _LOCK_PX, line.center().y() - 7, _LOCK_PX, 14))
            line.setRight(line.right() - _LOCK_PX - 8)
        painter.setPen(QColor(_COLOURS[look]))
        short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, line.width())
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, short)


def _paint_lock(painter: QPainter, place: QRect) -> None:
    """A padlock: a shackle over a body."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(TEXT_COLOUR), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawArc(QRectF(place.left() + 2.5, place.top() + 1, place.width() - 5, 11), 0, 180 * 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(TEXT_COLOUR))
    painter.drawRoundedRect(QRectF(place.left(), place.top() + 6, place.width(), 8), 2, 2)
    painter.restore()
