"""What is to be seen: a game or a room, the streamer's camera, alerts, and the screens of adverts, films and pauses.

Pictures are yuv420p planes of shape (HEIGHT * 3 // 2, WIDTH), uint8, ten a second. A streamer who is loud moves more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.streams.scenes import Cue
from tests.streams.script import ACTION_HZ, Script

WIDTH, HEIGHT, FRAMES_PER_S = 320, 180, 10


def _texture(rng: np.random.Generator, height: int, width: int, grain: int, contrast: float) -> np.ndarray:
    """Blocks and slopes, as of a landscape seen from afar; uint8."""
    coarse = rng.normal(0, 1, (height // grain + 2, width // grain + 2))
    fine = rng.normal(0, 0.4, (height // 6 + 2, width // 6 + 2))
    out = (
        np.kron(coarse, np.ones((grain, grain)))[:height, :width]
        + np.kron(fine, np.ones((6, 6)))[:height, :width]
    )
    return np.clip(110 + 32 * contrast * out, 16, 235).astype(np.uint8)


def _head(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A head with hair and eyes, and where it covers what is behind."""
    y, x = np.mgrid[0 : int(size * 1.3), 0:size]
    dx, dy = (x - size / 2) / (size / 2), (y - size * 0.65) / (size * 0.65)
    face = np.full(y.shape, 165, dtype=np.uint8)
    face[dy < -0.45] = 60
    for side in (-0.35, 0.35):
        face[(dx - side) ** 2 * 6 + (dy + 0.1) ** 2 * 14 < 0.12] = 35
    return face, dx**2 + dy**2 < 1


def _inside(cues: list[Cue], at_s: float) -> Cue | None:
    return next((cue for cue in cues if cue.start_s <= at_s < cue.end_s), None)


class Camera:
    """The streamer's head before a wall; moves with the voice and by what the script says."""

    def __init__(self, script: Script, loudness: np.ndarray, rng: np.random.Generator) -> None:
        self.loudness = loudness
        self.looks = [cue for cue in script.looks if cue.name in ("jump", "lean", "slump", "shake", "away")]
        self.rng = rng
        self.height, self.width = (HEIGHT, WIDTH) if script.streamer.cam == "full" else (60, 80)
        self.wall = _texture(rng, HEIGHT * 2, WIDTH * 2, 45, 0.6)
        self.head, self.mask = _head(self.height * 2 // 5)
        self.is_held = script.streamer.genre == "irl"
        self.sway = np.zeros(2)
        self.walk = np.zeros(2)

    def _moved(self, index: int) -> tuple[float, float]:
        """Where the head is off its place, in heads."""
        at_s, loud = index / FRAMES_PER_S, float(self.loudness[index])
        self.sway = 0.9 * self.sway + self.rng.normal(0, 0.02 + 0.1 * loud, 2)
        x, y = self.sway
        for cue in self.looks:
            if cue.start_s <= at_s < cue.end_s:
                part = (at_s - cue.start_s) / (cue.end_s - cue.start_s)
                if cue.name == "jump":
                    y -= 0.5 * cue.strength * abs(np.sin(7 * at_s)) * (1 - part)
                elif cue.name == "lean":
                    y += 0.15 * np.sin(26 * at_s) * cue.strength
                    x += 0.4 * np.sin(np.pi * part) * cue.strength
                elif cue.name == "slump":
                    y += 0.5 * np.sin(np.pi * part)
                elif cue.name == "shake":
                    x += 0.25 * np.sin(17 * at_s) * cue.strength
                else:
                    x += 1.0
        return float(x), float(y)

    def draw(self, luma: np.ndarray, index: int) -> None:
        """Paint the camera's picture into a view of its size."""
        x, y = self._moved(index)
        if self.is_held:
            self.walk = np.clip(
                self.walk + self.rng.normal(0, 2.5, 2) + (1.2, 0), 0, (WIDTH - 1, HEIGHT - 1)
            ) % (WIDTH, HEIGHT)
        left, top = int(self.walk[0]), int(self.walk[1])
        luma[:] = self.wall[top : top + self.height, left : left + self.width]
        size = self.head.shape[1]
        row = int(self.height * 0.3 + y * size)
        column = int(self.width * 0.5 - size / 2 + x * size)
        shoulders = max(0, min(self.height, row + int(size * 1.15)))
        luma[shoulders:, max(0, column - size // 2) : max(0, column + size * 3 // 2)] = 80
        rows = slice(max(0, row), min(self.height, row + len(self.head)))
        columns = slice(max(0, column), min(self.width, column + size))
        if rows.stop > rows.start and columns.stop > columns.start:
            part = np.s_[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column]
            np.copyto(luma[rows, columns], self.head[part], where=self.mask[part])
            mouth = int(row + size * 0.95)
            opened = 1 + int(min(1.0, float(self.loudness[index])) * size * 0.18)
            luma[
                max(0, mouth) : max(0, mouth + opened),
                max(0, column + size // 3) : max(0, column + size * 2 // 3),
            ] = 40


def _screen(mode: str, texture: np.ndarray, index: int, since_s: float) -> np.ndarray:
    """The whole picture of an advert, a film, a menu or a pause: cuts every second or two, or hardly a change."""
    if mode == "advert":
        shot = int(since_s / 1.6 + 0.8 * np.sin(since_s))
        top, left = (shot * 53) % HEIGHT, (shot * 211 + int(20 * since_s)) % (2 * WIDTH)
        return np.clip(
            texture[top : top + HEIGHT, left : left + WIDTH].astype(np.int16) + (shot % 3 - 1) * 50, 16, 235
        )
    if mode == "cutscene":
        shot = int(since_s / 4.5)
        out = texture[(shot * 31) % HEIGHT :, (shot * 97 + int(6 * since_s)) % WIDTH :][
            :HEIGHT, :WIDTH
        ].copy()
        out[:22], out[-22:] = 16, 16
        return out
    out = np.full((HEIGHT, WIDTH), 40 if mode == "pause" else 70, dtype=np.uint8)
    for row in range(3):
        out[40 + 40 * row : 62 + 40 * row, 30:150] = 120 + 20 * row
    turn = index % 40
    out[60:120, 200 + turn // 4 : 260 + turn // 4] = 170
    return out


def frames(script: Script, mic: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Every picture of the stream in turn; `mic` is the microphone's track, which moves the mouth."""
    rng = np.random.default_rng([seed, 4])
    num = round(script.duration_s * FRAMES_PER_S)
    block = len(mic) // num
    level = 20 * np.log10(np.sqrt(np.mean(mic[: num * block].reshape(num, block) ** 2, axis=1)) + 1e-5)
    low, high = np.percentile(level, (10, 97))
    camera = Camera(script, np.clip((level - low) / max(6.0, high - low), 0, 1.5), rng)
    texture = _texture(rng, HEIGHT * 2, WIDTH * 4, 24, 1.0)
    flashes = [cue for cue in script.looks if cue.name == "flash"]
    popups = [cue for cue in script.looks if cue.name in ("popup", "banner")]
    colour = rng.integers(108, 148, 2)
    pan, speed = np.zeros(2), np.zeros(2)
    picture = np.empty((HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)
    for index in range(num):
        at_s = index / FRAMES_PER_S
        luma = picture[:HEIGHT]
        picture[HEIGHT : HEIGHT * 5 // 4], picture[HEIGHT * 5 // 4 :] = colour
        mode = _inside(script.modes, at_s)
        busy = float(script.action[min(len(script.action) - 1, int(at_s * ACTION_HZ))])
        if mode is not None:
            luma[:] = _screen(mode.name, texture, index, at_s - mode.start_s)
        elif script.streamer.is_game:
            speed = 0.85 * speed + rng.normal(0, 0.5 + 6 * busy, 2) * (1, 0.4)
            pan = (pan + speed + (3 * busy, 0)) % (3 * WIDTH, HEIGHT)
            luma[:] = texture[int(pan[1]) : int(pan[1]) + HEIGHT, int(pan[0]) : int(pan[0]) + WIDTH]
            for _ in range(rng.poisson(2 * busy)):
                row, column = int(rng.integers(20, 150)), int(rng.integers(20, 280))
                luma[row : row + 12, column : column + 16] = int(rng.integers(16, 235))
            luma[168:174, 10 : 10 + int(60 + 40 * np.sin(at_s / 7))] = 220
        else:
            camera.draw(luma, index)
        if script.streamer.cam == "corner" and (mode is None or mode.name in ("cutscene", "lobby")):
            camera.draw(luma[:60, WIDTH - 80 :], index)
        if (flash := _inside(flashes, at_s)) is not None:
            luma[:] = np.minimum(235, luma.astype(np.int16) + int(90 * flash.strength))
        if _inside(popups, at_s) is not None:
            luma[8:36, 100:220], luma[14:30, 108:132] = 200, 60
        yield picture
