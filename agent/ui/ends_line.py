"""A clip's span on what can still be had around it, painted, with a handle at each end.

The handles are sliders of their own, so that the keyboard and a screen reader know them: the arrows move by a tenth
of a second, Page Up and Down by a second, Home and End as far as it goes.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QSlider, QWidget

from agent.ui.texts import clock
from agent.ui.theme import ACCENT_COLOUR, QUIET_COLOUR, TEXT_COLOUR

_MS_NS = 1_000_000
MIN_LENGTH_MS = 500
_HANDLE_PX = 14
_BAR_TOP_PX, _BAR_PX = 6, 26
_TROUGH_COLOUR = "#2d303b"
_Side = Literal["start", "end"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """A span within its room. Session time, nanoseconds."""

    min_start_ns: int
    start_ns: int
    end_ns: int
    max_end_ns: int


class _Handle(QSlider):
    """One end. Its value is milliseconds after the room's beginning."""

    def __init__(self, side: _Side, line: EndsLine) -> None:
        super().__init__(Qt.Orientation.Horizontal, line)
        self._side = side
        self._line = line
        self._grabbed_at_px: float | None = None
        self.setSingleStep(100)
        self.setPageStep(1000)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeHorCursor)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's own naming
        return QSize(_HANDLE_PX, _BAR_PX + 8)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's own naming
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's own naming
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        painter.setPen(QPen(QColor(TEXT_COLOUR if self.hasFocus() else ACCENT_COLOUR), 2))
        painter.setBrush(QColor(ACCENT_COLOUR if self.isEnabled() else "#3a3e4c"))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QPen(QColor("#ffffff"), 1.5))
        middle = box.center().x()
        painter.drawLine(int(middle), int(box.top()) + 9, int(middle), int(box.bottom()) - 9)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's own naming
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._grabbed_at_px = event.position().x() - self.width() / 2

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's own naming
        if self._grabbed_at_px is not None:
            place = self.mapToParent(event.position())
            self.setValue(self._line.time_ms(place.x() - self._grabbed_at_px))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's own naming
        self._grabbed_at_px = None


class EndsLine(QWidget):
    """Emits moved(side: "start" or "end"), when a handle went somewhere else."""

    moved = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._room = Ends(min_start_ns=0, start_ns=0, end_ns=_MS_NS, max_end_ns=_MS_NS)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Ends of the clip")
        self.start = _Handle("start", self)
        self.end = _Handle("end", self)
        self.start.valueChanged.connect(self._move_start)
        self.end.valueChanged.connect(self._move_end)
        self._place_handles()

    def show_room(self, room: Ends) -> None:
        """Show a span and its room, the handles on its ends."""
        self._room = room
        self._set_handles(room.start_ns, room.end_ns)

    def change_room(self, room: Ends) -> None:
        """Show another room around the same span; the handles stay at their times as far as they can."""
        chosen = self.ends()
        self._room = room
        self._set_handles(max(room.min_start_ns, chosen.start_ns), min(room.max_end_ns, chosen.end_ns))

    def _set_handles(self, start_ns: int, end_ns: int) -> None:
        room = self._room
        whole_ms = (room.max_end_ns - room.min_start_ns) // _MS_NS
        for handle, time_ns in ((self.start, start_ns), (self.end, end_ns)):
            handle.blockSignals(True)
            handle.setRange(0, whole_ms)
            handle.setValue((time_ns - room.min_start_ns) // _MS_NS)
            handle.blockSignals(False)
        self._place_handles()

    def ends(self) -> Ends:
        """The span that the handles show. An end that was not moved is exact to the nanosecond."""
        room = self._room
        return dataclasses.replace(
            room,
            start_ns=self._time_ns(self.start, room.start_ns),
            end_ns=self._time_ns(self.end, room.end_ns),
        )

    def time_ms(self, x_px: float) -> int:
        """The time at a place, in milliseconds after the room's beginning."""
        usable_px = max(1, self.width() - 2 * _HANDLE_PX)
        return round((x_px - _HANDLE_PX) / usable_px * self._whole_ms())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's own naming
        return QSize(320, _BAR_TOP_PX + _BAR_PX + 22)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's own naming
        super().resizeEvent(event)
        self._place_handles()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's own naming
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(_TROUGH_COLOUR))
        left, right = self._x_px(0), self._x_px(self._whole_ms())
        painter.drawRoundedRect(QRectF(left, _BAR_TOP_PX, right - left, _BAR_PX), 4, 4)
        chosen = QColor(ACCENT_COLOUR)
        chosen.setAlpha(110)
        painter.setBrush(chosen)
        start_px, end_px = self._x_px(self.start.value()), self._x_px(self.end.value())
        painter.drawRect(QRectF(start_px, _BAR_TOP_PX, max(1.0, end_px - start_px), _BAR_PX))
        self._paint_saved(painter)
        self._paint_times(painter, start_px, end_px)
        painter.end()

    def _paint_saved(self, painter: QPainter) -> None:
        """Where the ends are in the file as it is: a thin line below."""
        room = self._room
        left = self._x_px((room.start_ns - room.min_start_ns) // _MS_NS)
        right = self._x_px((room.end_ns - room.min_start_ns) // _MS_NS)
        painter.setPen(QPen(QColor(QUIET_COLOUR), 2))
        y_px = _BAR_TOP_PX + _BAR_PX - 3
        painter.drawLine(int(left), y_px, int(right), y_px)

    def _paint_times(self, painter: QPainter, start_px: float, end_px: float) -> None:
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(TEXT_COLOUR))
        metrics = painter.fontMetrics()
        baseline = _BAR_TOP_PX + _BAR_PX + 5 + metrics.ascent()
        texts = [tenths(self.start.value()), tenths(self.end.value())]
        widths = [metrics.horizontalAdvance(text) for text in texts]
        left = min(max(0.0, start_px - widths[0] / 2), self.width() - widths[0] - widths[1] - 8.0)
        right = max(min(self.width() - float(widths[1]), end_px - widths[1] / 2), left + widths[0] + 8)
        painter.drawText(int(left), baseline, texts[0])
        painter.drawText(int(right), baseline, texts[1])

    def _whole_ms(self) -> int:
        return max(1, self.end.maximum())

    def _x_px(self, time_ms: int) -> float:
        return _HANDLE_PX + (self.width() - 2 * _HANDLE_PX) * time_ms / self._whole_ms()

    def _time_ns(self, handle: QSlider, saved_ns: int) -> int:
        if handle.value() == (saved_ns - self._room.min_start_ns) // _MS_NS:
            return saved_ns
        if handle.value() == handle.maximum():
            return self._room.max_end_ns
        return self._room.min_start_ns + handle.value() * _MS_NS

    def _move_start(self, value_ms: int) -> None:
        latest_ms = self.end.value() - MIN_LENGTH_MS
        if value_ms > latest_ms:
            self.start.setValue(max(0, latest_ms))
            return
        self._place_handles()
        self.moved.emit("start")

    def _move_end(self, value_ms: int) -> None:
        earliest_ms = self.start.value() + MIN_LENGTH_MS
        if value_ms < earliest_ms:
            self.end.setValue(min(self.end.maximum(), earliest_ms))
            return
        self._place_handles()
        self.moved.emit("end")

    def _place_handles(self) -> None:
        start_px, end_px = self._x_px(self.start.value()), self._x_px(self.end.value())
        top, height = _BAR_TOP_PX - 4, _BAR_PX + 8
        # Outside of the span, so that they never cover one another.
        self.start.setGeometry(round(start_px - _HANDLE_PX), top, _HANDLE_PX, height)
        self.end.setGeometry(round(end_px), top, _HANDLE_PX, height)
        self.start.setAccessibleName(f"Start of the clip, at {tenths(self.start.value())}")
        self.end.setAccessibleName(f"End of the clip, at {tenths(self.end.value())}")
        self.update()


def tenths(time_ms: int) -> str:
    """`1:05.3`"""
    rounded_ms = time_ms + 50
    return f"{clock(rounded_ms * _MS_NS)}.{rounded_ms // 100 % 10}"
