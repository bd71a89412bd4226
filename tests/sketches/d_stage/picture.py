"""The pictures of d_stage: a game seen by a moving camera, a face, and what the beats flash, cut and show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tests.sketches.d_stage.beats import Beat
from tests.sketches.d_stage.parts import Floats, Line, Rng, World
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, WIDTH

Picture = npt.NDArray[np.uint8]
Plan = dict[str, Floats]  # how strongly each of these shows, a value for each picture

_SHOWN = "flash shake dark banner heart rush sway lean mouth cuts jolt".split()
LENGTHS_S = {"flash": 0.5, "shake": 1.2, "jolt": 0.8}  # the others last for their phase
_CUTS = {"cuts": 0.06, "jolt": 0.2}  # how likely a picture of theirs is a new scene
_PAPERS = (("banner", (34, 24, 16, 112)), ("heart", (6, 58, 20, 40)))  # top, left, height, width
_NUM_SCENES = 7
_SCENE_HIGH, _SCENE_WIDE = 270, 450
_LAST = [[336], [556]]  # where the camera turns back, twice as far as a scene reaches
_MARGIN = 8  # how far a face moves within its window


def draw_pictures(world: World, beats: Sequence[Beat], lines: Sequence[Line], seed: int) -> Iterator[Picture]:
    """Luma pictures, uint8, shape (90, 160), ten a second, the same at each call."""
    rng = np.random.default_rng((seed, 7))
    plan, cuts = _draw_plan(world, beats, lines, rng)
    num = len(cuts)
    scenes = [_draw_scene(world.darkness, rng) for _ in range(_NUM_SCENES)]
    heading = np.cumsum(rng.normal(0, 0.25, num))
    grain = rng.integers(0, 5, (8, HEIGHT, WIDTH), np.uint8)
    camera = _move_camera(world.camera_px, heading, plan, rng)
    face = _Face(plan, rng, is_large=world.camera_px < 0.1)
    scene = np.cumsum(cuts) % _NUM_SCENES
    for now in range(num):
        y, x = camera[:, now].astype(int)
        light = (np.arange(256) - 60) * (1 - 0.6 * min(plan["dark"][now], 1.2)) + 60 + 90 * plan["flash"][now]
        view = scenes[scene[now]][y : y + HEIGHT, x : x + WIDTH]
        picture: Picture = np.clip(light, 0, 250).astype(np.uint8)[view]
        for name, (top, left, high, wide) in _PAPERS:
            if plan[name][now]:
                picture[top : top + high, left : left + wide] = 60 + 75 * min(plan[name][now], 2)
                picture[top + 4 : top + high - 4 : 2, left + 4 : left + wide - 4] = 20
        face.draw(picture, now)
        yield picture + grain[now % 8]


def _draw_plan(
    world: World, beats: Sequence[Beat], lines: Sequence[Line], rng: Rng
) -> tuple[Plan, npt.NDArray[np.bool_]]:
    """What shows when, and which pictures start a scene."""
    num = round(FRAMES_PER_S * world.duration_s)
    plan: Plan = {name: np.zeros(num) for name in _SHOWN}
    cuts = rng.random(num) < world.cuts_hz / FRAMES_PER_S
    for beat in beats:
        for cue in beat.cues("picture", rng):
            end_s = cue.at_s + LENGTHS_S.get(cue.name, cue.length_s)
            part = slice(int(cue.at_s * FRAMES_PER_S), int(end_s * FRAMES_PER_S) + 1)
            plan[cue.name][part] = np.maximum(plan[cue.name][part], cue.strength)
            cuts[part] |= rng.random(len(cuts[part])) < _CUTS.get(cue.name, 0) * cue.strength
    for line in lines:
        part = slice(int(line.start_s * FRAMES_PER_S), int(line.end_s * FRAMES_PER_S) + 1)
        plan["mouth"][part] = 1 + max(line.arousal, 0)
    return plan, cuts


def _draw_scene(darkness: float, rng: Rng) -> Picture:
    """Coarse and fine tiles, a little out of focus; shape (270, 450)."""
    tiles = sum(
        np.kron(rng.normal(0, size, (_SCENE_HIGH // size, _SCENE_WIDE // size)), np.ones((size, size)))
        for size in (5, 15, 45)
    )
    mean = 120 - 80 * darkness + 0.4 * sum(np.roll(tiles, step, (0, 1)) for step in (-2, 0, 2))
    return np.clip(mean, 8, 240).astype(np.uint8)


def _move_camera(base_px: float, heading: Floats, plan: Plan, rng: Rng) -> Floats:
    """Top and left of each view, shape (2, pictures); it turns back at a scene's edges."""
    num = len(heading)
    speed_px = base_px * (1 + 2.5 * plan["rush"]) * np.repeat(rng.gamma(2, 0.5, num // 40 + 1), 40)[:num]
    way = np.cumsum(speed_px * np.stack([0.6 * np.sin(heading), np.cos(heading)]), axis=1) % _LAST
    return np.minimum(way, _LAST - way) + rng.uniform(0, 6, (2, num)) * np.minimum(plan["shake"], 2)


class _Face:
    """The streamer's camera: a head in a window that stirs, leans in and opens its mouth; some have none."""

    def __init__(self, plan: Plan, rng: Rng, *, is_large: bool) -> None:
        num, self.mouth = len(plan["mouth"]), plan["mouth"]
        self.is_shown = rng.random() < 0.85 or is_large
        wander = np.cumsum(rng.normal(0, 0.25, (2, num)), axis=1)
        if is_large:
            self.high, self.wide, self.top, self.left = 70, 84, 12, 38
        else:
            self.high, self.wide = int(rng.integers(20, 32)), int(rng.integers(24, 40))
            self.top = int(rng.choice([4, HEIGHT - self.high - 4]))
            self.left = int(rng.choice([4, WIDTH - self.wide - 4]))
        y, x = np.mgrid[-_MARGIN : self.high + _MARGIN, -_MARGIN : self.wide + _MARGIN]
        across, down = (x - self.wide / 2) / (self.wide * 0.24), (y - self.high * 0.52) / (self.high * 0.38)
        skin, wall = rng.integers(110, 210), rng.integers(25, 90) + (y + x) % 9
        self.picture = np.where(down**2 + across**2 < 1, skin, wall).astype(np.uint8)
        stir = np.clip(wander % 8 - 4, -3, 3) * (1 + 0.2 * plan["mouth"])
        stir = stir + rng.normal(0, 2.2, (2, num)) * plan["sway"]
        moved = np.clip(np.rint(stir + 4 * plan["lean"]), -_MARGIN, _MARGIN)
        self.shift = moved.astype(int) + _MARGIN

    def draw(self, picture: Picture, now: int) -> None:
        """Put it into a picture, where it is shown at all."""
        if not self.is_shown:
            return
        down, across = self.shift[:, now]
        window = self.picture[down : down + self.high, across : across + self.wide]
        picture[self.top : self.top + self.high, self.left : self.left + self.wide] = window
        y = self.top + int(self.high * 0.7) + _MARGIN - down
        x = self.left + self.wide // 2 + _MARGIN - across
        open_px = int(self.mouth[now] * self.high * (0.04 + 0.04 * (now % 3)))
        picture[y : y + open_px, x - 3 : x + 3] = 20
