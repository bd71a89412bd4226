"""A level, painted: a bar for its loudness, a tick for its peak, and a scale in dB."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from agent.ui.theme import LINE_COLOUR, NOTE_COLOUR, PROBLEM_COLOUR, QUIET_COLOUR, STATE_COLOURS, TEXT_COLOUR

FLOOR_DB = -60.0
CLIPPING_DB = -0.1
_LOUD_DB, _HOT_DB = -9.0, -3.0
_MARKS_DB = (0, -6, -12, -20, -30, -40, -60)
_BAR_PX = 10
_TROUGH_COLOUR = "#2d303b"


def share_of(level_db: float) -> float:
    """Where a level is on the scale: 0 at -60 dB and below, 1 at full scale and above. Pure."""
    return min(1.0, max(0.0, 1 - level_db / FLOOR_DB))


def level_words(loudness_db: float, peak_db: float, *, is_running: bool) -> str:
    """The meter for those who cannot see it. Pure."""
    if not is_running:
        return "no sound comes"
    if loudness_db <= FLOOR_DB:
        return "silent"
    clipping = ", too loud: it clips" if peak_db >= CLIPPING_DB else ""
    return f"{loudness_db:.0f} dB, peak {peak_db:.0f} dB{clipping}"


class LevelMeter(QWidget):
    """Shows one track. Green below -9 dB, amber below -3 dB, red above."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(120)
        self.setAccessibleName(f"Level of {name}")
        self._loudness_db = self._peak_db = FLOOR_DB
        self._is_running = False

    def show_level(self, loudness_db: float, peak_db: float, *, is_running: bool) -> None:
        """Show it."""
        now = (loudness_db, peak_db, is_running)
        if now == (self._loudness_db, self._peak_db, self._is_running):
            return
        self._loudness_db, self._peak_db, self._is_running = now
        words = level_words(loudness_db, peak_db, is_running=is_running)
        self.setAccessibleDescription(words)
        self.setToolTip(words)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's own naming
        return QSize(240, _BAR_PX + 20)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's own naming
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(_TROUGH_COLOUR))
        painter.drawRoundedRect(QRectF(0, 2, self.width(), _BAR_PX), 3, 3)
        if self._is_running:
            self._paint_level(painter)
        self._paint_scale(painter)
        painter.end()

    def _paint_level(self, painter: QPainter) -> None:
        filled_px = share_of(self._loudness_db) * self.width()
        below_db = FLOOR_DB
        for above_db, colour in (
            (_LOUD_DB, STATE_COLOURS["ready"]),
            (_HOT_DB, NOTE_COLOUR),
            (0.0, PROBLEM_COLOUR),
        ):
            left, right = share_of(below_db) * self.width(), min(filled_px, share_of(above_db) * self.width())
            if right > left:
                painter.fillRect(QRectF(left, 2, right - left, _BAR_PX), QColor(colour))
            below_db = above_db
        if self._peak_db > FLOOR_DB:
            x_px = min(self.width() - 1.5, max(1.5, share_of(self._peak_db) * self.width()))
            is_clipping = self._peak_db >= CLIPPING_DB
            painter.setPen(QPen(QColor(PROBLEM_COLOUR if is_clipping else TEXT_COLOUR), 3))
            painter.drawLine(QPointF(x_px, 1), QPointF(x_px, _BAR_PX + 3))

    def _paint_scale(self, painter: QPainter) -> None:
        font = QFont(self.font())
        font.setPixelSize(10)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        used_px = float("inf")
        for mark_db in _MARKS_DB:
            text = f"{mark_db}"
            width_px = metrics.horizontalAdvance(text)
            x_px = share_of(mark_db) * self.width()
            left = min(max(0.0, x_px - width_px / 2), self.width() - width_px)
            if left + width_px + 6 > used_px:
                continue
            used_px = left
            painter.setPen(QPen(QColor(LINE_COLOUR), 1))
            painter.drawLine(QPointF(x_px, _BAR_PX + 3), QPointF(x_px, _BAR_PX + 5))
            painter.setPen(QColor(QUIET_COLOUR))
            painter.drawText(QPointF(left, _BAR_PX + 6 + metrics.ascent()), text)
