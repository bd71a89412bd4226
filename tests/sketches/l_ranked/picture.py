"""The pictures: a shooter's view with its head-up display, menus, adverts and a webcam."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.l_ranked.plan import Plan
from tests.sketches.l_ranked.script import SCREENS
from tests.sketches.l_ranked.who import Who, table
from tests.sketches.sketch import HEIGHT, WIDTH, Sound

Picture = npt.NDArray[np.uint8]


def _scene(rng: np.random.Generator, height: int, width: int, blocks: int) -> Picture:
    """A view of walls, boxes and doors under a sky, wrapped at its sides."""
    ground = rng.integers(50, 120)
    x = np.concatenate([
        np.linspace(rng.integers(120, 230), ground + 40, height // 2),
        np.linspace(ground, ground * 0.6, height - height // 2),
    ])[:, None] * np.ones(width)  # fmt: skip
    for _ in range(blocks):
        w, h = int(rng.integers(6, 60)), int(rng.integers(6, 50))
        left, bottom = int(rng.integers(0, width - w)), height // 2 + int(rng.integers(-4, 30))
        x[max(bottom - h, 0) : bottom, left : left + w] = rng.integers(25, 210) + rng.normal(0, 6, (1, w))
    x += rng.normal(0, 5, x.shape)
    x[:, -WIDTH:] = x[:, :WIDTH]
    return np.clip(x, 0, 255).astype(np.uint8)


def _page(rng: np.random.Generator, rows: int) -> Picture:
    """A menu or table: a plain ground with bars of text."""
    x = np.full((HEIGHT, WIDTH), rng.integers(15, 90), np.uint8)
    for i in range(rows):
        y = 8 + i * (HEIGHT - 16) // rows
        x[y : y + 4, 12 : 12 + int(rng.integers(30, 130))] = rng.integers(100, 230)
    return x


class Show:
    """Draws the pictures of one stream; all chance is drawn beforehand, so each pass is the same."""

    def __init__(self, rng: np.random.Generator, who: Who, plan: Plan, speaking: Sound) -> None:
        n = self._num = len(plan.screens)
        self._who, self._screens = who, plan.screens
        self._world = _scene(rng, 150, 900, 90)
        rows = {"lobby": 4, "queue": 5, "loading": 1, "scores": 10}
        self._pages = {name: _page(rng, num) for name, num in rows.items()}
        self._adverts = [_scene(rng, HEIGHT, WIDTH * 2, 30) for _ in range(5)]
        self._hero = np.clip(rng.normal(150, 30, (50, 26)), 0, 255).astype(np.uint8)
        self._grain = rng.integers(0, int(rng.integers(2, 9)), (4, HEIGHT, WIDTH), dtype=np.uint8)
        self._cam_at = (int(rng.choice([2, HEIGHT - 34])), int(rng.choice([2, WIDTH - 42])))
        self._feed_rows, self._shake, self._light = np.zeros(n, int), np.zeros(n), np.zeros(n)
        self._banner, self._alert, self._zoom, self._odd = (np.zeros(n, bool) for _ in range(4))
        self._head = np.zeros(n)
        self._read(plan)
        self._move(rng, speaking[:n])

    def _read(self, plan: Plan) -> None:
        """What the cues show: muzzle flashes, blasts, the kill feed, banners, alerts, a jump before the webcam."""
        for cue in plan.cues:
            a = max(int(cue.at * 10), 0)
            b = a + max(int(cue.length * 10), 1)
            if cue.lane == "look":
                self._look(cue.what, a, b)
            elif cue.lane == "game" and cue.what in ("own", "sniper"):
                self._light[a:b:2] = np.maximum(self._light[a:b:2], 26)
                self._shake[a:b] = 1.6
            elif cue.lane == "game" and cue.seen:
                size = {"boom": 1.0, "fall": 0.7, "foe": 0.25}.get(cue.what, 0.0)
                self._light[a : a + 3] += 70 * size
                self._shake[a : a + 5] += 5 * size
                self._feed_rows[a : a + 50] += cue.what == "ding"
                self._banner[a : a + 35] |= cue.what in ("win", "lose", "rank")
                self._alert[a : a + 60] |= cue.what in ("alert", "horn")

    def _look(self, what: str, a: int, b: int) -> None:
        self._head[a:b] += {"jump": 4.0, "slump": 2.0, "lean": 1.2}.get(what, 0.0)
        self._zoom[a:b] |= what == "zoom"
        self._odd[a:b] |= what == "dance"
        if what in ("white", "glow"):
            self._light[a:b] += np.linspace(230 if what == "white" else 60, 20, len(self._light[a:b]))

    def _move(self, rng: np.random.Generator, speaking: Sound) -> None:
        """Paths of the camera and of the head."""
        n = self._num
        turn = np.array([row[2] for row in table("screens").values()])[self._screens]
        slow = np.convolve(rng.normal(0, 1, n + 30), np.ones(31) / 5.5, "valid")[:n]
        flick = (rng.random(n) < 0.07) * rng.normal(0, 5, n)
        pace = rng.uniform(0.6, 1.5)
        x = np.cumsum(turn * pace * (slow + flick)) + rng.normal(0, 1, n) * np.minimum(self._shake, 7)
        y = 28 + 7 * np.convolve(rng.normal(0, 1, n + 20), np.ones(21) / 4.6, "valid")[:n] * (turn > 0)
        y += rng.normal(0, 1, n) * np.minimum(self._shake, 7) + np.sin(np.arange(n) * 1.9) * (turn > 2.5)
        self._x = np.round(x).astype(int) % (self._world.shape[1] - WIDTH)
        self._y = np.clip(np.round(y), 0, 59).astype(int)
        stir = np.full(n, 0.35)
        stir[: len(speaking)] += np.minimum(speaking, 3) * 0.8
        nod = rng.normal(0, 1, (2, n)) * (stir + self._head * (0.3 + self._who.temper))
        self._nod = np.clip(np.round(nod), -7, 7).astype(int)
        self._cut = np.cumsum(rng.random(n) < 0.06) % len(self._adverts)

    def _view(self, i: int, name: str) -> Picture:
        """The player's view with what lies over it."""
        x, y = self._x[i], self._y[i]
        if self._zoom[i]:
            img: Picture = self._world[y + 22 : y + 67, x + 40 : x + 120].repeat(2, 0).repeat(2, 1)
        else:
            img = self._world[y : y + HEIGHT, x : x + WIDTH].copy()
        if name == "dead":
            img = np.asarray(img // 2 + 50, np.uint8)
            img[70:76, 50:110] = 20
        else:
            dip = min(int(self._shake[i]), 6)
            img[66 + dip :, 96 + dip : 124] = 40
            img[44:46, 79:81] = 250
        if self._odd[i]:
            at = 50 + int(18 * np.sin(i * 0.9))
            img[30:80, at : at + 26] = self._hero
        light = int(min(self._light[i], 240))
        if light:
            img = np.maximum(img, np.minimum(img, 255 - light) + np.uint8(light))
        img[82:86, 6 : 6 + 30] = 200
        img[4 : 4 + 20, 4:24] = self._world[y : y + 20, x : x + 20] >> 1
        for row in range(min(self._feed_rows[i], 6)):
            img[4 + row * 6 : 8 + row * 6, 112:156] = 225 - 60 * (row % 2)
        if name == "buy":
            img[20:74, 30:130] = self._pages["scores"][20:74, 30:130]
        return img

    def _picture(self, i: int) -> Picture:
        name = SCREENS[self._screens[i]]
        if name in self._pages:
            img = self._pages[name].copy()
            if name in ("lobby", "queue"):
                sway = int(3 * np.sin(i * 0.15))
                img[28:78, 100 + sway : 126 + sway] = self._hero
            else:
                img[84:87, 10 : 10 + i % 140] = 220
            img += np.uint8(min(self._light[i], 25))
        elif name == "advert":
            pan = i * 2 % WIDTH
            img = self._adverts[self._cut[i]][:, pan : pan + WIDTH].copy()
        else:
            img = self._view(i, name)
        if self._banner[i]:
            img[18:34, 40:120] = 235
            img[23:29, 52 : 60 + i % 3 + 48] = 30
        if self._alert[i]:
            img[38:58, 56:104] = 200 + 30 * (i // 2 % 2)
            img[44:52, 62:98] = 60
        return img

    def _webcam(self, img: Picture, i: int) -> None:
        top, left = self._cam_at
        box = img[top : top + 32, left : left + 40]
        box[:] = 55
        dy, dx = self._nod[:, i]
        box[max(20 + dy, 14) :, 6 + dx // 2 : 34 + dx // 2] = 95
        box[max(6 + dy, 0) : 22 + dy, 13 + dx : 27 + dx] = 170
        box[max(10 + dy, 0) : 12 + dy, 15 + dx : 25 + dx] = 60

    def frames(self) -> Iterator[Picture]:
        """One picture after another, each an array of its own."""
        img: Picture = np.zeros((HEIGHT, WIDTH), np.uint8)
        for i in range(self._num):
            if SCREENS[self._screens[i]] != "frozen" or i == 0:
                img = self._picture(i)
                if self._who.webcam:
                    self._webcam(img, i)
                img = np.minimum(img, 247) + self._grain[i % 4]
            yield img.copy()
