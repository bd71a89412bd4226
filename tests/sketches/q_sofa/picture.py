"""The picture: the game, the sofa or the board, a face in a corner, and what events do to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.q_sofa.plan import Plan
from tests.sketches.q_sofa.signs import Sign
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, WIDTH

Picture = npt.NDArray[np.float32]
WORLD_W, WORLD_H = 800, 150
FACE_H, FACE_W = 30, 40

# How much a body moves with each style of voice; other styles move it by 0.3.
BODY = {
    "shout": 1.0,
    "scream": 1.3,
    "rage": 1.3,
    "loud": 0.7,
    "laugh": 1.0,
    "groan": 0.8,
    "murmur": 0.15,
    "tense": 0.15,
}


def _blur(rng: np.random.Generator, height: int, width: int, cell: int, low: float, high: float) -> Picture:
    """A soft pattern of blotches about `cell` wide, that joins at its left and right edges."""
    coarse = rng.uniform(low, high, (height // cell + 2, width // cell)).astype(np.float32)
    big = np.repeat(np.repeat(coarse, cell, axis=0), cell, axis=1)[:height]
    for axis in (0, 1):
        big = sum((np.roll(big, k, axis=axis) for k in range(-cell // 3, cell // 3 + 1)), np.zeros_like(big))
        big /= len(range(-cell // 3, cell // 3 + 1))
    return np.asarray(big, dtype=np.float32)


def _world(rng: np.random.Generator, evening: str) -> Picture:
    """What the game's camera looks at: sky, ground and things on it."""
    world = _blur(rng, WORLD_H, WORLD_W, 20, 60, 190) * 0.7 + _blur(rng, WORLD_H, WORLD_W, 8, 0, 70)
    horizon = int(rng.integers(60, 90))
    world[:horizon] += rng.uniform(10, 50)
    for _ in range(45):
        x, y = int(rng.integers(0, WORLD_W - 50)), int(rng.integers(horizon - 40, WORLD_H - 10))
        h, w = int(rng.integers(8, 40)), int(rng.integers(6, 45))
        world[y : y + h, x : x + w] = rng.uniform(20, 210)
    if evening == "coop":
        world *= np.float32(rng.uniform(0.5, 1.0))
    world = np.clip(world, 5, 235)
    return np.concatenate((world, world[:, : WIDTH + 40]), axis=1)


def _still(rng: np.random.Generator, boxes: int) -> Picture:
    """A room, a board or a menu that stands still."""
    out = _blur(rng, HEIGHT, WIDTH, 20, 40, 120)
    for _ in range(boxes):
        x, y = int(rng.integers(4, 120)), int(rng.integers(4, 75))
        out[y : y + int(rng.integers(5, 22)), x : x + int(rng.integers(8, 60))] = rng.uniform(20, 220)
    return out


class Painter:
    """Paints one run of frames; everything that it draws by chance comes from one generator."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rng = rng = np.random.default_rng([plan.seed, 30])
        self._count = round(plan.duration_s * FRAMES_PER_S)
        self._worlds = {e: _world(rng, e) for e in ("shooter", "coop")}
        self._rooms = [_still(rng, 7) for _ in range(2)]
        self._menu = _still(rng, 9)
        self._board = _still(rng, 4)
        self._x, self._y, self._speed = 100.0, 30.0, 0.0
        self._room, self._room_until = 0, 0.0
        self._board_until, self._board_age = 0.0, 0
        self._body = self._energies()
        self._effects: list[list[Sign]] = [[] for _ in range(self._count)]
        for sign in plan.signs:
            if sign.where == "pic":
                for k in range(round(sign.at_s * 10), min(self._count, round(sign.end_s * 10))):
                    self._effects[max(k, 0)].append(sign)
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
        self._rows, self._columns = rows.astype(np.float32), columns.astype(np.float32)
        self._film = _still(rng, 8)
        self._corner = int(rng.integers(0, 2)) * (WIDTH - FACE_W)
        self._light = float(rng.uniform(0.75, 1.15))

    def _energies(self) -> npt.NDArray[np.float64]:
        """How much the streamer's body moves, for each frame."""
        out = np.full(self._count, 0.06)
        for sign in self._plan.signs:
            if sign.where == "voice":
                energy = BODY.get(sign.name, 0.3) * (0.3 + 0.7 * sign.power) * self._plan.who.temper**0.5
                part = slice(max(0, round(sign.at_s * 10)), round(sign.end_s * 10) + 2)
                out[part] = np.maximum(out[part], energy)
        return out

    def _game(self, evening: str, play: float) -> Picture:
        """A view that wanders; it turns faster and jerks more the harder the game goes."""
        rng = self._rng
        hard = play * (1.0 if evening == "shooter" else 0.6)
        self._speed = 0.85 * self._speed + rng.normal(0.6 * (evening == "coop"), 0.4 + 3.2 * hard)
        if rng.random() < 0.03 + 0.1 * hard:
            self._speed += rng.normal(0, 22 * hard)
        self._x = (self._x + self._speed) % WORLD_W
        self._y = float(np.clip(self._y + rng.normal(0, 0.3 + 1.6 * hard), 4, WORLD_H - HEIGHT - 4))
        x, y = int(self._x), int(self._y)
        out = self._worlds[evening][y : y + HEIGHT, x : x + WIDTH].copy()
        if evening == "shooter":
            kick = int(rng.integers(0, 4)) if rng.random() < hard else 0
            out[62 - kick :, 95 + kick : 118] = 40
            if kick:
                out[52:64, 92:108] += 70
            out[44:47, 78:81] = 235
        else:
            for k, place in enumerate((62, 92)):
                hop = int(abs(np.sin(self._x / 9 + k)) * 6 * (0.3 + play))
                out[55 - hop : 72 - hop, place : place + 9] = 225 - 150 * k
        out[82:86, 6:60] = 200
        return out

    def _sofa(self, frame: int, energy: float, lean: float) -> Picture:
        """A room with one or two people; two cameras by turns."""
        rng = self._rng
        if frame / 10 >= self._room_until:
            self._room = 1 - self._room
            self._room_until = frame / 10 + float(rng.uniform(25, 110))
        out = self._rooms[self._room].copy()
        two = self._plan.who.guest
        for k, place in enumerate((52.0, 104.0) if two else (78.0,)):
            moved = (energy if k == 0 else 0.5 * energy + 0.08) + 0.8 * lean
            x = place + 4 * np.sin(frame * (0.13 + 0.04 * k)) + moved * 7 * np.sin(frame * (2.1 + 0.4 * k))
            y = 40 + 5 * moved * np.sin(frame * 2.9 + k) - 8 * lean
            out[int(y + 12) : 88, int(x - 17) : int(x + 17)] = 70 + 60 * k
            out[int(y - 12) : int(y + 13), int(x - 10) : int(x + 10)] = 185 - 20 * k
            out[int(y + 4) : int(y + 6 + 5 * min(energy, 1)), int(x - 4) : int(x + 4)] = 60
        return out

    def _quiz(self, frame: int) -> Picture:
        """A board with a question and a bar that runs out; a new one now and then."""
        rng = self._rng
        if frame / 10 >= self._board_until:
            self._board = _still(rng, 3)
            for k in range(4):
                self._board[52 + 18 * (k // 2) : 66 + 18 * (k // 2), 8 + 74 * (k % 2) : 76 + 74 * (k % 2)] = (
                    150
                )
            self._board[10:40, 20:140] = rng.uniform(60, 220)
            self._board_age = frame
            self._board_until = frame / 10 + float(rng.uniform(12, 30))
        out = self._board.copy()
        left = 150 - (frame - self._board_age) % 150
        out[44:48, 5 : 5 + left] = 230
        x = 20 + (frame * 3) % 110
        out[12:38, x : x + 6] += 18
        return out

    def _face(self, out: Picture, frame: int, energy: float, lean: float) -> None:
        """A face in a corner that nods, shakes and leans."""
        c = self._corner
        moved = energy + 0.8 * lean
        x = c + 20 + 1.5 * np.sin(frame * 0.11) + moved * 5 * np.sin(frame * 2.3)
        y = 16 + moved * 4 * np.sin(frame * 3.1) - 4 * lean
        out[:FACE_H, c : c + FACE_W] = 45
        big = 1 + 0.35 * lean
        y0, y1 = max(0, int(y - 9 * big)), min(FACE_H, int(y + 9 * big))
        x0, x1 = max(c, int(x - 7 * big)), min(c + FACE_W, int(x + 7 * big))
        out[y0:y1, x0:x1] = 180
        out[
            min(y1, int(y + 3)) : min(y1, int(y + 4 + 5 * min(energy, 1))), max(c, int(x - 3)) : int(x + 3)
        ] = 50

    def _apply(self, out: Picture, sign: Sign, frame: int) -> Picture:
        """What one effect does to the picture."""
        rng, name, power = self._rng, sign.name, sign.power
        age = max(0.0, frame / 10 - sign.at_s)
        if name == "flash":
            out += 150 * power * max(0.0, 1 - age / 0.5)
        elif name in ("banner", "popup", "kills"):
            top, size = (20, 30) if name == "banner" else (4, 18)
            shine = 235 if int(age * 5) % 2 or age > 1.2 else 150
            out[top : top + size, 45:115] += (shine - out[top : top + size, 45:115]) * min(1.0, 0.3 + power)
        elif name == "glow":
            out += 45 * power * (0.5 + 0.5 * np.sin(5 * age))
        elif name in ("shake", "spin", "fall"):
            reach = 12 * power
            dx, dy = (int(v) for v in rng.normal(0, reach, 2))
            if name == "fall":
                dx, dy = 0, int(age * 90 * power) % HEIGHT
            elif name == "spin":
                dx = int(40 * power * age * 4) % WIDTH
            out = np.roll(out, (dy, dx), axis=(0, 1))
        elif name == "dead":
            out *= np.float32(1 - 0.65 * min(1.0, power))
        elif name == "smoke":
            out += (150 - out) * np.float32(0.6 * power * min(1.0, age / 2))
        elif name == "zoom":
            cut = 12
            out = np.repeat(np.repeat(out[cut : HEIGHT // 2 + cut, 40:120], 2, axis=0), 2, axis=1)
        elif name == "reveal":
            out[8:42, 18:142] = 245 if int(age * 6) % 2 or age > 1.0 else 40
        elif name in ("film", "advert", "windows"):
            out = self._other_picture(name, frame)
        return out

    def _other_picture(self, name: str, frame: int) -> Picture:
        """What is shown in place of the stream's own: cuts at chance, with some motion in a film."""
        rng = self._rng
        often = {"film": 0.04, "advert": 0.07, "windows": 0.05}[name]
        if rng.random() < often:
            self._film = _still(rng, int(rng.integers(3, 12))) * np.float32(rng.uniform(0.5, 1.4))
        if name == "windows":
            return self._film.copy()
        return np.roll(self._film, int(frame * 1.5) % WIDTH, axis=1)

    def frame(self, k: int) -> npt.NDArray[np.uint8]:
        """The k-th frame; they are asked for in order."""
        plan = self._plan
        play = float(plan.play[min(k, len(plan.play) - 1)])
        evening = plan.evening_at(k / 10)
        effects = self._effects[k]
        lean = max((s.power for s in effects if s.name == "lean"), default=0.0)
        energy = float(self._body[k])
        if evening == "sofa":
            out = self._sofa(k, energy, lean)
        elif play <= 0.02:
            out = self._menu.copy()
            row = (k // 17) % 6
            out[14 + 10 * row : 22 + 10 * row, 50:110] += 25
        elif evening == "quiz":
            out = self._quiz(k)
        else:
            out = self._game(evening, play)
        for sign in effects:
            out = self._apply(out, sign, k)
        if plan.who.camera and evening != "sofa" and not any(s.name == "advert" for s in effects):
            self._face(out, k, energy, lean)
        out *= np.float32(self._light)
        if evening == "sofa":
            out += self._rng.integers(-2, 3, (HEIGHT, WIDTH), dtype=np.int8)
        return np.clip(out, 0, 255).astype(np.uint8)


def make_frames(plan: Plan) -> Iterator[npt.NDArray[np.uint8]]:
    """All frames of a plan, the same at each call."""
    painter = Painter(plan)
    for k in range(round(plan.duration_s * FRAMES_PER_S)):
        yield painter.frame(k)
