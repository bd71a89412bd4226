"""Pictures from a workshop: a bench from above or the maker behind it, hands, the piece, and what befalls them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.j_workshop.words import Curve, Rng
from tests.sketches.sketch import HEIGHT, WIDTH

Plane = npt.NDArray[np.float32]
_PAD = 14
_TALL, _WIDE = HEIGHT + 2 * _PAD, WIDTH + 2 * _PAD
_ZOOM_ROWS, _ZOOM_COLUMNS = (np.arange(size) * 5 // 7 + size // 7 for size in (HEIGHT, WIDTH))
_BENCH, _FRONT = 0, 1
# The middle of the piece on the picture, by scene.
_PLACE = ((50, 80), (66, 84))


class _Part(NamedTuple):
    """A thing to put on a picture: its greys and how much they cover."""

    grey: Plane
    cover: Plane


def _clouds(rng: Rng, tall: int, wide: int, cell: int) -> Plane:
    """Smooth noise about 0: coarse random values, drawn out and blurred."""
    coarse = rng.standard_normal((tall // cell + 3, wide // cell + 3))
    rows, cols = np.arange(tall) / cell, np.arange(wide) / cell
    down = np.stack([np.interp(rows, np.arange(coarse.shape[0]), col) for col in coarse.T], 1)
    return np.stack([np.interp(cols, np.arange(down.shape[1]), row) for row in down]).astype(np.float32)


def _blob(rng: Rng, tall: int, wide: int, grey: float, rough: float = 0.15) -> _Part:
    """A shaded ellipse with an uneven rim."""
    y, x = np.mgrid[-1 : 1 : tall * 1j, -1 : 1 : wide * 1j]
    edge = np.hypot(y, x) + rough * _clouds(rng, tall, wide, max(3, wide // 4))
    cover = np.clip((1.0 - edge) * 0.35 * min(tall, wide), 0.0, 1.0)
    shade = grey * (1.0 - 0.22 * x - 0.3 * y) + 6.0 * _clouds(rng, tall, wide, 3)
    return _Part(shade.astype(np.float32), cover.astype(np.float32))


def _blank(tall: int, wide: int) -> _Part:
    return _Part(np.zeros((tall, wide), np.float32), np.zeros((tall, wide), np.float32))


def _over(low: _Part, high: _Part, y: int, x: int) -> _Part:
    """One part with another drawn on it."""
    grey, cover = low.grey.copy(), low.cover.copy()
    paste(grey, high, y, x)
    paste(cover, _Part(np.ones_like(high.cover), high.cover), y, x)
    return _Part(grey, cover)


def paste(canvas: Plane, part: _Part, y: int, x: int, share: float = 1.0) -> None:
    """Draw a part with its corner at (y, x), as far as it lies on the canvas."""
    tall, wide = part.grey.shape
    top, left = max(0, -y), max(0, -x)
    low, right = min(tall, canvas.shape[0] - y), min(wide, canvas.shape[1] - x)
    if low <= top or right <= left:
        return
    room = canvas[y + top : y + low, x + left : x + right]
    cover = part.cover[top:low, left:right]
    room += (cover if share == 1.0 else cover * np.float32(share)) * (part.grey[top:low, left:right] - room)


def _person(rng: Rng, scale: float) -> _Part:
    """Head, hair and shoulders."""
    skin, shirt, hair = rng.uniform(95.0, 200.0), rng.uniform(30.0, 190.0), rng.uniform(20.0, 150.0)
    out = _blank(int(66 * scale), int(60 * scale))
    body = ((44, 60, shirt, 30, 0), (26, 29, hair, 0, 15), (34, 25, skin, 4, 17))
    for tall, wide, grey, y, x in (*body, (4, 5, 30.0, 17, 22), (4, 5, 30.0, 17, 32)):
        part = _blob(rng, max(3, int(tall * scale)), max(3, int(wide * scale)), grey, 0.06)
        out = _over(out, part, int(y * scale), int(x * scale))
    return out


def _bench(rng: Rng) -> Plane:
    """A table from above: grain of the wood, a mat, things lying about."""
    wood = rng.uniform(50.0, 170.0) + 14.0 * _clouds(rng, _TALL, _WIDE, 40)
    wood = wood + rng.uniform(2.0, 12.0) * np.resize(_clouds(rng, _TALL, 4, 3)[:, :1], (_TALL, 1))
    plane = wood.astype(np.float32)
    plane[30:96, 44:146] = 0.4 * plane[30:96, 44:146] + np.float32(rng.uniform(20.0, 130.0))
    for _ in range(int(rng.integers(5, 13))):
        tall, wide = (int(v) for v in rng.integers(6, 28, 2))
        spot = int(rng.choice([rng.integers(0, 40), rng.integers(135, _WIDE - 10)]))
        thing = _blob(rng, tall, wide, rng.uniform(20.0, 230.0), 0.1)
        paste(plane, thing, int(rng.integers(0, _TALL - 10)), spot)
    return plane


def _room(rng: Rng) -> Plane:
    """The room behind the maker: wall, shelves with things, a lamp, the edge of the worktop."""
    plane = (rng.uniform(40.0, 150.0) + 10.0 * _clouds(rng, _TALL, _WIDE, 50)).astype(np.float32)
    for shelf in rng.choice([18, 34, 50], int(rng.integers(1, 4)), replace=False):
        plane[shelf : shelf + 2] = rng.uniform(30.0, 110.0)
        for x in range(4, _WIDE - 12, int(rng.integers(9, 16))):
            tall = int(rng.integers(5, 13))
            plane[shelf - tall : shelf, x : x + int(rng.integers(4, 9))] = rng.uniform(25.0, 210.0)
    paste(plane, _blob(rng, 30, 26, 235.0, 0.02), int(rng.integers(2, 16)), int(rng.choice([8, _WIDE - 40])))
    plane[_TALL - 38 :] = rng.uniform(60.0, 190.0) + 5.0 * _clouds(rng, 38, _WIDE, 6)
    return plane


def _scenes(rng: Rng, num: int) -> list[int]:
    """Which camera is on, picture by picture: some never switch, some do so every minute or two."""
    home = int(rng.random() < 0.45)
    if rng.random() < 0.5:
        return [home] * num
    out: list[int] = []
    while len(out) < num:
        out += [home] * int(rng.integers(120, 1100)) + [1 - home] * int(rng.integers(50, 450))
    return out


class View:
    """Draws the pictures of one stream from curves that say what moves (one value a picture)."""

    def __init__(self, seed: int, curves: dict[str, Curve]) -> None:
        rng = np.random.default_rng([seed, 5])
        self._seed, self._curves, self._num = seed, curves, curves["hands"].size
        self._scene = _scenes(rng, self._num)
        self._inset, self._overlay = rng.random() < 0.6, rng.random() < 0.35 and curves["messages"][-1] > 0.0
        self._gain, self._sway = np.float32(rng.uniform(0.6, 1.15)), rng.uniform(0.0, 0.05)
        self._backs = (_bench(rng), _room(rng))
        grey, size = rng.uniform(70.0, 220.0), int(rng.integers(26, 40))
        mark = _blob(rng, 8, 11, 255.0 - grey)
        plain = [_blob(rng, size, int(size * 1.3), grey + 10.0 * k, 0.12) for k in range(4)]
        self._pieces = [_over(piece, mark, 8, 8 + 3 * k) for k, piece in enumerate(plain)]
        bright = _blob(rng, size + 6, int(size * 1.5), min(250.0, grey + 60.0))
        self._done = _over(bright, self._pieces[3], 4, 6)
        self._heap = _blob(rng, size // 2, int(size * 1.9), grey, 0.3)
        skin = rng.uniform(100.0, 200.0)
        arm = _Part(np.full((60, 13), skin * 0.85, np.float32), np.ones((60, 13), np.float32))
        self._hand = _over(_over(_blank(80, 20), arm, 20, 3), _blob(rng, 26, 20, skin, 0.12), 0, 0)
        self._maker, self._guest, self._small = (_person(rng, scale) for scale in (1.0, 0.95, 0.5))
        fur = rng.uniform(20.0, 230.0, 2)
        self._pet = _over(_blob(rng, 22, 40, fur[0]), _blob(rng, 14, 15, fur[1]), 0, 24)
        self._stains = [_blob(rng, 14, 22, rng.uniform(10.0, 240.0), 0.5) for _ in range(4)]
        self._flames = [_blob(rng, 34 + 6 * k, 30 + 4 * k, 250.0, 0.45) for k in range(4)]
        self._fog = (60.0 * _clouds(rng, 300, 460, 24) + 110.0).astype(np.float32)
        self._text = (rng.random((400, 30)) < 0.45).astype(np.float32) * np.float32(120.0) + np.float32(40.0)
        self._text[::4] = 30.0
        grain = np.float32(rng.uniform(0.4, 3.0))
        self._noise = grain * rng.standard_normal((2 * HEIGHT, 2 * WIDTH), np.float32)

    def frames(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Every picture in turn."""
        rng = np.random.default_rng([self._seed, 90])
        curves, num = self._curves, self._num
        jolt = np.rint(rng.standard_normal((num, 2)) * curves["shake"][:, None]).clip(-_PAD, _PAD).astype(int)
        sway = 6.0 * np.sin(np.cumsum(rng.standard_normal(num)) * self._sway)
        drift = np.rint(curves["pan"] + sway).clip(-_PAD, _PAD).astype(int)
        speed = np.cumsum(0.12 + 1.5 * curves["hands"] * rng.lognormal(0.0, 0.3, num))
        reach = 2.0 + 14.0 * curves["hands"] + 6.0 * np.minimum(curves["busy"], 1.0)
        left = np.stack([reach * 0.6 * np.sin(speed * 0.8), reach * np.sin(speed * 0.53 + 1.0)], 1)
        right = np.stack([reach * np.sin(speed * 1.1 + 2.0), reach * 0.8 * np.sin(speed * 0.71)], 1)
        hands = np.rint(np.concatenate([left, right], 1)).astype(int)
        head = np.rint(2.6 * curves["voice"] * np.sin(speed * 0.9 + 1.9) - curves["lean"]).astype(int)
        at = rng.integers(0, (HEIGHT, WIDTH), (num, 2))
        for k in range(num):
            scene = int(self._scene[k] + curves["cut"][k] + 0.5) % 2
            top, side = np.clip((_PAD + jolt[k, 0], _PAD + jolt[k, 1] + drift[k]), 0, 2 * _PAD)
            canvas = self._backs[scene][top : top + HEIGHT, side : side + WIDTH].copy()
            self._draw(canvas, k, scene, hands[k] + np.tile(_PAD - np.array([top, side]), 2), int(head[k]))
            canvas = self._afterwards(canvas, k, scene, int(head[k]))
            canvas += self._noise[at[k, 0] : at[k, 0] + HEIGHT, at[k, 1] : at[k, 1] + WIDTH]
            yield np.clip(canvas, 0.0, 255.0).astype(np.uint8)

    def _draw(self, canvas: Plane, k: int, scene: int, hands: npt.NDArray[np.int_], head: int) -> None:
        """People, piece and hands."""
        curve, (y, x) = self._curves, _PLACE[scene]
        if scene == _FRONT:
            paste(canvas, self._maker, 14 + head, 54 + hands[1] // 5)
        if curve["guest"][k] > 0.0:
            paste(canvas, self._guest, 16 + hands[0] // 6, 112 - 4 * scene)
        for spot, stain in enumerate(self._stains):
            if curve["stain"][k] > 0.1:
                paste(canvas, stain, 18 + 13 * spot, (20 + 61 * spot) % 130)
        part = self._pieces[min(3, 4 * k // self._num)]
        if curve["squash"][k] > 0.1:
            part = self._heap
        elif curve["shine"][k] > 0.1:
            part = self._done
        fallen = curve["drop"][k]
        if curve["gone"][k] < 0.1 or 0.0 < fallen < 1.0:
            lift = 28.0 * np.sin(np.pi * curve["jump"][k]) - 90.0 * fallen**2
            tall, wide = part.grey.shape
            paste(canvas, part, int(y - tall / 2 - lift), int(x - wide / 2 + 30 * fallen))
        if curve["flame"][k] > 0.1:
            flame = self._flames[(k * 7 + k // 3) % 4]
            paste(canvas, flame, y - 40 + k * 5 % 7, x - 20 + k * 3 % 9, float(min(1.0, curve["flame"][k])))
        paste(canvas, self._hand, y - 4 + hands[0], x - 38 + hands[1])
        paste(canvas, self._hand, y - 6 + hands[2], x + 20 + hands[3])
        if 0.0 < curve["pet"][k] < 1.0:
            across = np.interp(curve["pet"][k], (0.0, 0.35, 0.7, 1.0), (-42.0, 60.0, 74.0, 162.0))
            paste(canvas, self._pet, 40 + k % 3, int(across))

    def _afterwards(self, canvas: Plane, k: int, scene: int, head: int) -> Plane:
        """What lies over the picture: zoom, smoke, light, video, inset, chat, alerts."""
        curve = self._curves
        if curve["zoom"][k] > 0.1:
            canvas = canvas[_ZOOM_ROWS][:, _ZOOM_COLUMNS]
        if curve["smoke"][k] > 0.05:
            fog = self._fog[200 - 2 * k % 200 :][:HEIGHT, k % 300 : k % 300 + WIDTH]
            canvas += np.float32(min(0.75, 0.75 * curve["smoke"][k])) * (fog + 50.0 - canvas)
        canvas *= self._gain
        canvas += np.float32(curve["light"][k])
        if curve["video"][k] > 0.1:
            # Another's video fills the picture: it pans, and it cuts every two seconds or so.
            y, x = (k // 19 * 71) % 200, (k // 19 * 113 + 2 * (k % 19)) % 290
            canvas[6:-6, 8:-8] = 1.6 * self._fog[y : y + HEIGHT - 12, x : x + WIDTH - 16] - 60.0
        if self._inset and scene == _BENCH:
            canvas[HEIGHT - 34 :, WIDTH - 42 :] = self._backs[_FRONT][10:44, 60:102]
            paste(canvas, self._small, HEIGHT - 31 + head // 2, WIDTH - 36)
        if self._overlay:
            row = int(curve["messages"][k]) * 4 % 340
            canvas[12:72, :30] += 0.5 * (self._text[row : row + 60] - canvas[12:72, :30])
        if curve["alert"][k] > 0.1:
            canvas[4:24, 50:110] = 150.0 + 25.0 * (k // 3 % 2)
            canvas[12:15, 56:104] = self._text[k // 2 % 40, :1] + 60.0
        return canvas
