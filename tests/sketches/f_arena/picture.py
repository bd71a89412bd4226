"""The pictures of f_arena: a game's places with foes, boards, adverts, alerts, and the streamer's camera."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.f_arena.parts import Floats, Rng
from tests.sketches.sketch import HEIGHT, WIDTH, Sound

Picture = npt.NDArray[np.uint8]
Art = npt.NDArray[np.int16]

SHOWN = ("busy", "face", "heat", "pace", "flash", "shake", "scene", "overlay", "letterbox")
BOARD, ADVERT = (
    3,
    6,
)  # scenes from 0 to 2 are the game's places, 3 to 5 boards, from 6 to 8 pictures of adverts
_NUM_SCENES = 9
_ART_HIGH, _ART_WIDE = 180, 320


class Camera(NamedTuple):
    """How a genre's camera moves: pixels down and across for each picture, and the share of flicks."""

    down_px: float
    across_px: float
    flicks: float


def draw_pictures(shown: Mapping[str, Sound], camera: Camera, seed: int) -> Iterator[Picture]:
    """Luma pictures, uint8, shape (90, 160), ten a second, the same at each call.

    Args:
        shown: how strongly each of `SHOWN` shows, a value for each picture; `scene` is a number.
    """
    rng, num, pace = np.random.default_rng([seed, 2]), len(shown["pace"]), 0.25 + shown["pace"]
    arts = [_draw_art(rng, is_board=BOARD <= scene < ADVERT) for scene in range(_NUM_SCENES)]
    pan_px = np.array([[camera.down_px], [camera.across_px]])
    steps = (
        rng.normal(0, 0.8, (2, num))
        + pan_px
        + rng.normal(0, 45, (2, num)) * (rng.random(num) < camera.flicks)
    )
    shake = 7 * shown["shake"] * rng.normal(size=(2, num))
    views = (np.cumsum(steps * pace, axis=1) + shake).astype(int)
    ways = np.cumsum(rng.normal(0, 2, (4, 2, num)) * pace, axis=2)
    foes = (ways + rng.uniform(0, 99, (4, 2, 1))).astype(int)
    grain = rng.normal(0, rng.uniform(0.3, 3), (7, HEIGHT, WIDTH)).astype(np.int16)
    has_face, sway = rng.random() < 0.7, np.cumsum(rng.normal(0, 0.4, num)) % 6
    for now in range(num):
        scene = int(shown["scene"][now])
        down, across = views[:, now] if scene < BOARD else (0, now // 4 * (scene >= ADVERT))
        art = arts[scene][down % _ART_HIGH :, across % _ART_WIDE :]
        picture = art[:HEIGHT, :WIDTH] + grain[now % 7]
        if scene < BOARD:
            _draw_game(picture, foes[:, :, now], is_hot=shown["heat"][now] > 0.5)
        if shown["overlay"][now]:
            picture[16:42, 45:115] = 225 - 60 * (now // 3 % 2)
        picture[: int(11 * shown["letterbox"][now])] = 0
        if has_face and scene < ADVERT:
            _draw_face(picture, now, sway[now], shown["face"][now])
        yield np.clip(picture + int(130 * shown["flash"][now]), 0, 255).astype(np.uint8)


def _draw_art(rng: Rng, *, is_board: bool) -> Art:
    """Tiles of three sizes, or the bars of a board; shape (270, 480), of which the rest repeats the start."""
    tiles: Floats = np.sum(
        [
            np.kron(rng.normal(size=(_ART_HIGH // size, _ART_WIDE // size)), np.ones((size, size)))
            for size in (4, 10, 20)
        ],
        axis=0,
    )
    if is_board:
        tiles = np.kron(rng.normal(size=(18, 4)), np.ones((10, 80)))
    art = rng.uniform(60, 150) + rng.uniform(12, 30) * tiles
    return np.pad(art, ((0, HEIGHT), (0, WIDTH)), mode="wrap").astype(np.int16)


def _draw_game(picture: Art, foes: npt.NDArray[np.int_], *, is_hot: bool) -> None:
    for y, x in foes:
        picture[y % 80 :, x % 150 :][:10, :6] = 25
    picture[4:20, 4:28] //= 2  # the map
    if is_hot:
        picture[6:9, 116:156] = 210


def _draw_face(picture: Art, now: int, sway: float, lively: float) -> None:
    top, left = int(66 + sway / 2 - 5 * lively * (now % 2)), int(sway)
    mouth = int(4 * lively * (now % 3 > 0))
    picture[58:89, 2:40] = 70
    picture[top : top + 18, 12 + left :][:, :15] = 165
    picture[top + 11 : top + 11 + mouth, 17 + left :][:, :5] = 40
