"""The pictures of e_street: a scene through a camera that stands or is carried, a speaker or hands, passers-by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.e_street.parts import Floats, Rng
from tests.sketches.sketch import HEIGHT, WIDTH

Picture = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int_]

SHOWN = ("shake", "move", "pan", "cuts", "flash", "overlay", "freeze", "zoom")
_NUM_SCENES = 4
_TILE_PX = 27  # of 6 x 16 in a scene


class _Body(NamedTuple):
    """A speaker or a hand: an ellipse, and where its corner is in each picture, shape (pictures, 2)."""

    shade: Floats
    mask: npt.NDArray[np.bool_]
    places: Places

    def draw(self, view: Floats, now: int) -> None:
        (high, wide), (y, x) = self.mask.shape, self.places[now]
        part = view[y : y + high, x : x + wide]
        np.copyto(part, self.shade, where=self.mask, casting="same_kind")

    def draw_mouth(self, view: Floats, now: int, open_px: int) -> None:
        (high, wide), (y, x) = self.mask.shape, self.places[now]
        mouth = view[y + high * 2 // 3 : y + high - 2, x + wide // 3 : x + wide * 2 // 3]
        mouth[:open_px] = 20


def draw_pictures(seed: int, shown: Mapping[str, Floats], camera: float, loud: Floats) -> Iterator[Picture]:
    """Luma pictures, uint8, shape (90, 160), ten a second, the same at each call.

    Args:
        shown: how strongly each of `SHOWN` shows, a value for each picture.
        camera: 0 stands on a tripod, 1 is carried.
        loud: mean magnitude of the microphone under each picture.
    """
    rng, num = np.random.default_rng([seed, 9]), len(loud)
    scenes = [_draw_scene(rng) for _ in range(_NUM_SCENES)]
    tremble = camera * rng.uniform(0.3, 2) + 5 * shown["shake"]
    xs, ys = _move_camera(rng, shown["pan"], camera, tremble)
    bodies = [_draw_body(rng, shown["move"], loud, is_first=body == 0) for body in range(rng.integers(1, 4))]
    grain = rng.normal(0, rng.uniform(0.5, 5), (8, HEIGHT, WIDTH)).astype(np.float32)
    light = 1 + 0.12 * np.sin(np.cumsum(rng.normal(0, 0.05, num))) * rng.uniform(0, 1)
    light += 0.5 * np.minimum(shown["flash"], 1.5) * (rng.random(num) < 0.4)
    speeds_px, starts_px = rng.uniform(1, 7, 3) * rng.choice([-1, 1], 3), rng.uniform(0, 900, 3)
    shots = np.where(shown["cuts"] > 0, np.arange(num) // int(rng.integers(6, 20)) % _NUM_SCENES, 0)
    stirs = rng.random(num) < 0.1 / rng.uniform(3, 30)
    view: Floats = grain[0]
    for now in range(num):
        if stirs[now]:
            y, x = rng.integers((35, 130), (120, 290))
            scenes[0][y : y + rng.integers(4, 24), x : x + rng.integers(4, 24)] = rng.uniform(20, 230)
        if shown["freeze"][now] == 0 or now == 0:
            scene = scenes[shots[now]]
            view = scene[ys[now] : ys[now] + HEIGHT, xs[now] : xs[now] + WIDTH] + grain[now % 8]
            if tremble[now] > 2:
                view[:, 1:-1] = (view[:, :-2] + view[:, 1:-1] + view[:, 2:]) / 3
            for passer in range(3 if camera > 0.5 else 0):
                x = int((speeds_px[passer] * now + starts_px[passer]) % 900)
                view[30 + 4 * passer : 80, x : x + 14] = 35 + 50 * passer
            for body in bodies:
                body.draw(view, now)
            bodies[0].draw_mouth(view, now, int(loud[now] * 90))
            if shown["overlay"][now] > 0:
                view[4:20, 35:125] = 230 - 20 * (now // 3 % 3)
            if shown["zoom"][now] > 0.05:
                view = _zoom(view, 1 / (1 + 0.7 * min(shown["zoom"][now], 1.5)))
        yield np.clip(view * light[now], 0, 255).astype(np.uint8)


def _draw_scene(rng: Rng) -> Floats:
    """Soft ground with hard-edged things on it; shape (162, 432)."""
    scene: Floats = np.kron(rng.uniform(60, 180, (6, 16)), np.ones((_TILE_PX, _TILE_PX))).astype(np.float32)
    for axis in (0, 1) * 3:
        scene = np.mean([np.roll(scene, step, axis) for step in range(-9, 10)], axis=0)
    for y, x in zip(rng.integers(0, 140, 30), rng.integers(0, 410, 30), strict=True):
        thing = scene[y : y + rng.integers(4, 60), x : x + rng.integers(4, 50)]
        thing[:] = rng.uniform(10, 245) + np.linspace(0, rng.normal(0, 25), thing.shape[1])
    return (scene + np.roll(scene, 1, 1)) / 2


def _move_camera(rng: Rng, pan: Floats, camera: float, tremble: Floats) -> tuple[Places, Places]:
    """Left and top of the view within its scene, for each picture."""
    num = len(pan)
    jolt = rng.normal(size=(num, 2)) * tremble[:, None]
    walk = camera * 70 * np.sin(np.cumsum(rng.normal(0, 0.06, num)))
    walk = walk + 60 * np.sin(np.cumsum(0.06 * pan))
    xs = np.clip(136 + walk + jolt[:, 0], 0, 271).astype(int)
    ys = np.clip(35 + camera * 3 * np.sin(1.2 * np.arange(num)) + jolt[:, 1], 0, 71).astype(int)
    return xs, ys


def _draw_body(rng: Rng, move: Floats, loud: Floats, *, is_first: bool) -> _Body:
    """Who speaks is larger, mostly; all stir with the voice and with what is moved."""
    num = len(loud)
    high, wide = (int(size) for size in rng.integers((18, 16), (64, 50) if is_first else (30, 34)))
    radius = np.hypot(*np.meshgrid(np.linspace(-1, 1, wide), np.linspace(-1, 1, high)))
    shade, room = rng.uniform(70, 220) - 50 * radius, (HEIGHT - high, WIDTH - wide)
    stir = 1.5 * loud / (loud.mean() + 1e-6) * rng.uniform(0, 1)
    stir = stir + 7 * move * rng.uniform(0.4, 1.6)
    sway = rng.uniform(1, 9) * np.sin(np.cumsum(rng.normal(0, 0.2, (num, 2)), axis=0))
    places = rng.uniform(0, 1, 2) * room + sway + stir[:, None] * rng.normal(size=(num, 2))
    return _Body(shade, radius < 1.02, np.clip(places, 0, room).astype(int))


def _zoom(view: Floats, share: float) -> Floats:
    rows = np.arange(HEIGHT) * share
    columns = WIDTH * (1 - share) / 2 + np.arange(WIDTH) * share
    return np.asarray(view[rows.astype(int)][:, columns.astype(int)])
