"""What the stream shows: the game's screens by phase, avatars, a face in the corner, names that light up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.k_voices.plan import Plan
from tests.sketches.k_voices.script import Cast
from tests.sketches.k_voices.truth import KILL_SEEN, LOOK_S
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, WIDTH

Picture = npt.NDArray[np.uint8]
Track = npt.NDArray[np.float32]


def _smooth(shape: tuple[int, int], size: int, rng: np.random.Generator) -> Track:
    """Soft noise from 0 to 1, blobs of about size pixels."""
    rows, cols = shape[0] // size + 2, shape[1] // size + 2
    coarse = rng.random((rows, cols))
    y, x = np.arange(shape[0]) / size, np.arange(shape[1]) / size
    tall = np.stack([np.interp(y, np.arange(rows), column) for column in coarse.T], axis=1)
    return np.stack([np.interp(x, np.arange(cols), row) for row in tall]).astype(np.float32)


class _Art:
    """The prepared parts of one streamer's pictures."""

    def __init__(self, cast: Cast, rng: np.random.Generator) -> None:
        base = float(rng.uniform(40, 110))
        world = base + 70 * (_smooth((180, 640), 14, rng) - 0.5) + 30 * (_smooth((180, 640), 4, rng) - 0.5)
        for _ in range(40):  # walls and furniture
            y, x = int(rng.integers(0, 150)), int(rng.integers(0, 580))
            world[y : y + rng.integers(4, 30), x : x + rng.integers(4, 50)] = base + rng.uniform(-50, 80)
        self.world = world.clip(0, 255).astype(np.uint8)
        lobby = 60 + 60 * _smooth((HEIGHT, WIDTH), 30, rng)
        lobby[62:] = rng.uniform(60, 120)
        self.screens = {"lobby": lobby.astype(np.uint8)}
        self.screens["loading"] = np.full((HEIGHT, WIDTH), int(rng.integers(8, 35)), np.uint8)
        self.screens["result"] = np.tile(np.linspace(30, 160, WIDTH).astype(np.uint8), (HEIGHT, 1))
        table = np.full((HEIGHT, WIDTH), int(rng.integers(90, 160)), np.uint8)
        self.tiles = [(8 + 19 * (i // 2), 10 + 72 * (i % 2)) for i in range(cast.num_friends + 1)]
        for y, x in self.tiles:
            table[y : y + 15, x : x + 64] = 190
            table[y + 3 : y + 12, x + 3 : x + 13] = int(rng.integers(30, 150))
        self.screens["meeting"] = table
        self.screens["kill"] = np.full((HEIGHT, WIDTH), 12, np.uint8)
        self.screens["kill"][20:70, 30:60] = 200
        self.screens["kill"][28:70, 95:125] = 130
        self.bodies = []
        for _ in range(cast.num_friends + 1):
            body = np.full((11, 8), int(rng.integers(60, 240)), np.uint8)
            body[2:5, 3:7] = 235
            body[9:, 3:5] = 20
            self.bodies.append(body)
        self.room = (50 + 40 * _smooth((26, 34), 9, rng)).astype(np.uint8)
        grid_y, grid_x = np.mgrid[-9:9, -7:7]
        self.head_mask = (grid_y / 9) ** 2 + (grid_x / 7) ** 2 < 1
        self.head = np.full((18, 14), int(rng.integers(130, 210)), np.uint8)
        self.head[6:8, 3:5] = self.head[6:8, 9:11] = 40
        self.grain = rng.integers(0, 6, (8, HEIGHT, WIDTH)).astype(np.uint8)
        self.has_cam, self.has_names, self.fog = (rng.random(3) < (0.7, 0.6, 0.5)).tolist()
        self.cam_at = (0 if rng.random() < 0.5 else HEIGHT - 26, 0 if rng.random() < 0.5 else WIDTH - 34)
        y, x = np.mgrid[-45:45, -80:80]
        self.sight = (np.hypot(y, x * 0.8) < 34).astype(np.uint8)
        self.speed = float(rng.uniform(1.0, 5.0))


def _efforts(cast: Cast, plan: Plan, num: int) -> Track:
    """How hard each mouth works in each frame, 0 when silent."""
    efforts = np.zeros((len(cast.voices), num), np.float32)
    for line in plan.lines:
        first, last = (int(t * FRAMES_PER_S) for t in (line.at_s, line.at_s + line.length_s))
        efforts[line.who, first : last + 1] = line.effort + 0.25 * (line.how == "laugh")
    return efforts


def _looks(plan: Plan, num: int) -> dict[str, Track]:
    """For each look its strength in each frame, falling to 0 over its time."""
    tracks = {name: np.zeros(num, np.float32) for name in LOOK_S}
    for cue in plan.cues["look"]:
        length = max(2, int(LOOK_S[cue.name] * FRAMES_PER_S))
        first = max(0, int(cue.at_s * FRAMES_PER_S))
        track = tracks[cue.name][first : first + length]
        np.maximum(track, cue.strength * np.linspace(1, 0.2, length)[: len(track)], out=track)
    return tracks


class _Show:
    """Draws frame by frame what the plan has."""

    def __init__(self, cast: Cast, plan: Plan, seed: int, num: int) -> None:
        rng = np.random.default_rng([seed, 5])
        self.art = _Art(cast, rng)
        self.efforts, self.looks = _efforts(cast, plan, num), _looks(plan, num)
        self.phases = ["lobby"] * num
        self.progress = np.zeros(num, np.float32)
        for start, end, phase in plan.phases:
            first, last = int(start * FRAMES_PER_S), min(num, int(end * FRAMES_PER_S) + 1)
            self.phases[first:last] = [phase] * (last - first)
            self.progress[first:last] = np.linspace(0, 1, last - first)
        # The walk: legs of a second or two in some direction, with stops.
        legs = rng.normal(0, 1, (2, num // 15 + 2)) * (rng.random(num // 15 + 2) < 0.7)
        steps = np.repeat(legs, 15, axis=1)[:, :num] * self.art.speed * (1 + 2.5 * self.looks["swarm"])
        self.walk = np.cumsum(steps, axis=1).astype(int)
        self.spots = rng.random((cast.num_friends + 1, 2))
        self.wander = np.cumsum(rng.normal(0, 1.2, (cast.num_friends + 1, 2, num)), axis=2)
        self.sway = np.cumsum(rng.normal(0, 0.5, num))

    def _play(self, k: int) -> Picture:
        y = abs(int(self.walk[0, k] // 2) % 180 - 90)
        x = abs(int(self.walk[1, k]) % 960 - 480)
        picture = self.art.world[y : y + HEIGHT, x : x + WIDTH].copy()
        busy = 1 + 4 * float(self.looks["swarm"][k])
        for body, spot, drift in zip(self.art.bodies, self.spots, self.wander[:, :, k] * busy, strict=True):
            top = int(spot[0] * 79 + drift[0]) % (HEIGHT - 11)
            left = int(spot[1] * 152 + drift[1] - x * 0.5) % (WIDTH - 8)
            picture[top : top + 11, left : left + 8] = body
        return picture * self.art.sight if self.art.fog and busy < 1.5 else picture

    def _still(self, k: int, phase: str) -> Picture:
        picture = self.art.screens[phase].copy()
        if phase == "loading":
            picture[70:74, 20 : 20 + int(120 * self.progress[k])] = 180
        elif phase == "meeting":
            for i, (y, x) in enumerate(self.art.tiles):
                if self.efforts[i, k] > 0:
                    picture[y : y + 15, x : x + 2] = 255
                if self.progress[k] > 0.6 + 0.06 * i:
                    picture[y + 2 : y + 6, x + 54 : x + 60] = 40
        else:
            for i, body in enumerate(self.art.bodies):
                hop = int(3 * abs(np.sin(0.5 * k + i))) if self.efforts[i, k] > 0.55 else 0
                left = 18 + 20 * i + int(self.wander[i, 1, k] * (phase == "lobby")) % 12
                picture[58 - hop : 69 - hop, left : left + 8] = body
        return picture

    def _effects(self, picture: Picture, k: int, rng: np.random.Generator) -> Picture:
        look = {name: float(track[k]) for name, track in self.looks.items() if track[k] > 0}
        if look.get("kill", 0) > KILL_SEEN:
            picture = np.roll(self.art.screens["kill"], int(rng.integers(-4, 5)) + k % 3 * 6, axis=1)
        if "dark" in look:
            picture = picture // np.uint8(3)
        if "banner" in look:
            picture[32:52] = 215
            picture[38:46, 30:130:3] = 20
        if "confetti" in look:
            ys, xs = rng.integers(0, HEIGHT - 2, 90), rng.integers(0, WIDTH - 2, 90)
            picture[ys, xs] = picture[ys + 1, xs + 1] = 245
        if "shake" in look:
            picture = np.roll(picture, tuple(rng.integers(-6, 7, 2)), axis=(0, 1))
        if "flash" in look:
            picture = np.maximum(picture, np.uint8(min(200, 170 * look["flash"])))
        if "cut" in look:
            picture = np.uint8(255) - picture
        if "alert" in look:
            picture[6:26, 50:110] = 230 - 60 * (k // 3 % 2)
            picture[12:15, 56:104] = 30
        return picture

    def _overlay(self, picture: Picture, k: int) -> None:
        """The face leans and rocks with the voice; friends who talk light up."""
        if self.art.has_names:
            for i in range(1, len(self.efforts) - 1):
                picture[4 + 9 * i : 10 + 9 * i, 146:156] = 240 if self.efforts[i, k] > 0 else 50
        if self.art.has_cam:
            effort = float(self.efforts[0, k])
            nod = int(4 * max(0.0, effort - 0.3) * np.sin(2.1 * k) + 0.8 * np.sin(self.sway[k]))
            lean = int(3 * max(0.0, effort - 0.5) * np.cos(1.3 * k) + 3 * np.sin(0.3 * self.sway[k]))
            room = self.art.room.copy()
            top, left = 5 + np.clip(nod, -5, 3), 10 + np.clip(lean, -8, 8)
            patch = room[top : top + 18, left : left + 14]
            np.copyto(patch, self.art.head, where=self.art.head_mask)
            if effort > 0:
                patch[12 : 13 + int(4 * effort * (k % 2 or effort > 0.7)), 5:9] = 25
            y, x = self.art.cam_at
            picture[y : y + 26, x : x + 34] = room

    def frame(self, k: int, rng: np.random.Generator) -> Picture:
        """The picture number k."""
        phase = self.phases[k]
        picture = self._play(k) if phase == "play" else self._still(k, phase)
        picture = self._effects(picture, k, rng)
        self._overlay(picture, k)
        return np.asarray(np.minimum(picture, 249) + self.art.grain[k * 5 % 8], np.uint8)


def make_frames(cast: Cast, plan: Plan, seed: int, num: int) -> Callable[[], Iterator[Picture]]:
    """A function that draws the stream anew, the same each time."""

    def frames() -> Iterator[Picture]:
        show, rng = _Show(cast, plan, seed, num), np.random.default_rng([seed, 6])
        for k in range(num):
            yield show.frame(k, rng)

    return frames
