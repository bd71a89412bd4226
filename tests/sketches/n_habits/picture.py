"""The pictures of a stream: a world panned, driven or played through, sprites, screens, a camera on the face."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.n_habits.habits import Plan, Rng, Streamer, Track, tick
from tests.sketches.n_habits.truth import Laid
from tests.sketches.n_habits.words import Line
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, WIDTH

Picture = npt.NDArray[np.uint8]
WORLD_H, WORLD_W = 180, 480
# how long each effect lasts (s)
LOOKS = dict.fromkeys(("banner", "burst", "dim", "slowdown", "alert", "zoom", "cut"), 4.0)
LOOKS |= {"flash": 0.4, "shake": 1.5, "spin": 1.5, "jump": 2.5, "freeze": 1.5}
AGAIN = ("routine_fight", "cutscene", "replay", "transition")


def _world(rng: Rng, light: float, contrast: float, blocky: bool) -> Picture:
    """A texture that fits together at its edges, with a margin so that any view of it is one slice."""
    world = np.zeros((WORLD_H, WORLD_W))
    for size, share in ((60, 1.0), (30, 0.7), (12, 0.5), (6, 0.35), (3, 0.15)):
        layer = rng.normal(0, share, (WORLD_H // size, WORLD_W // size)).repeat(size, 0).repeat(size, 1)
        for axis in () if blocky else (0, 1):
            shifts = range(0, size, max(size // 6, 1))
            layer = np.mean([np.roll(layer, shift, axis) for shift in shifts], axis=0)
        world += layer
    for _ in range(int(rng.integers(0, 30))):  # houses, pillars, platforms
        y, x, tall, wide = rng.integers([0, 0, 3, 4], [150, 430, 30, 50]).tolist()
        world[y : y + tall, x : x + wide] = rng.normal(0, 1.6)
    pixels = np.clip(light + contrast * 38 * world, 12, 225).astype(np.uint8)
    return np.pad(pixels, ((0, HEIGHT), (0, WIDTH)), mode="wrap")


def _road(world: Picture) -> Picture:
    """Sixteen phases of driving or walking forward over a ground in perspective."""
    depth = 1 / np.arange(1, 61)[:, None]
    columns = ((np.arange(-110, 110)[None, :] * depth * 12 + WORLD_W / 2).astype(int)) % WORLD_W
    rows = [((depth * 260 + WORLD_H * phase / 16).astype(int)) % WORLD_H for phase in range(16)]
    return np.stack([world[np.broadcast_to(row, columns.shape), columns] for row in rows])


def _looks(rng: Rng, who: Streamer, plan: Plan) -> tuple[dict[str, Track], list[list[Laid]]]:
    """How strongly each effect of the picture shows, at 10 Hz, and which of them belong to each deed."""
    tracks = {name: np.zeros(len(plan.busy)) for name in LOOKS}
    laid: list[list[Laid]] = []

    def lay(name: str, at_s: float, length_s: float, size: float) -> None:
        first = tick(max(at_s, 0))
        room = tracks[name][first : first + max(tick(length_s), 1)]
        last = 0.3 if name in ("flash", "shake") else 0.8
        room[:] = np.maximum(room, size * np.linspace(1, last, len(room)))

    for deed in plan.deeds:
        laid.append([])
        size, react = deed.signs["picture"] * who.traits["show"], deed.over_s - deed.event_s
        for name in deed.way.looks if size > 0.1 else ():
            times = 1 + int(rng.integers(1, 6)) * (deed.span.kind in AGAIN or rng.random() < 0.3)
            at = deed.event_s + deed.lags_s["picture"]
            for _ in range(times):
                length = min(LOOKS[name] * rng.uniform(0.5, 1.4), react)
                lay(name, at, length, size)
                laid[-1].append(Laid(name, at, at + length, size))
                at += rng.uniform(0.2, 2) * react / times
    for name in ("flash", "shake", "jump", "alert", "banner", "cut"):  # the same things in ordinary time
        num = int(rng.poisson(plan.duration_s / 60 * rng.exponential(0.5)))
        for at in rng.uniform(0, plan.duration_s, num):
            lay(name, at, LOOKS[name] * rng.uniform(0.4, 1), rng.uniform(0.2, 0.8))
    return tracks, laid


class Painter:
    """Draws the frames of one stream in order."""

    def __init__(self, seed: int, who: Streamer, plan: Plan, lines: list[Line]) -> None:
        self.rng = rng = np.random.default_rng([seed, 7])
        self.who, self.traits, self.plan = who, who.traits, plan
        blocky, contrast = who.view in ("scroll", "top", "board"), self.traits["contrast"]
        lights = self.traits["light"] * rng.uniform(0.6, 1.4, 4)
        self.worlds = [_world(rng, light, contrast, blocky) for light in lights]
        self.roads = [_road(world) for world in self.worlds[:2]] if who.view == "forward" else []
        self.looks, self.laid = _looks(rng, who, plan)
        self.speak = np.zeros(len(plan.busy))
        for line in lines:
            life = 0.35 + max(line.effort, -0.2) + 0.3 * (line.mode in ("laugh", "knock"))
            self.speak[tick(line.start_s) : tick(line.end_s) + 1] = life
        self.courses = self._courses()
        self._dress()

    def _courses(self) -> Track:
        """Where the view stands in the world at each frame (x, y), and how far along a road."""
        rng, count = self.rng, len(self.plan.busy)
        slow = 1 - 0.8 * np.minimum(self.looks["slowdown"], 1)
        speed = self.traits["speed"] * np.clip(self.plan.busy, 0.02, 2.5) * slow
        knots = rng.normal(0, 1, (2, count // 7 + 3))
        wander = np.stack([np.interp(np.arange(count), np.arange(len(row)) * 7, row) for row in knots])
        if self.who.view == "scroll":
            steps = speed * np.stack([3 * np.sign(wander[0] + 0.9), 0.5 * wander[1]])
        elif self.who.view == "top":  # the view is thrown to another place now and then
            steps = wander * speed + (rng.random((2, count)) < 0.03 * speed) * rng.normal(0, 60, (2, count))
        else:
            flicks = (rng.random((2, count)) < 0.05 * speed) * rng.normal(0, 25, (2, count))
            steps = (wander * speed * 4 + flicks) * [[1.0], [0.3]]
        steps += self.looks["spin"] * [[38.0], [9.0]]
        return np.concatenate([np.cumsum(steps, axis=1), np.cumsum(speed * 2)[None]])

    def _dress(self) -> None:
        """Prepares what never moves: menus, the table of a board game, the bars of the game, the camera's room."""
        rng = self.rng
        self.screens = np.empty((3, HEIGHT, WIDTH), np.uint8)
        for screen in self.screens:
            screen[:] = rng.integers(15, 120)
            for row in range(12, 80, int(rng.integers(7, 14))):
                screen[row : row + 4, 12 : int(rng.integers(30, 105)) : 2] = rng.integers(120, 230)
            screen[20:75, 110:150] = rng.integers(60, 140, (55, 40))
        self.board = np.full((HEIGHT, WIDTH), int(np.clip(self.traits["light"], 20, 200)), np.uint8)
        self.cell = int(rng.integers(8, 20))
        for _ in range(400):
            self._turn_cell()
        self.patches = rng.integers([5, 5, 15], [22, 22, 225], (8, 3)).tolist()
        self.grains = rng.integers(0, int(2 * self.traits["grain"]) + 1, (5, HEIGHT, WIDTH)).astype(np.uint8)
        num = int(self.traits["hud"])
        self.hud = rng.integers([0, 0, 3, 8, 20], [84, 130, 9, 40, 230], (num, 5)).tolist()
        self.cams, self.head = {}, np.zeros(2)
        for full, height in ((False, int(HEIGHT * self.traits["cam"])), (True, HEIGHT)):
            width = WIDTH if full else int(height * 1.5)
            shelves = rng.integers(30, 130, (height // 12 + 1, width // 12 + 1), np.uint8)
            room = shelves.repeat(12, 0).repeat(12, 1)[:height, :width]
            y, x = np.mgrid[-1 : 1 : max(height * 0.6, 1) * 1j, -1 : 1 : max(height * 0.45, 1) * 1j]
            self.cams[full] = room, x**2 + y**2 < 1
        self.skin = int(rng.integers(90, 210))

    def _turn_cell(self) -> None:
        row = 4 + self.cell * int(self.rng.integers(0, (HEIGHT - 4) // self.cell))
        column = 30 + self.cell * int(self.rng.integers(0, 100 // self.cell))
        self.board[row : row + self.cell - 1, column : column + self.cell - 1] = self.rng.integers(20, 220)

    def _camera(self, frame: Picture, index: int, full: bool) -> None:
        """The streamer's face: it sways, bobs with speech, jumps in a fright or joy; hands go up."""
        room, disc = self.cams[full]
        height, width = room.shape
        energy = self.speak[index] * self.traits["cam_life"] + 1.5 * self.looks["jump"][index]
        self.head += self.rng.normal(0, 0.008 + 0.045 * energy, 2) - 0.12 * self.head
        box = room.copy()
        top, left = (np.clip(np.array([0.25, 0.35]) + self.head, 0, 0.9) * [height, width]).astype(int)
        face = box[top : top + disc.shape[0], left : left + disc.shape[1]]
        face[disc[: face.shape[0], : face.shape[1]]] = self.skin
        if self.speak[index] > 0:
            tall, wide = disc.shape
            opened = int(tall * np.clip(0.06 + 0.2 * self.speak[index] * self.rng.random(), 0, 0.3))
            face[int(tall * 0.68) : int(tall * 0.68) + opened, wide // 3 : 2 * wide // 3] = 25
        for side in (0.1, 0.75) if energy > 0.9 else ():
            y, x = (self.rng.uniform(0, 0.5, 2) * height).astype(int)
            x = int(side * width) + x // 4
            box[y : y + height // 6, x : x + height // 6] = self.skin
        y = (HEIGHT - height) * (self.traits["cam_low"] > 0)
        x = (WIDTH - width) * (self.traits["cam_side"] > 0)
        frame[y : y + height, x : x + width] = box

    def _game(self, index: int) -> Picture:
        """The game itself: the world, what moves in it, the bars over it."""
        (x, y, along), busy, speed = self.courses[:, index], self.plan.busy[index], self.traits["speed"]
        if self.looks["shake"][index] > 0.05:
            x, y = np.array([x, y]) + self.rng.normal(0, 9 * self.looks["shake"][index], 2)
        place = (index // 900 + int(self.looks["cut"][index] > 0.1)) % 2
        top, left = int(y) % WORLD_H, int(x) % WORLD_W
        frame = self.worlds[place][top : top + HEIGHT, left : left + WIDTH].copy()
        if self.who.view == "board":
            for _ in range(min(int(self.rng.poisson(0.5 * busy * min(speed, 1.5))), 6)):
                self._turn_cell()
            jolt = 0 if self.looks["shake"][index] <= 0.05 else int(x - self.courses[0, index])
            frame = np.roll(self.board, jolt, 1)
        elif self.roads:
            sway = int(np.clip(30 + 18 * np.sin(x / 60), 0, 59))
            frame[:30] = self.worlds[place][40:70, left : left + WIDTH]
            frame[30:] = self.roads[place][int(along) % 16][:, sway : sway + WIDTH]
        time = index / FRAMES_PER_S * speed
        for number in range(int(self.traits["sprites"] * min(busy + 0.3, 1))):
            height, width, light = self.patches[number % len(self.patches)]
            y = int(45 + 35 * np.sin(time * (0.3 + 0.17 * number) + number))
            x = int(80 + 75 * np.sin(time * (0.23 + 0.11 * number) + 2.4 * number))
            frame[y : y + height, x : x + width] = light + 9 * (index % 3)
        for y, x, height, width, light in self.hud:
            frame[y : y + height, x : x + max(int(width * (0.6 + 0.4 * np.sin(index / 90 + y))), 3)] = light
        return frame

    def _base(self, index: int) -> Picture:
        """The scene of the stream's state: play, a menu, talk before the camera, a film."""
        state = int(self.plan.state[index])
        # a board game cuts to its table of scores, other games to another place
        if state < 2 and not (self.who.view == "board" and self.looks["cut"][index] > 0.1):
            return self._game(index)
        frame: Picture = self.screens[index // 130 % 3].copy()
        if state == 4:  # a film: shots, still or slowly panned, cut hard; bars above and below
            shot = index // 37
            top, left = (shot * 61) % WORLD_H, (shot * 97 + (index % 37) * (shot % 3)) % WORLD_W
            frame = self.worlds[2 + shot % 2][top : top + HEIGHT, left : left + WIDTH].copy()
            frame[:11] = frame[-11:] = 12
        elif state == 3 and self.traits["cam"]:
            self._camera(frame, index, True)
        else:
            row = 12 + 7 * (index // 17 % 9)
            frame[row : row + 5, 8:100] //= 2
        return frame

    def _over(self, frame: Picture, index: int) -> Picture:
        """What lies over the game: banners, alerts, confetti, flashes, dimming, the camera."""
        looks, rng = {name: float(track[index]) for name, track in self.looks.items()}, self.rng
        if looks["zoom"] > 0.1:
            frame = frame[22:67, 40:120].repeat(2, 0).repeat(2, 1)
        if looks["dim"] > 0.1:
            frame = (frame * np.float32(1 - min(0.75 * looks["dim"], 0.9))).astype(np.uint8)
        if looks["banner"] > 0.1:
            half = int(12 + 50 * min(looks["banner"], 1))
            frame[30:46, 80 - half : 80 + half] = 200 if index % 6 < 3 else 225
            frame[34:42, 84 - half : 76 + half : 3] = 20
        if looks["alert"] > 0.1:
            frame[4:24, 55:105] = 40 + 150 * (index // 3 % 2)
            frame[14:20, 60:100:2] = 230
        if looks["burst"] > 0.1:
            frame.reshape(-1)[rng.integers(0, HEIGHT * WIDTH, int(500 * looks["burst"]))] = 235
        if self.traits["cam"] and self.plan.state[index] != 3:
            self._camera(frame, index, False)
        if looks["flash"] > 0.08:
            more = np.uint8(min(200 * looks["flash"], 220))
            frame = np.minimum(frame, np.uint8(240) - more) + more
        return frame

    def paint(self) -> Iterator[Picture]:
        skip, last = 3 if self.traits["low_fps"] else 1, np.zeros((HEIGHT, WIDTH), np.uint8)
        for index in range(len(self.plan.busy)):
            if index == 0 or not (index % skip or self.looks["freeze"][index] > 0.15):
                last = self._over(self._base(index), index) + self.grains[index % 5]
            yield last.copy()
