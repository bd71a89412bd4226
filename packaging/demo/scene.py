"""The match as a picture: a pitch that a camera pans over, players, ball, crowd, fireworks of a goal, HUD.

Everything that does not change is drawn once; a frame is mostly copying, so it costs little
(1280x720: 3 ms, half of it the copy of the pitch). Main thread only (Qt). Needs a QGuiApplication for text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import marks
import numpy as np
from arena import PITCH, WORLD, Arena, Moment, Place
from hud import BLUE, RED, Hud
from match import Timeline
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QImage, QPainter, QPen, QPolygonF, QRadialGradient

_LINE = QColor(225, 255, 240, 190)
_CONFETTI = [QColor(name) for name in ("#ffcf40", "#ff4d5e", "#3aa0ff", "#7dff8a", "#ff7be5", "#ffffff")]
_NUM_CONFETTI = 130
_SEAT = 6  # world units from one head in the stands to the next
_NUM_CAMERAS = 7  # that flash in the crowd, each frame; eight times as many at a goal


class Scene:
    """Draws any moment of a match into a picture of the given size.

    Args:
        timeline: the match.
        speech: when the streamer speaks, as (start_s, end_s).
        size_px: width and height of the picture; 16:9 fits best, the rest is cropped at the right and below.
        has_marks: adds the frame number bar of `marks.py`, and a white frame at each full second.
    """

    def __init__(
        self,
        timeline: Timeline,
        speech: Sequence[tuple[float, float]],
        *,
        size_px: tuple[int, int] = (1280, 720),
        has_marks: bool = False,
    ) -> None:
        self._timeline = timeline
        self._size_px = size_px
        self._has_marks = has_marks
        self._scale = size_px[1] / 720
        self._arena = Arena(timeline)
        self._hud = Hud(self._scale, speech)
        self._ground = _ground(self._scale, timeline.seed)
        self._sprites = [_player_sprite(self._scale, index) for index in range(12)]
        self._ball = _ball_sprite(self._scale)
        chance = np.random.default_rng([timeline.seed, 5])
        self._confetti = chance.uniform(0, 1, (_NUM_CONFETTI, 4))
        self._stands = chance.uniform(0, 1, (_NUM_CAMERAS * 70, 2))

    def paint(self, painter: QPainter, frame: int, fps: int) -> None:
        """Draw frame number `frame`, the picture of the moment `frame / fps` seconds into the match."""
        at_s = frame / fps
        is_mark = self._has_marks and frame % fps == 0
        if is_mark:
            painter.fillRect(QRect(0, 0, *self._size_px), Qt.GlobalColor.white)
        else:
            self._paint_match(painter, self._arena.at(at_s), frame)
        if self._has_marks:
            self._paint_frame_number(painter, frame)

    def _paint_match(self, painter: QPainter, moment: Moment, frame: int) -> None:
        left, top = (round(side * self._scale) for side in moment.camera)
        painter.drawImage(0, 0, self._ground, left, top, *self._size_px)
        self._paint_crowd(painter, moment, frame)
        self._paint_players(painter, moment)
        if moment.cheer > 0.01:
            self._paint_beams(painter, moment)
            self._paint_confetti(painter, moment)
        if moment.flash > 0.01:
            white = QColor(255, 255, 255, round(235 * moment.flash))
            painter.fillRect(QRect(0, 0, *self._size_px), white)
        decoy = self._timeline.decoy_at(moment.at_s)
        score = self._timeline.score_at(moment.at_s)
        self._hud.paint(painter, moment, score, decoy.kind if decoy is not None else None)

    def _paint_crowd(self, painter: QPainter, moment: Moment, frame: int) -> None:
        """Cameras that flash in the stands."""
        num_flashes = _NUM_CAMERAS * (8 if moment.cheer > 0.1 else 1)
        first = frame // 2 * 13 % len(self._stands)
        side = max(2, round(4 * self._scale))
        for index in range(num_flashes):
            across, along = self._stands[(first + index) % len(self._stands)]
            x, y = self._on_picture(moment, (across * WORLD[0], along * 120 + (0 if index % 3 else 880)))
            painter.fillRect(round(x), round(y), side, side, Qt.GlobalColor.white)

    def _paint_players(self, painter: QPainter, moment: Moment) -> None:
        half = self._sprites[0].width() / 2
        if moment.holder is not None:
            x, y = self._on_picture(moment, moment.players[moment.holder])
            painter.setPen(QPen(QColor(255, 255, 255, 210), 3 * self._scale))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(x, y + 20 * self._scale), 30 * self._scale, 12 * self._scale)
        for index in sorted(range(12), key=lambda player: moment.players[player][1]):
            x, y = self._on_picture(moment, moment.players[index])
            painter.drawImage(round(x - half), round(y - half), self._sprites[index])
        for step in range(5, -1, -1):
            past = moment if step == 0 else self._arena.at(moment.at_s - step * 0.03)
            if step and math.dist(past.ball, moment.ball) < 12:
                continue
            x, y = self._on_picture(moment, (past.ball[0], past.ball[1] - past.ball_height))
            painter.setOpacity(1.0 if step == 0 else 0.4 - step * 0.06)
            painter.drawImage(
                round(x - self._ball.width() / 2), round(y - self._ball.height() / 2), self._ball
            )
        painter.setOpacity(1.0)

    def _paint_beams(self, painter: QPainter, moment: Moment) -> None:
        """Searchlights that sweep over the whole picture."""
        width, height = self._size_px
        is_red = moment.highlight is not None and moment.highlight.team == "red"
        colour = QColor(RED if is_red else BLUE)
        colour.setAlpha(round(70 * moment.cheer))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        for beam in range(4):
            swing = 0.55 * math.sin(moment.at_s * 3.4 + beam * 1.7)
            foot_x = width * (0.1 + 0.27 * beam)
            head_x = foot_x + math.tan(swing) * height
            spread = 70 * self._scale
            corners = ((foot_x, height), (head_x - spread, 0), (head_x + spread, 0))
            painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))

    def _paint_confetti(self, painter: QPainter, moment: Moment) -> None:
        width, height = self._size_px
        num_shown = round(_NUM_CONFETTI * moment.cheer)
        for index, (across, along, speed, turn) in enumerate(self._confetti[:num_shown].tolist()):
            fallen = (along + moment.at_s * (0.35 + 0.5 * speed)) % 1.15
            x = (across + 0.04 * math.sin(moment.at_s * 4 + turn * 9)) * width
            flip = abs(math.sin(moment.at_s * (5 + 6 * turn) + index))
            wide, high = (7 + 6 * turn) * self._scale, (4 + 10 * flip) * self._scale
            painter.fillRect(
                QRect(round(x), round((fallen - 0.1) * height), round(wide), round(high)),
                _CONFETTI[index % 6],
            )

    def _paint_frame_number(self, painter: QPainter, frame: int) -> None:
        width, height = self._size_px
        bar_px = round(height * marks.HEIGHT_SHARE)
        for index, is_white in enumerate(marks.cells(frame)):
            left, right = (width * edge // marks.NUM_CELLS for edge in (index, index + 1))
            colour = Qt.GlobalColor.white if is_white else Qt.GlobalColor.black
            painter.fillRect(left, 0, right - left, bar_px, colour)

    def _on_picture(self, moment: Moment, place: Place) -> Place:
        left, top = moment.camera
        return (place[0] - left) * self._scale, (place[1] - top) * self._scale


def _ground(scale: float, seed: int) -> QImage:
    """The whole world without anything that moves."""
    width, height = round(WORLD[0] * scale), round(WORLD[1] * scale)
    x = (np.arange(width, dtype=np.float32) / np.float32(scale))[None, :]
    y = (np.arange(height, dtype=np.float32) / np.float32(scale))[:, None]
    chance = np.random.default_rng([seed, 6])
    light = 1.12 - 0.5 * (((x - 1000) / 1300) ** 2 + ((y - 520) / 800) ** 2)
    noise = 2.5 * chance.standard_normal((height, width), dtype=np.float32)
    rows, seats = WORLD[1] // _SEAT + 1, WORLD[0] // _SEAT + 1
    people = chance.integers(20, 190, (rows, seats, 3)) * chance.random((rows, seats, 1))
    seat = (y // _SEAT).astype(int), (x // _SEAT).astype(int)
    is_person = (x % _SEAT < _SEAT - 2) & (y % _SEAT < _SEAT - 2)
    is_stand = (y < 140) | (y > 895)
    pixels = np.full((height, width, 4), 255, np.uint8)
    for channel, (dark, lighter) in enumerate(((58, 10), (92, 14), (16, 4))):  # blue, green, red
        grass = (dark + lighter * (x // 137 % 2)) * light + noise
        stand = 14 + 0.62 * people[..., channel].astype(np.float32)[seat] * is_person
        pixels[..., channel] = np.clip(np.where(is_stand, stand, grass), 0, 255)
    image = QImage(pixels.data, width, height, width * 4, QImage.Format.Format_RGB32).copy()
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    _draw_boards(painter)
    _draw_lines(painter)
    painter.end()
    return image


def _draw_boards(painter: QPainter) -> None:
    """Lit boards between stands and pitch."""
    font = QFont("DejaVu Sans")
    font.setPixelSize(22)
    font.setBold(True)
    painter.setFont(font)
    words = ("NIGHT CUP", "CLIPPY", "BLUE v RED", "PLAY FAIR", "CLIPPY")
    for top in (140, 863):
        for index in range(10):
            box = QRectF(index * 200, top, 200, 32)
            painter.fillRect(box, QColor("#101a33") if index % 2 else QColor("#1b1040"))
            painter.setPen(QColor("#54e0ff") if index % 2 else QColor("#ff6bd6"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words[index % len(words)])


def _draw_lines(painter: QPainter) -> None:
    left, top, right, bottom = PITCH
    middle = (top + bottom) / 2
    painter.setPen(QPen(_LINE, 5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(left, top, right - left, bottom - top))
    painter.drawLine(QPointF(1000, top), QPointF(1000, bottom))
    painter.drawEllipse(QPointF(1000, middle), 105, 105)
    for goal_x, inward in ((left, 1), (right, -1)):
        painter.drawRect(QRectF(goal_x, middle - 190, 240 * inward, 380).normalized())
        painter.drawRect(QRectF(goal_x, middle - 95, 90 * inward, 190).normalized())
        net = QRectF(goal_x, middle - 80, -62 * inward, 160).normalized()
        painter.setPen(QPen(QColor(255, 255, 255, 70), 1))
        painter.fillRect(net, QBrush(QColor(255, 255, 255, 60), Qt.BrushStyle.DiagCrossPattern))
        painter.setPen(QPen(QColor("#ffffff"), 6))
        painter.drawRect(net)
        painter.setPen(QPen(_LINE, 5))
    painter.setBrush(_LINE)
    painter.drawEllipse(QPointF(1000, middle), 7, 7)


def _sprite(side: float, scale: float) -> tuple[QImage, QPainter]:
    image = QImage(round(side * scale), round(side * scale), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    painter.scale(scale, scale)
    painter.setPen(Qt.PenStyle.NoPen)
    return image, painter


def _player_sprite(scale: float, index: int) -> QImage:
    """A player seen from above and a little from the front: shadow, shirt, number, head."""
    image, painter = _sprite(72, scale)
    colour = (BLUE if index < 6 else RED) if index % 6 else QColor("#ffd166" if index < 6 else "#9bff7a")
    painter.setBrush(QColor(0, 0, 0, 90))
    painter.drawEllipse(QPointF(38, 58), 23, 9)
    shirt = QRadialGradient(QPointF(30, 28), 34)
    shirt.setColorAt(0.0, colour.lighter(135))
    shirt.setColorAt(1.0, colour.darker(150))
    painter.setBrush(shirt)
    painter.setPen(QPen(QColor(255, 255, 255, 220), 2.5))
    painter.drawRoundedRect(QRectF(15, 22, 42, 36), 15, 15)
    painter.setBrush(QColor("#e0a682") if index % 3 else QColor("#8d5a3c"))
    painter.drawEllipse(QPointF(36, 18), 12, 12)
    font = QFont("DejaVu Sans")
    font.setPixelSize(19)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor("#ffffff") if index % 6 else QColor("#202020"))
    number = (1, 4, 5, 7, 9, 11)[index % 6]
    painter.drawText(QRectF(15, 30, 42, 27), Qt.AlignmentFlag.AlignCenter, str(number))
    painter.end()
    return image


def _ball_sprite(scale: float) -> QImage:
    image, painter = _sprite(26, scale)
    painter.setBrush(QColor(0, 0, 0, 80))
    painter.drawEllipse(QPointF(15, 20), 9, 4)
    shade = QRadialGradient(QPointF(10, 9), 12)
    shade.setColorAt(0.0, QColor("#ffffff"))
    shade.setColorAt(1.0, QColor("#a9b4c4"))
    painter.setBrush(shade)
    painter.drawEllipse(QPointF(13, 12), 9, 9)
    painter.end()
    return image
