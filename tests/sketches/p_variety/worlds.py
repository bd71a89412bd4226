"""Still pictures that the moving one is cut from: worlds of the five sorts of game, menus, adverts, faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.sketches.sketch import HEIGHT, WIDTH

Luma = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


def cloud(rng: np.random.Generator, height: int, width: int, grain: int) -> Floats:
    """Soft blotches between 0 and 1, about `grain` wide, that come round again at the right edge."""
    rows, columns = -(-height // grain) + 1, -(-width // grain)
    coarse = rng.random((rows, columns))
    y = np.arange(height) / grain
    x = np.arange(width) / grain
    top, left = y.astype(int), x.astype(int)
    fy, fx = (y - top)[:, None], (x - left)[None, :]
    right, under = (left + 1) % columns, np.minimum(top + 1, rows - 1)
    a, b = coarse[np.ix_(top, left)], coarse[np.ix_(top, right)]
    c, d = coarse[np.ix_(under, left)], coarse[np.ix_(under, right)]
    return np.asarray((a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy)


def luma(picture: Floats) -> Luma:
    """The picture as bytes."""
    return np.clip(picture, 0, 255).astype(np.uint8)


def _platforms(rng: np.random.Generator) -> Luma:
    out = 120 + 60 * cloud(rng, HEIGHT, 1440, 40) - np.arange(HEIGHT)[:, None] * 0.4
    ground = 70
    for x in range(0, 1440, 12):
        ground = int(np.clip(ground + rng.integers(-9, 10), 45, 82))
        if rng.random() < 0.85:
            out[ground:, x : x + 12] = 40 + 25 * ((np.arange(HEIGHT - ground) // 4) % 2)[:, None]
            out[ground : ground + 3, x : x + 12] = 205
        if rng.random() < 0.2:
            out[ground - 30 : ground - 26, x : x + 18] = 225
    return luma(out)


def _rooms(rng: np.random.Generator) -> Luma:
    out = np.zeros((HEIGHT, 1440))
    for room in range(9):
        tile = rng.uniform(20, 90) + rng.uniform(5, 40) * (
            (np.add.outer(np.arange(90) // 10, np.arange(160) // 10)) % 2
        )
        tile[:8], tile[-8:], tile[:, :8], tile[:, -8:] = 30, 30, 25, 25
        for _ in range(int(rng.integers(2, 9))):
            y, x = int(rng.integers(12, 70)), int(rng.integers(12, 140))
            tile[y : y + 10, x : x + 12] = rng.uniform(100, 190)
        out[:, room * 160 : room * 160 + 160] = tile + 15 * cloud(rng, 90, 160, 20)
    return luma(out)


def _pitch(rng: np.random.Generator) -> Luma:
    out = 95 + 14.0 * ((np.arange(1440) // 24) % 2)[None, :] + 8 * cloud(rng, HEIGHT, 1440, 8)
    out[:18] = 60 + 110 * rng.random((18, 1440))
    out[18:21] = 200
    out[86:88] = 220
    for x in range(0, 1440, 240):
        out[20:88, x : x + 2] = 225
        out[40:70, x + 30 : x + 32] = 225
    return luma(out)


def _woods(rng: np.random.Generator) -> Luma:
    out = 18 + 30 * cloud(rng, HEIGHT, 1440, 24) + 35 * np.linspace(1, 0, HEIGHT)[:, None]
    for _ in range(150):
        x, wide = int(rng.integers(1430)), int(rng.integers(2, 9))
        out[: int(rng.integers(55, 88)), x : x + wide] = rng.uniform(4, 50)
    out[75:] += 18 * cloud(rng, 15, 1440, 6)
    return luma(out * float(rng.uniform(0.7, 1.5)))


def _hills(rng: np.random.Generator) -> Luma:
    out = 190 - np.arange(HEIGHT)[:, None] * 0.8 + 25 * cloud(rng, HEIGHT, 1440, 30)
    for level, dark in ((35, 120.0), (50, 90.0), (65, 60.0)):
        ridge = level + 16 * cloud(rng, 2, 1440, 60)[0]
        out = np.where(
            np.arange(HEIGHT)[:, None] > ridge[None, :], dark + 30 * cloud(rng, HEIGHT, 1440, 10), out
        )
    for _ in range(14):
        x, high = int(rng.integers(1400)), int(rng.integers(15, 40))
        out[72 - high : 72, x : x + 26] = rng.uniform(50, 170)
        out[60:66, x + 5 : x + 10] = 220
    return luma(out)


def world(game: str, rng: np.random.Generator) -> Luma:
    """A strip 1,440 wide whose first 160 columns come again at its end, so that any view is one slice."""
    make = {"platformer": _platforms, "roguelike": _rooms, "ball": _pitch, "survival": _woods}.get(
        game, _hills
    )
    strip = make(rng)
    return np.concatenate([strip, strip[:, :WIDTH]], axis=1)


def panel(rng: np.random.Generator, rows: int) -> Luma:
    """A menu or text screen: a dark ground, rows of something like writing."""
    out = rng.uniform(15, 60) + 20 * cloud(rng, HEIGHT, WIDTH, 45)
    for row in range(rows):
        y, x = 14 + row * max(6, 66 // rows), int(rng.integers(14, 30))
        for _ in range(int(rng.integers(2, 8))):
            wide = int(rng.integers(4, 14))
            out[y : y + 4, x : min(x + wide, 150)] = rng.uniform(150, 235)
            x += wide + 3
    return luma(out)


def poster(rng: np.random.Generator) -> Luma:
    """One shot of an advert or a film: big bright shapes."""
    out = rng.uniform(40, 200) + 70 * cloud(rng, HEIGHT, WIDTH, int(rng.integers(12, 60)))
    for _ in range(int(rng.integers(2, 6))):
        y, x = int(rng.integers(0, 70)), int(rng.integers(0, 130))
        out[y : y + int(rng.integers(8, 40)), x : x + int(rng.integers(10, 60))] = rng.uniform(0, 255)
    return luma(out)


def face(size: int) -> tuple[Luma, npt.NDArray[np.bool_]]:
    """A head and shoulders in a square of that size, and where it covers what is behind."""
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    head = (x / 0.24) ** 2 + ((y + 0.08) / 0.30) ** 2 < 1
    body = (x / 0.46) ** 2 + ((y - 0.52) / 0.26) ** 2 < 1
    out = np.where(head, 175 - 120 * np.abs(x), 70.0)
    out[head & (y < -0.24)] = 45
    for side in (-0.09, 0.09):
        out[((x - side) ** 2 + (y + 0.1) ** 2) < 0.0011] = 25
    return luma(out), head | body
