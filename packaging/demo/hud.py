"""The panels over the match: score, clock, map, streamer, sponsor, and the word for what just happened.

Each panel is drawn once for what it says and kept; a frame only copies it. Main thread only (Qt).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

from arena import NUM_PLAYERS, PITCH, Moment
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QImage,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPen,
    QRadialGradient,
)

BLUE = QColor("#3aa0ff")
RED = QColor("#ff4d5e")
GOLD = QColor("#ffcf40")
_PANEL = QColor(10, 16, 28, 225)
_WORDS = QColor("#f2f6ff")
_MAP_SIZE = (216, 108)
_CAMERA_SIZE = (232, 158)

Box = tuple[float, float, float, float]


class Hud:
    """Draws the panels onto a frame of the given scale (1 is 720 pixels high)."""

    def __init__(self, scale: float, speech: Sequence[tuple[float, float]]) -> None:
        self._scale = scale
        self._speech = speech
        self._score = functools.lru_cache(maxsize=4)(self._drawn_score)
        self._banner = functools.lru_cache(maxsize=4)(self._drawn_banner)
        self._map = self._image(*_MAP_SIZE, _draw_map)
        self._camera = self._image(*_CAMERA_SIZE, _draw_camera)
        self._sponsor = self._image(680, 96, _draw_sponsor)
        self._live = self._image(196, 40, _draw_live)
        self._notes = self._image(250, 44, functools.partial(_draw_note, text="♫  HALF-TIME MUSIC"))

    def paint(self, painter: QPainter, moment: Moment, score: tuple[int, int], decoy: str | None) -> None:
        """Draw every panel of this moment. `decoy` is the kind of what runs beside the match."""
        minutes, seconds = divmod(int(moment.at_s), 60)
        self._put(painter, self._score(*score, f"{minutes:02}:{seconds:02}"), 640 - 230, 18)
        self._put(painter, self._live, 24, 22)
        self._put(painter, self._map, 24, 720 - 24 - _MAP_SIZE[1])
        self._paint_map_dots(painter, moment)
        self._put(painter, self._camera, 1280 - 24 - _CAMERA_SIZE[0], 720 - 24 - _CAMERA_SIZE[1])
        self._paint_streamer(painter, moment.at_s)
        if decoy == "advert":
            sway = 6 * math.sin(moment.at_s * 3)
            self._put(painter, self._sponsor, 640 - 340 + sway, 566)
        elif decoy == "music":
            self._put(painter, self._notes, 640 - 125, 92)
        if moment.highlight is not None and moment.cheer > 0.02:
            word = "GOAL!" if moment.highlight.kind == "goal" else "WHAT A SAVE!"
            joyful = moment.highlight.team == ("red" if moment.highlight.kind == "goal" else "blue")
            self._paint_word(painter, moment, word, "red" if joyful else "blue")

    def _put(self, painter: QPainter, image: QImage, x: float, y: float) -> None:
        painter.drawImage(round(x * self._scale), round(y * self._scale), image)

    def _image(self, width: float, height: float, draw: Callable[[QPainter], None]) -> QImage:
        image = QImage(
            math.ceil(width * self._scale),
            math.ceil(height * self._scale),
            QImage.Format.Format_ARGB32_Premultiplied,
        )
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        painter.scale(self._scale, self._scale)
        draw(painter)
        painter.end()
        return image

    def _drawn_score(self, blue: int, red: int, clock: str) -> QImage:
        return self._image(460, 58, functools.partial(_draw_score, blue=blue, red=red, clock=clock))

    def _drawn_banner(self, word: str, team: str) -> QImage:
        return self._image(900, 150, functools.partial(_draw_banner, word=word, team=team))

    def _paint_word(self, painter: QPainter, moment: Moment, word: str, team: str) -> None:
        drop = 60 * (1 - moment.cheer)
        bounce = 10 * abs(math.sin(moment.at_s * 6)) * moment.cheer
        self._put(painter, self._banner(word, team), 640 - 450, 130 - drop - bounce)

    def _paint_map_dots(self, painter: QPainter, moment: Moment) -> None:
        left, top, right, bottom = PITCH
        for index in range(NUM_PLAYERS + 1):
            x, y = moment.ball if index == NUM_PLAYERS else moment.players[index]
            at_x = 24 + 8 + (x - left) / (right - left) * (_MAP_SIZE[0] - 16)
            at_y = 720 - 24 - _MAP_SIZE[1] + 8 + (y - top) / (bottom - top) * (_MAP_SIZE[1] - 16)
            colour = _WORDS if index == NUM_PLAYERS else BLUE if index < NUM_PLAYERS // 2 else RED
            self._fill(painter, at_x - 3, at_y - 3, 6, 6, colour)

    def _paint_streamer(self, painter: QPainter, at_s: float) -> None:
        """Mouth and level bars move while the streamer speaks."""
        left, top = 1280 - 24 - _CAMERA_SIZE[0], 720 - 24 - _CAMERA_SIZE[1]
        is_speaking = any(start_s <= at_s < end_s for start_s, end_s in self._speech)
        opening = 3 + (9 * abs(math.sin(at_s * 17)) if is_speaking else 0)
        self._fill(painter, left + 116 - 11, top + 96 - opening / 2, 22, opening, QColor("#5a2230"))
        for bar in range(7):
            level = abs(math.sin(at_s * (11 + 3 * bar) + bar)) if is_speaking else 0.08
            self._fill(painter, left + 164 + bar * 8, top + 140 - 30 * level, 5, 30 * level + 2, GOLD)

    def _fill(
        self, painter: QPainter, x: float, y: float, width: float, height: float, colour: QColor
    ) -> None:
        s = self._scale
        painter.fillRect(round(x * s), round(y * s), round(width * s), max(1, round(height * s)), colour)


def _font(size_px: int, *, is_bold: bool = True) -> QFont:
    font = QFont("DejaVu Sans")
    font.setPixelSize(size_px)
    font.setBold(is_bold)
    return font


def _panel(painter: QPainter, box: Box, colour: QColor | QLinearGradient, radius: float = 10) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(colour))
    painter.drawRoundedRect(QRectF(*box), radius, radius)


def _write(painter: QPainter, box: Box, text: str, size_px: int, colour: QColor) -> None:
    painter.setFont(_font(size_px))
    painter.setPen(colour)
    painter.drawText(QRectF(*box), Qt.AlignmentFlag.AlignCenter, text)


def _draw_score(painter: QPainter, *, blue: int, red: int, clock: str) -> None:
    _panel(painter, (0, 0, 460, 58), _PANEL)
    for left, colour, name in ((0, BLUE, "BLUE"), (320, RED, "RED")):
        shade = QLinearGradient(left, 0, left + 140, 0)
        shade.setColorAt(0.0 if left == 0 else 1.0, colour)
        shade.setColorAt(1.0 if left == 0 else 0.0, colour.darker(190))
        _panel(painter, (left, 0, 140, 58), shade)
        _write(painter, (left, 0, 140, 58), name, 26, _WORDS)
    _write(painter, (140, 2, 180, 34), f"{blue}  :  {red}", 29, _WORDS)
    _write(painter, (140, 34, 180, 22), clock, 15, GOLD)


def _draw_live(painter: QPainter) -> None:
    _panel(painter, (0, 0, 196, 40), _PANEL)
    _panel(painter, (8, 8, 66, 24), QColor("#e0202f"), 6)
    _write(painter, (8, 8, 66, 24), "LIVE", 15, _WORDS)
    _write(painter, (80, 8, 110, 24), "NIGHT CUP", 14, _WORDS)


def _draw_note(painter: QPainter, *, text: str) -> None:
    _panel(painter, (0, 0, 250, 44), _PANEL, 22)
    _write(painter, (0, 0, 250, 44), text, 16, GOLD)


def _draw_map(painter: QPainter) -> None:
    width, height = _MAP_SIZE
    _panel(painter, (0, 0, width, height), _PANEL)
    _panel(painter, (6, 6, width - 12, height - 12), QColor(18, 84, 66, 235), 6)
    painter.setPen(QPen(QColor(210, 240, 225, 150), 1.4))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawLine(QPointF(width / 2, 6), QPointF(width / 2, height - 6))
    painter.drawEllipse(QPointF(width / 2, height / 2), 15, 15)
    painter.drawRect(QRectF(6, height / 2 - 22, 22, 44))
    painter.drawRect(QRectF(width - 28, height / 2 - 22, 22, 44))


def _draw_camera(painter: QPainter) -> None:
    """The streamer: head, headset, and a room with a lamp."""
    width, height = _CAMERA_SIZE
    room = QLinearGradient(0, 0, width, height)
    room.setColorAt(0.0, QColor("#3b2a6b"))
    room.setColorAt(1.0, QColor("#12202f"))
    _panel(painter, (0, 0, width, height), room, 12)
    lamp = QRadialGradient(QPointF(38, 34), 70)
    lamp.setColorAt(0.0, QColor(255, 110, 190, 190))
    lamp.setColorAt(1.0, QColor(255, 110, 190, 0))
    painter.setBrush(lamp)
    painter.drawEllipse(QPointF(38, 34), 70, 70)
    clip = QPainterPath()
    clip.addRoundedRect(QRectF(0, 0, width, height), 12, 12)
    painter.setClipPath(clip)
    _panel(painter, (58, 124, 116, 60), QColor("#27324a"), 34)  # shoulders
    _panel(painter, (100, 104, 32, 34), QColor("#c98d6b"), 10)  # neck
    painter.setBrush(QColor("#e0a682"))
    painter.drawEllipse(QPointF(116, 76), 36, 43)
    hair = QPainterPath()
    hair.addEllipse(QPointF(116, 62), 40, 38)
    below = QPainterPath()
    below.addRect(QRectF(60, 62, 120, 60))
    painter.setBrush(QColor("#2a1c1c"))
    painter.drawPath(hair.subtracted(below))
    painter.setBrush(QColor("#1b2233"))
    for x in (103, 129):
        painter.drawEllipse(QPointF(x, 76), 3.6, 4.4)
    painter.setPen(QPen(QColor("#10151f"), 6))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawArc(QRectF(72, 24, 88, 96), 10 * 16, 160 * 16)
    _panel(painter, (68, 62, 17, 34), QColor("#10151f"), 8)
    _panel(painter, (147, 62, 17, 34), QColor("#10151f"), 8)
    painter.setClipping(False)
    painter.setPen(QPen(QColor(255, 255, 255, 70), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(1, 1, width - 2, height - 2), 12, 12)


def _draw_sponsor(painter: QPainter) -> None:
    shade = QLinearGradient(0, 0, 680, 0)
    shade.setColorAt(0.0, QColor("#ff7a18"))
    shade.setColorAt(1.0, QColor("#ffd200"))
    _panel(painter, (0, 0, 680, 96), shade, 18)
    _panel(painter, (24, 14, 42, 68), QColor("#d7263d"), 10)
    _panel(painter, (24, 34, 42, 26), QColor("#ffffff"), 0)
    _write(painter, (70, 8, 600, 54), "HAPPY SODA", 42, QColor("#3a1200"))
    _write(painter, (70, 58, 600, 28), "buy one, get one free  ·  sponsored", 18, QColor("#5a2400"))


def _draw_banner(painter: QPainter, *, word: str, team: str) -> None:
    path = QPainterPath()
    font = _font(104 if len(word) < 8 else 84)
    font.setItalic(True)
    path.addText(QPointF(0, 0), font, word)
    box = path.boundingRect()
    path.translate(450 - box.center().x(), 75 - box.center().y())
    painter.setPen(
        QPen(QColor(8, 12, 22), 16, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    )
    painter.drawPath(path)
    shade = QLinearGradient(0, 20, 0, 130)
    shade.setColorAt(0.0, QColor("#ffffff"))
    shade.setColorAt(1.0, RED if team == "red" else BLUE)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(shade)
    painter.drawPath(path)
