"""Colours and icons. State is told by shape as well as by colour."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap, QPolygonF

TEXT_COLOUR = "#eceef4"
QUIET_COLOUR = "#a3a8b8"
LINE_COLOUR = "#5b6072"
PROBLEM_COLOUR = "#ff7a70"
NOTE_COLOUR = "#ffb74d"
ACCENT_COLOUR = "#7c5cff"
STATE_COLOURS = {
    "ready": "#3ddc84",
    "starting": "#ffb74d",
    "saving": "#7c5cff",
    "problem": "#ff5a52",
    "stopping": "#8a90a0",
    "off": "#8a90a0",
}


def stylesheet() -> str:
    """The one theme file."""
    return (Path(__file__).parent / "theme.qss").read_text(encoding="utf-8")


def state_icon(state: str, size_px: int = 64) -> QIcon:
    """Ready: disc; starting and saving: ring; problem: triangle; everything else: square."""
    size_px *= 2  # sharp on a screen with two pixels a point
    pixmap = QPixmap(size_px, size_px)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    colour = QColor(STATE_COLOURS.get(state, STATE_COLOURS["off"]))
    margin = size_px * 0.16
    box = QRectF(margin, margin, size_px - 2 * margin, size_px - 2 * margin)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    if state == "ready":
        painter.drawEllipse(box)
    elif state == "problem":
        top = QPointF(size_px / 2, margin)
        painter.drawPolygon(QPolygonF([top, box.bottomRight(), box.bottomLeft()]))
    elif state in ("starting", "saving"):
        pen = painter.pen()
        pen.setStyle(Qt.PenStyle.SolidLine)
        pen.setColor(colour)
        pen.setWidthF(size_px * 0.14)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(box)
    else:
        painter.drawRoundedRect(box, size_px * 0.08, size_px * 0.08)
    painter.end()
    return QIcon(pixmap)
