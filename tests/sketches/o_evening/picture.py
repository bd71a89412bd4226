"""The picture: a scrolling world with figures, fights, menus, banners, alerts and a face camera."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.o_evening.who import Plan
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sound

Luma = npt.NDArray[np.uint8]
Figure = tuple[Luma, npt.NDArray[np.bool_]]
Curve = npt.NDArray[np.float64]
WORLD = (180, 480)
FIGURES, NOISES = 7, 6
CAM = (26, 34)
SPOTS = {"left": (62, 2), "right": (62, 124), "top": (2, 124)}
LOOKS = ("flash", "shake", "death", "banner", "alert", "cut", "replay", "sparks", "tumble", "lowlife")
SPEED = {"play": 1.0, "fight": 0.8, "cutscene": 0.25}


def _smooth(rng: np.random.Generator, rows: int, cols: int, cell: int) -> Curve:
    """Blotches of about a cell's size, -1 to 1."""
    grid = rng.uniform(-1, 1, (rows // cell + 2, cols // cell + 2))
    y, x = np.arange(rows) / cell, np.arange(cols) / cell
    yi, xi = y.astype(int), x.astype(int)
    fy, fx = (y - yi)[:, None], x - xi
    wide = grid[:, xi] * (1 - fx) + grid[:, xi + 1] * fx
    return np.asarray(wide[yi] * (1 - fy) + wide[yi + 1] * fy)


def _figure(rng: np.random.Generator, rows: int, cols: int, base: float) -> Figure:
    """A round figure with some drawing inside, and where it covers."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j]
    body = base + 30 * np.sin(3 * y + rng.uniform(0, 6)) + 25 * _smooth(rng, rows, cols, 4)
    return np.clip(body, 0, 255).astype(np.uint8), x**2 + y**2 * 0.9 < 1


def _world(rng: np.random.Generator, genre: str) -> Luma:
    """The ground of the game, wrapped once more at the right and bottom so that any cut-out is one slice."""
    rows, cols = WORLD
    x = float(rng.uniform(60, 130)) + 35 * _smooth(rng, rows, cols, 20) + 18 * _smooth(rng, rows, cols, 5)
    if genre == "sports":
        x = 105 + 12 * (np.arange(cols) // 20 % 2) + 6 * _smooth(rng, rows, cols, 5)
        x[[8, 170], :], x[:, [10, 240, 470]] = 225, 225
    for _ in range(0 if genre == "sports" else 50):
        a, b = int(rng.integers(0, rows - 40)), int(rng.integers(0, cols - 40))
        tall, wide = (6, rng.integers(12, 40)) if genre == "platform" else rng.integers(6, 40, 2)
        x[a : a + int(tall), b : b + int(wide)] += rng.uniform(-70, 50)
    return np.pad(np.clip(x, 0, 255).astype(np.uint8), ((0, HEIGHT), (0, WIDTH)), mode="wrap")


def _screens(rng: np.random.Generator) -> dict[str, Luma]:
    """Still pictures: menu, the room, the pause, and the overlays' texts."""
    menu = np.full((HEIGHT, WIDTH), rng.uniform(20, 60))
    for r in range(10, 80, 12):
        menu[r : r + 8, 14 : 14 + int(rng.integers(30, 70))] = rng.uniform(90, 150)
        menu[r : r + 9, 100:150:12] = rng.uniform(120, 200)
    room = 70 + 30 * _smooth(rng, HEIGHT, WIDTH, 30) + np.linspace(20, -20, WIDTH)
    room[10:40, 100:140] += rng.uniform(20, 70)
    pause = 50 + 25 * _smooth(rng, HEIGHT, WIDTH, 10)
    pause[36:50, 40:120] = 40 + 180 * (rng.random((14, 80)) < 0.4)
    chat = 25 + 130 * (rng.random((400, 36)) < 0.4) * (np.arange(400)[:, None] % 4 < 3)
    text, box = 240 * (rng.random((12, 90)) < 0.45), 30 + 190 * (rng.random((20, 64)) < 0.35)
    stills = {"menu": menu, "talk": room, "brb": pause, "chat": chat, "text": text, "box": box}
    return {k: np.clip(v, 0, 255).astype(np.uint8) for k, v in stills.items()}


def _curves(plan: Plan, n: int) -> dict[str, Curve]:
    """How strong each look is at each frame; 0 is absent."""
    out = {x: np.zeros(n) for x in LOOKS}
    for look in plan.looks:
        a, b = max(0, int(look.at_s * FRAMES_PER_S)), min(n, int(look.end_s * FRAMES_PER_S) + 1)
        u = np.linspace(0, 1, max(b - a, 0))
        shape = np.exp(-4 * u) if look.name in ("flash", "shake") else np.ones(len(u))
        if look.name == "death":
            shape = np.clip(u / 0.25, 0, 1) * np.clip((1 - u) / 0.08, 0, 1)
        out[look.name][a:b] = np.maximum(out[look.name][a:b], look.size * shape)
    return out


def _paste(x: Luma, part: Figure, top: int, left: int) -> None:
    """Lays a figure onto the picture, kept inside it."""
    body, inside = part
    top, left = min(max(top, 0), x.shape[0] - len(body)), min(max(left, 0), x.shape[1] - body.shape[1])
    np.copyto(x[top : top + len(body), left : left + body.shape[1]], body, where=inside)


class Reel:
    """Prepared parts and, for each frame, what is shown."""

    def __init__(self, plan: Plan, mic: Sound, rng: np.random.Generator) -> None:
        who, n = plan.who, round(plan.duration_s * FRAMES_PER_S)
        self.world, self.screens, self.looks = _world(rng, who.genre), _screens(rng), _curves(plan, n)
        self.head, self.boss = (_figure(rng, *x, rng.uniform(60, 200)) for x in ((52, 40), (40, 34)))
        sizes = rng.integers((8, 6), (15, 12), (FIGURES, 2))
        self.figures = [_figure(rng, int(h), int(w), rng.uniform(40, 230)) for h, w in sizes]
        self.noise = np.round(rng.normal(0, 0.4 * who["grain"], (NOISES, HEIGHT, WIDTH))).astype(np.int16)
        self.spot, self.chat_box = SPOTS.get(who.camera), who.has("chat_box")
        self.scene, self.heat = ["play"] * n, np.zeros(n)
        for s in plan.scenes:
            a, b = int(s.at_s * FRAMES_PER_S), min(n, int(s.end_s * FRAMES_PER_S) + 1)
            self.scene[a:b], self.heat[a:b] = [s.name] * max(b - a, 0), s.size
        self.moving = np.array([SPEED.get(x, 0.0) for x in self.scene])
        self._camera(rng, n)
        frames = np.resize(np.abs(mic), (n, RATE_HZ // FRAMES_PER_S)).mean(1)
        self.mouth = np.clip(frames / (np.quantile(frames, 0.8) + 1e-6), 0, 4)
        t = np.arange(n)[:, None] / FRAMES_PER_S
        bob = 2.3 * np.sin(t * [0.7, 0.43]) + rng.normal(0, 0.25, (n, 2))
        bob += rng.normal(0, 1.5, (n, 2)) * np.clip(self.mouth - 1.6, 0, 2)[:, None] * min(who["react"], 1)
        self.bob = np.clip(np.round(bob), -5, 5).astype(np.int64)
        self.rolls = np.cumsum(rng.random(n) < who.chat_per_min / 600)

    def _camera(self, rng: np.random.Generator, n: int) -> None:
        """Where the world is cut out, and where the figures stand, frame by frame."""
        looks, heat, moving = self.looks, self.heat, self.moving
        pause, turn = np.repeat(rng.random((2, n // 20 + 1)) < 0.75, 20, 1)[:, :n]
        pace = moving * (0.5 + 3.5 * heat) * pause * (1 - 0.8 * (looks["death"] > 0.3))
        pace *= (1 - 0.6 * (looks["replay"] > 0)) * np.where(turn, 1, -1)
        shake = (9 * looks["shake"] + 8 * looks["tumble"]) * rng.normal(0, 1, n)
        jump = np.cumsum((np.diff(looks["cut"], prepend=0) > 0) * rng.integers(60, 300, n))
        y = 20 * np.sin(np.arange(n) / 50) * moving + shake + jump
        self.camera = np.stack([y, np.cumsum(pace) + 2 * shake + jump], 1).astype(np.int64) % WORLD
        steps = rng.normal(0, 3, (n, FIGURES, 2)) * ((0.3 + 2.6 * heat) * moving)[:, None, None]
        lap = np.array([HEIGHT - 20, WIDTH - 20])
        start = rng.uniform(0, 1, (FIGURES, 2)) * (HEIGHT, WIDTH)
        self.places = np.abs((start + np.cumsum(steps, 0)) % (2 * lap) - lap).astype(np.int64)

    def _game(self, k: int, rng: np.random.Generator) -> Luma:
        y, x = map(int, self.camera[k])
        pic = self.world[y : y + HEIGHT, x : x + WIDTH].copy()
        fight, heat = self.scene[k] == "fight", self.heat[k]
        for j in range(FIGURES if fight else 2 + int(3 * heat)):
            _paste(pic, self.figures[j], *map(int, self.places[k, j]))
        if fight:
            lunge = int(10 * heat * np.sin(k / 3.1) + 6 * np.sin(k / 7.7))
            _paste(pic, self.boss, 22 + lunge // 3, 90 + lunge)
            pic[82:85, 30 : 130 - (k // 6) % 90] = 200
        dots = int(70 * (self.looks["sparks"][k] + (0.25 * heat if fight else 0)))
        pic[rng.integers(5, 85, dots), rng.integers(20, 150, dots)] = 250
        pic[3:6, 4 : 7 if self.looks["lowlife"][k] and k % 6 < 3 else 40] = 220
        if self.scene[k] == "cutscene" or self.looks["replay"][k]:
            pic[:11], pic[-11:] = 4, 4
        return pic

    def _face(self, k: int, pic: Luma) -> None:
        """The streamer's face: the full picture while talking, else a small camera in its corner."""
        (dy, dx), gape = map(int, self.bob[k]), int(min(9, 2.5 * self.mouth[k]))
        if self.scene[k] == "talk":
            _paste(pic, self.head, 26 + 2 * dy, 60 + 2 * dx)
            pic[62 + 2 * dy : 63 + 2 * dy + gape, 72 + 2 * dx : 88 + 2 * dx] = 25
        elif self.spot and self.scene[k] != "brb":
            y, x = self.spot
            view = pic[y : y + CAM[0], x : x + CAM[1]]
            view[:] = self.screens["talk"][20 : 20 + CAM[0], 90 : 90 + CAM[1]]
            _paste(view, (self.head[0][::3, ::3], self.head[1][::3, ::3]), 6 + dy, 10 + dx)
            view[16 + dy : 17 + dy + gape // 2, 14 + dx : 20 + dx] = 25

    def frames(self, seed: int) -> Iterator[Luma]:
        """All pictures, one after the other."""
        rng = np.random.default_rng([seed, 77])
        for k, name in enumerate(self.scene):
            pic = self.screens[name].copy() if name in self.screens else self._game(k, rng)
            if name == "menu":
                row = 10 + 12 * (k // 9 * 7 // 5 % 6)
                pic[row : row + 8, 12:84] = 230
            flash, death = self.looks["flash"][k], min(self.looks["death"][k], 1)
            if flash > 0.03 or death > 0.03:
                ramp = np.arange(256) * (1 - 0.8 * death) + 150 * flash
                pic = np.clip(ramp, 0, 255).astype(np.uint8)[pic]
            if death > 0.5 or self.looks["banner"][k]:
                pic[38:50, 35:125] = self.screens["text"]
            self._face(k, pic)
            if self.looks["alert"][k]:
                pic[10:30, 48:112] = self.screens["box"]
            if self.chat_box:
                at = int(4 * self.rolls[k] % 350)
                pic[20:60, 2:38] = self.screens["chat"][at : at + 40]
            yield np.clip(pic + self.noise[k % NOISES], 0, 255).astype(np.uint8)
