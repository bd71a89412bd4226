"""Pictures: the road or the level going by, screens between runs, the splits, the clock, the face camera."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.i_laps.cast import Cast
from tests.sketches.i_laps.track import CUTSCENE, LOAD, MENU, RESULT, VIDEO, Track
from tests.sketches.sketch import HEIGHT, WIDTH

Picture = npt.NDArray[np.uint8]
_HORIZON = 34
_ROWS = HEIGHT - _HORIZON
_MARGIN = 9  # how far the face may move out of the middle of its picture


def frames_of(cast: Cast, track: Track, body: npt.NDArray[np.float32], seed: int) -> Iterator[Picture]:
    """The pictures of the whole stream."""
    rng = np.random.default_rng([seed, 30])
    world = Level(rng) if cast.game == "platform" else Road(rng, cast)
    panel, camera = Panel(rng, cast), Camera(rng)
    screens = {mode: _screen(rng, mode) for mode in (MENU, RESULT, LOAD)}
    scenes = [_landscape(rng, HEIGHT, 2 * WIDTH) for _ in range(6)]
    grain = rng.integers(0, int(rng.integers(2, 9)), (HEIGHT + 16, WIDTH + 16), np.uint8)
    way, heading = np.cumsum(track.speed), np.cumsum(track.bend * track.speed)
    for i in range(len(body)):
        mode = int(track.mode[i])
        if mode in screens:
            picture = screens[mode].copy()
            row = 14 + 12 * (i // 8 % 6) if mode == MENU else 84
            picture[row : row + 4, 40 : 120 if mode == MENU else 40 + i % 80] += 40
        elif mode == CUTSCENE:
            shot = i // 27
            pan = 3 * i % WIDTH if shot % 3 == 0 else 20 + i % 27
            picture = scenes[shot % 6][:, pan : pan + WIDTH].copy()
            picture[:10] = picture[-10:] = 4
        elif mode == VIDEO:
            picture = world.draw(0.9 * i, 8 * np.sin(i / 30), np.sin(i / 17), 0.0, 0.5 + 0.5 * np.sin(i / 40))
            picture[:8] = picture[-12:] = 24
        else:
            picture = world.draw(way[i], heading[i], track.bend[i], track.height[i], track.rival[i])
        if track.shake[i] > 0.03:
            dy, dx = (rng.standard_normal(2) * 7 * min(1.0, track.shake[i])).astype(int).tolist()
            picture = np.roll(picture, (dy, dx), (0, 1))
        if track.flash[i] > 0.03:
            picture = np.minimum(picture + np.uint16(170 * min(1, track.flash[i])), 235).astype(np.uint8)
        panel.put(picture, track.clock[i], track.glow[i])
        if cast.has_cam:
            camera.put(picture, body[i], rng)
        y, x = rng.integers(0, 16, 2)
        picture += grain[y : y + HEIGHT, x : x + WIDTH]
        yield picture


class Road:
    """A road or a path seen from behind, bending; own car or runner, and a rival ahead."""

    def __init__(self, rng: np.random.Generator, cast: Cast) -> None:
        depth, across = np.arange(_ROWS)[:, None], np.abs(np.arange(460)[None, :] - 230)
        half, (ground, road) = 3 + depth * rng.uniform(1.0, 1.7), rng.integers((50, 60), (120, 150))
        rough = (
            rng.integers(-22, 22, (_ROWS, 460))
            * (across < 1.6 * half)
            * (cast.game in ("rally", "adventure"))
        )
        phases = []
        for phase in (0, 1):
            land = np.where(across < half, road + 5 * phase, ground + 16 * phase) + rough
            land = np.where(np.abs(across - half) < 1 + depth / 14, 70 + 130 * phase, land)
            phases.append(np.where((across < 1 + depth / 30) & (phase == 0) & cast.is_race, 210, land))
        self.land = np.clip(phases, 10, 215).astype(np.uint8)
        self.sky = np.tile(_landscape(rng, _HORIZON, 640), (1, 2))
        self.own = _body(rng, 17, 28) if cast.is_race else _body(rng, 22, 11)
        self.rivals = [_body(rng, 3 + 2 * k, 5 + 3 * k) for k in range(7)] if cast.is_race else []
        self.near, self.far = 60 / (np.arange(_ROWS) + 2), (1 - np.arange(_ROWS) / _ROWS) ** 2
        self.rows, self.columns = np.arange(_ROWS)[:, None], np.arange(WIDTH)[None, :]

    def draw(self, way: float, heading: float, bend: float, height: float, rival: float) -> Picture:
        """The road after so much way."""
        picture = np.empty((HEIGHT, WIDTH), np.uint8)
        turn = int(heading * 6) % 640
        picture[:_HORIZON] = self.sky[:, turn : turn + WIDTH]
        stripe = ((self.near + way * 0.7) * 0.5 % 2).astype(int)[:, None]
        shift = np.clip(150 - bend * (70 * self.far + 9), 0, 299).astype(int)[:, None]
        picture[_HORIZON:] = self.land[stripe, self.rows, shift + self.columns]
        if self.rivals and rival > 0.5:
            size = int(np.clip(14 * (1 - rival), 0, 6))
            left = 82 + int(50 * bend * self.far[size * 4]) + 2 * size
            _paste(picture, self.rivals[size], _HORIZON + 1 + size * 4, left)
        _paste(picture, self.own, int(66 - 26 * height), int(66 + np.clip(14 * bend, -30, 30)))
        return picture


class Level:
    """A level seen from the side: blocks, coins, a runner who hops."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.length, self.back = 2400, np.tile(_landscape(rng, HEIGHT, 480), (1, 2))
        self.blocks, tone = np.zeros((HEIGHT, self.length + WIDTH), np.uint8), int(rng.integers(60, 185))
        self.blocks[74:] = tone + np.arange(self.length + WIDTH) // 8 % 2 * 14
        for at in np.cumsum(rng.integers(20, 70, 60)):
            wide, top = int(rng.integers(10, 40)), int(rng.integers(20, 60))
            self.blocks[top : top + 6, at : at + wide] = tone + int(rng.integers(-30, 30))
            self.blocks[top - 6 : top - 3, at : at + wide : 6] = 205
        self.blocks[:, self.length :] = self.blocks[:, :WIDTH]
        self.hero = _body(rng, 13, 9)

    def draw(self, way: float, heading: float, bend: float, height: float, rival: float) -> Picture:
        """The level after so much way."""
        del heading, rival
        at, behind = int(way * 7) % self.length, int(way * 1.6) % 480
        blocks = self.blocks[:, at : at + WIDTH]
        picture = np.where(blocks > 0, blocks, self.back[:, behind : behind + WIDTH])
        _paste(picture, self.hero, int(61 - 24 * height), int(62 + 5 * bend))
        return picture


class Panel:
    """The splits at one side and the clock; the row of a good split lights up."""

    def __init__(self, rng: np.random.Generator, cast: Cast) -> None:
        self.wide = int(rng.integers(22, 36)) if not cast.is_race or rng.random() < 0.3 else 0
        self.every_s, self.table = cast.lap_s, np.full((HEIGHT, self.wide), 18, np.uint8)
        for row in range(6, 66, 7):
            self.table[row : row + 3, 2 : int(rng.integers(10, 20))] = 120
        self.digits = (rng.random((10, 5, 3)) < 0.65).astype(np.uint8) * 200
        self.corner = (80, 2) if self.wide else (3, int(rng.integers(60, 120)))

    def put(self, picture: Picture, clock_s: float, glow: float) -> None:
        """Draw splits and clock."""
        if self.wide:
            picture[:, : self.wide] = self.table
            row = 4 + 7 * min(8, int(clock_s / self.every_s))
            picture[row : row + 7, : self.wide] += np.uint8(22 + 70 * glow)
        elif glow > 0:
            picture[12:20, 60:100] = np.uint8(60 + 150 * glow)
        y, x = self.corner
        for k, digit in enumerate(f"{int(clock_s * 10) % 100000:05d}"):
            picture[y : y + 5, x + 4 * k : x + 4 * k + 3] = self.digits[int(digit)]


class Camera:
    """The streamer's face in a corner: sways, speaks, jumps and throws up the hands when the voice is loud."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.high, self.wide = high, wide = int(rng.integers(22, 36)), int(rng.integers(28, 50))
        self.top, self.left = (int(rng.choice([0, free])) for free in (HEIGHT - high, WIDTH - wide))
        y, x = np.mgrid[: high + 2 * _MARGIN, : wide + 2 * _MARGIN]
        y, x = y - high / 2 - _MARGIN, x - wide / 2 - _MARGIN
        wall = rng.integers(20, 90) + 25 * ((x // 11 + y // 17) % 2)
        head = (y / (high * 0.32)) ** 2 + (x / (high * 0.25)) ** 2 < 1
        chest = (y / high - 0.75) ** 2 / 0.2 + (x / (wide * 0.42)) ** 2 < 1
        hands = (np.abs(np.abs(x) - wide * 0.36) < 3) & (np.abs(y) < high * 0.3)
        skin, cloth = int(rng.integers(90, 200)), int(rng.integers(20, 160))
        self.faces, self.lean = [], np.zeros(2)
        for gape in range(4):
            face = np.where(head | (hands & (gape == 3)), skin, np.where(chest, cloth, wall))
            mouth = (np.abs(y - high * 0.15) < 0.5 + gape) & (np.abs(x) < 3)
            self.faces.append(np.where(mouth, 30, face).astype(np.uint8))

    def put(self, picture: Picture, body: float, rng: np.random.Generator) -> None:
        """Draw the face, moved by how loud the voice is."""
        self.lean = self.lean * 0.8 + rng.standard_normal(2) * (0.25 + 1.1 * min(body, 3.0))
        dy, dx = (_MARGIN + np.clip(self.lean, -_MARGIN, _MARGIN)).astype(int).tolist()
        face = self.faces[int(np.searchsorted((0.1, 0.7, 1.6), body))]
        _paste(picture, face[dy : dy + self.high, dx : dx + self.wide], self.top, self.left)


def _landscape(rng: np.random.Generator, high: int, wide: int) -> Picture:
    """Sky over hills or houses; its ends meet."""
    waves = np.array([[1], [2], [3], [5], [8], [13]]) * np.arange(wide) * (2 * np.pi / wide)
    ridge = rng.normal(0, 0.06, 6) @ np.sin(waves + rng.uniform(0, 6, (6, 1)))
    ridge += np.repeat(rng.uniform(-0.15, 0.15, wide // 10), 10) * (rng.random() < 0.5)
    y = np.arange(high)[:, None] / high
    sky = rng.integers(60, 200) - rng.uniform(-40, 40) * y
    hill = rng.integers(25, 110) + 20 * (np.arange(wide) // 7 % 2)
    return np.asarray(np.clip(np.where(y > 0.6 + ridge, hill, sky), 6, 215).astype(np.uint8))


def _screen(rng: np.random.Generator, mode: int) -> Picture:
    """A menu, a table of results, or a loading screen."""
    picture = np.full((HEIGHT, WIDTH), int(rng.integers(6, 30 if mode == LOAD else 120)), np.uint8)
    for row in range(14, 40 if mode == LOAD else 84, 12 if mode == MENU else 8):
        picture[row : row + 5, 42 : 42 + int(rng.integers(25, 75))] = int(rng.integers(130, 200))
        picture[row : row + 5, 125:140] = 150
    return picture


def _body(rng: np.random.Generator, high: int, wide: int) -> Picture:
    """A car or a figure: a bright roof, dark below; 0 lets through what is behind."""
    y, x = np.mgrid[:high, :wide]
    inside = np.abs(x - wide / 2 + 0.5) / (wide / 2) < 0.6 + 0.4 * (y / high) ** 0.7
    shape = np.where(y > high * 0.75, 15, rng.integers(40, 190) + 25 * (y < high / 3))
    return np.asarray((shape * inside).astype(np.uint8))


def _paste(picture: Picture, body: Picture, top: int, left: int) -> None:
    """Lay a body over the picture where it fits."""
    top, left = min(max(top, 0), HEIGHT - body.shape[0]), min(max(left, 0), WIDTH - body.shape[1])
    np.copyto(picture[top : top + body.shape[0], left : left + body.shape[1]], body, where=body > 0)
