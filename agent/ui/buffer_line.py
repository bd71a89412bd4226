"""The ring as a painted line: what a press could save now, what lies before it, and the gaps with their reasons."""

from __future__ import annotations

import dataclasses
import html
from typing import Literal

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from agent.ui.texts import clock, length_words
from agent.ui.theme import LINE_COLOUR, PROBLEM_COLOUR, QUIET_COLOUR, STATE_COLOURS, TEXT_COLOUR
from protos.clippy.v1 import control_pb2
from protos.timebase import SECOND_NS

_TROUGH_COLOUR = "#2d303b"
_OLDER_COLOUR = "#4b7d63"
_BAR_PX = 12
_SCALE_PX = 14
# The newest picture is on its way for so long; a longer silence is a gap.
_LATE_NS = 3 * SECOND_NS
_SHORT_NS = SECOND_NS // 2
_TICKS_NS = (0, 30 * SECOND_NS, 90 * SECOND_NS)
_REASONS = {
    "start": "a new recording began",
    "size": "the picture changed its size",
    "encoder": "another encoder or frame rate took over",
    "suspended": "the computer slept",
    "stopped": "the recorder stood still",
    "screen": "the screen was away",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BufferPart:
    """A stretch of the line. Times are nanoseconds before now, `from_ns` the older; equal for a mark."""

    kind: Literal["newest", "older", "gap", "mark"]
    from_ns: int
    to_ns: int
    words: str


def buffer_parts(status: control_pb2.Status) -> list[BufferPart]:
    """The stretches and the marks between them, oldest first. Pure."""
    epochs = list(status.buffer.epochs)
    if not epochs:
        if status.buffered_ns <= 0:
            return []
        return [
            BufferPart(kind="newest", from_ns=status.buffered_ns, to_ns=0, words=_saved_words(status.buffered_ns))
        ]  # fmt: skip
    now_ns = max(status.now_ns, epochs[-1].end_ns)
    parts: list[BufferPart] = []
    for number, epoch in enumerate(epochs):
        if number:
            parts.append(_between(epochs[number - 1], epoch, now_ns))
        is_newest = number == len(epochs) - 1
        length_ns = epoch.end_ns - epoch.start_ns
        words = _saved_words(length_ns) if is_newest else (
            f"{length_words(length_ns)} from before the gap: still here, but no clip crosses a gap"
        )  # fmt: skip
        parts.append(
            BufferPart(
                kind="newest" if is_newest else "older",
                from_ns=now_ns - epoch.start_ns,
                to_ns=now_ns - epoch.end_ns,
                words=words,
            )
        )
    if (late_ns := now_ns - epochs[-1].end_ns) > _LATE_NS:
        words = f"nothing has been recorded for {length_words(late_ns)}"
        parts.append(BufferPart(kind="gap", from_ns=late_ns, to_ns=0, words=words))
    return parts


def buffer_words(parts: list[BufferPart]) -> str:
    """The line for those who cannot see it."""
    if not parts:
        return "Nothing can be saved yet"
    said = [part.words for part in parts if part.kind != "older"]
    return "; ".join(reversed(said))


def _between(before: control_pb2.Epoch, after: control_pb2.Epoch, now_ns: int) -> BufferPart:
    reason = _REASONS.get(after.reason, after.reason or "a new recording began")
    missing_ns = after.start_ns - before.end_ns
    ago = f"{length_words(now_ns - after.start_ns)} ago"
    is_gap = missing_ns > _SHORT_NS
    return BufferPart(
        kind="gap" if is_gap else "mark",
        from_ns=now_ns - (before.end_ns if is_gap else after.start_ns),
        to_ns=now_ns - after.start_ns,
        words=f"{length_words(missing_ns)} missing, {ago}: {reason}" if is_gap else f"{ago}: {reason}",
    )


def _saved_words(length_ns: int) -> str:
    return f"{length_words(length_ns)} can be saved now"


class BufferLine(QWidget):
    """Now is on the right. Hovering tells what is where."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._parts: list[BufferPart] = []
        self._whole_ns = 300 * SECOND_NS
        self.setAccessibleName("Buffer")

    def show_status(self, status: control_pb2.Status) -> None:
        """Show what the ring holds."""
        parts = buffer_parts(status)
        reach_ns = max((part.from_ns for part in parts), default=0)
        whole_ns = max(status.max_buffer_ns, reach_ns) or 300 * SECOND_NS
        if (parts, whole_ns) == (self._parts, self._whole_ns):
            return
        self._parts, self._whole_ns = parts, whole_ns
        self.setAccessibleDescription(buffer_words(parts))
        self.update()

    def clear(self) -> None:
        """Show that there is nothing."""
        self.show_status(control_pb2.Status())

    def words_at(self, x_px: float) -> str:
        """What is there; a mark is found within 4 px."""
        ago_ns = (self.width() - x_px) / self.width() * self._whole_ns
        near_ns = 4 / self.width() * self._whole_ns
        for part in self._parts:
            if part.kind in ("mark", "gap") and part.to_ns - near_ns <= ago_ns <= part.from_ns + near_ns:
                return part.words
        for part in self._parts:
            if part.to_ns <= ago_ns <= part.from_ns:
                return part.words
        return "not recorded, or already gone"

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's own naming
        return QSize(400, _BAR_PX + 6 + _SCALE_PX)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), html.escape(self.words_at(event.pos().x())), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's own naming
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(_TROUGH_COLOUR))
        painter.drawRoundedRect(QRectF(0, 2, self.width(), _BAR_PX), 3, 3)
        for part in self._parts:
            self._paint_part(painter, part)
        self._paint_scale(painter)
        painter.end()

    def _x_px(self, ago_ns: int) -> float:
        return self.width() * (1 - ago_ns / self._whole_ns)

    def _paint_part(self, painter: QPainter, part: BufferPart) -> None:
        left, right = self._x_px(part.from_ns), self._x_px(part.to_ns)
        if part.kind in ("newest", "older"):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(STATE_COLOURS["ready"] if part.kind == "newest" else _OLDER_COLOUR))
            painter.drawRoundedRect(QRectF(left, 2, max(1.0, right - left), _BAR_PX), 3, 3)
            return
        colour = QColor(PROBLEM_COLOUR)
        if part.kind == "gap":
            box = QRectF(left, 2, max(3.0, right - left), _BAR_PX)
            painter.fillRect(box, QColor("#14151a"))
            painter.setPen(QPen(colour, 1))
            painter.setBrush(QBrush(colour, Qt.BrushStyle.BDiagPattern))
            painter.drawRect(box)
        else:
            painter.setPen(QPen(QColor(TEXT_COLOUR), 2))
            painter.drawLine(QPointF(left, 0), QPointF(left, _BAR_PX + 4))

    def _paint_scale(self, painter: QPainter) -> None:
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        top = _BAR_PX + 5
        used_px = float("inf")
        for ago_ns in (*_TICKS_NS, self._whole_ns):
            text = "now" if ago_ns == 0 else clock(ago_ns)
            width_px = metrics.horizontalAdvance(text)
            left = min(max(0.0, self._x_px(ago_ns) - width_px / 2), self.width() - width_px)
            if ago_ns > self._whole_ns or left + width_px + 8 > used_px:
                continue
            used_px = left
            painter.setPen(QPen(QColor(LINE_COLOUR), 1))
            painter.drawLine(
                QPointF(self._x_px(ago_ns), _BAR_PX + 2), QPointF(self._x_px(ago_ns), _BAR_PX + 5)
            )
            painter.setPen(QColor(QUIET_COLOUR))
            painter.drawText(QPointF(left, top + metrics.ascent()), text)
