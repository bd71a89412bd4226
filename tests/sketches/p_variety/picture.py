"""The picture: the game with what happens in it, the screens between, and the camera in a corner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tests.sketches.p_variety.script import Sign, Streamer
from tests.sketches.p_variety.worlds import Floats, Luma, cloud, face, luma, panel, poster, world
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, WIDTH, Sound

SCREENS = ("play", "menu", "camera", "advert", "film", "pause")
EFFECTS = ("flash", "burst", "spin", "banner", "alert", "dark", "drop", "death", "replay", "shake")
FACES = ("jump", "bob", "hands", "lean", "slump", "away", "guest")
SPEED = {"adventure": 0.9, "roguelike": 0.0, "ball": 2.2, "platformer": 2.6, "survival": 1.8}
ACTORS = {"adventure": 3, "roguelike": 9, "ball": 11, "platformer": 5, "survival": 1}


def _strength(signs: Sequence[Sign], what: str, names: Sequence[str], frames: int) -> dict[str, Floats]:
    """For each name, its strength in each frame; 0 where it is not shown."""
    out = {name: np.zeros(frames) for name in names}
    for sign in signs:
        if sign.what == what and sign.name in out:
            first, last = (
                max(0, round(sign.at_s * 10)),
                max(round(sign.at_s * 10) + 1, round(sign.end_s * 10)),
            )
            out[sign.name][first:last] = sign.strength
    return out


def _age(shown: Floats) -> npt.NDArray[np.int64]:
    """How many frames ago a stretch began, 0 in its first frame."""
    index = np.arange(len(shown))
    fresh = (shown > 0) & (np.concatenate([[0.0], shown[:-1]]) == 0)
    return index - np.maximum.accumulate(np.where(fresh, index, 0))


def _drift(rng: np.random.Generator, frames: int, every: int) -> Floats:
    """A smooth wandering with deviation near 1."""
    knots = rng.standard_normal(frames // every + 3)
    return np.asarray(np.interp(np.arange(frames) / every, np.arange(len(knots)), knots))


class Picture:
    """All that the frames of one stream are made of."""

    def __init__(self, who: Streamer, signs: Sequence[Sign], heat: Sound, frames: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 31])
        self.who, self.frames, self.rng = who, frames, rng
        self.pic = _strength(signs, "pic", EFFECTS, frames)
        self.ages = {name: _age(shown) for name, shown in self.pic.items()}
        self.faces = _strength(signs, "face", FACES, frames)
        self.face_ages = {name: _age(shown) for name, shown in self.faces.items()}
        screens = _strength(signs, "scene", SCREENS, frames)
        self.screen = np.zeros(frames, np.int64)
        for k, name in enumerate(SCREENS):
            self.screen[screens[name] > 0] = k
        self.talk: Floats = np.sum(list(_strength(signs, "say", TALKING, frames).values()), axis=0)
        self.heat = np.repeat(heat, FRAMES_PER_S)[:frames].astype(float)
        self._course(rng)
        self.worlds = [world(who.game, rng) for _ in range(3)]
        self.posters = [poster(rng) for _ in range(24)]
        self.panels = [panel(rng, int(rng.integers(5, 10))) for _ in range(4)]
        self.paused = luma(60 + 80 * cloud(rng, HEIGHT, WIDTH, 50))
        self.specks = rng.integers(-3, 4, (8, HEIGHT, WIDTH)).astype(np.int16)
        self.heads = {size: face(size) for size in (who.cam_size, 84)}
        self.walls = {size: luma(40 + 90 * cloud(rng, size, size, size // 3)) for size in self.heads}

    def _course(self, rng: np.random.Generator) -> None:
        """Where the view and what moves in it are, frame by frame."""
        frames, game = self.frames, self.who.game
        way = np.abs(_drift(rng, frames, 35)) if game == "platformer" else _drift(rng, frames, 30)
        live = (self.heat > 0) * (0.35 + 1.1 * self.heat)
        rest = _drift(rng, frames, 40) > 0.9
        self.x = np.cumsum(SPEED[game] * way * live * ~rest) + 5000
        self.area = np.zeros(frames, np.int64)
        self.room = np.zeros(frames, np.int64)
        at, stay = 0, (60, 220) if game == "roguelike" else (350, 900)
        while at < frames:
            self.area[at:], self.room[at:] = rng.integers(3), rng.integers(9)
            at += int(rng.integers(*stay))
        if game == "roguelike":
            self.x = np.asarray(self.room * 160.0, np.float64)
        count = ACTORS[game]
        pace = np.cumsum(live * 1.5 + 0.05)
        spots = [np.interp(pace % 4000, np.arange(0, 4008, 8), rng.random(501)) for _ in range(2 * count)]
        self.spots = np.stack(spots).reshape(count, 2, frames)
        self.shades = rng.integers(0, 256, count)
        self.sizes = rng.integers(3, 9, count)
        self.sway = (1.1 * _drift(rng, frames, 12), 1.3 * _drift(rng, frames, 17))
        self.jitter = rng.integers(-2, 3, (frames, 2))

    def _game(self, i: int) -> Luma:
        """The game's picture of a frame, a fresh array."""
        if self.pic["replay"][i] > 0:
            i = max(0, i - 35 - int(self.ages["replay"][i]) // 2)
        strip = self.worlds[int(self.area[i])]
        left = int(self.x[i]) % 1440
        out = strip[:, left : left + WIDTH].copy()
        if self.heat[i] > 0.02 or self.who.game != "roguelike":
            for k in range(len(self.spots)):
                size = int(self.sizes[k])
                y = 20 + int(self.spots[k, 0, i] * (66 - size))
                x = int(self.spots[k, 1, i] * (WIDTH - size))
                out[y : y + size, x : x + size] = self.shades[k]
        out[3:6, 5:45] = 30
        out[3:6, 5 : 8 + int(36 * (0.5 + 0.45 * np.sin(i / 140)))] = 210
        return out

    def _screen(self, i: int) -> Luma:
        """What fills the picture in a frame, without its effects."""
        name = SCREENS[int(self.screen[i])]
        if name == "menu":
            out = self.panels[(i // 60) % 4].copy()
            y = 14 + 8 * ((i // 9) * 7 % 8)
            out[y : y + 5, 8:12] = 250
            return out
        if name == "pause":
            out = self.paused.copy()
            out[40:50, 50:110] = 220
            x = (i * 2) % 150
            out[70:74, x : x + 8] = 240
            return out
        if name in ("advert", "film"):
            shot = i // (13 if name == "advert" else 31)
            out = np.roll(self.posters[(shot * 7) % 24], (i % 31) * (2 if name == "advert" else 1), axis=1)
            if name == "film":
                out[:11], out[-11:] = 0, 0
            return out
        return self._camera(i, 84) if name == "camera" else self._game(i)

    def _camera(self, i: int, size: int) -> Luma:
        """The camera: a square, or with 84 the whole picture."""
        now, wall = self.faces, self.walls[size].copy()
        lift = -int(size * 0.10 * now["jump"][i] * np.exp(-0.25 * self.face_ages["jump"][i]))
        lift += round(size * 0.055 * now["bob"][i] * np.sin(i * 2.9)) + int(
            size * 0.12 * min(1, now["slump"][i])
        )
        lift += round(self.sway[0][i] + 0.012 * size * self.talk[i] * np.sin(i * 1.7))
        aside = round(self.sway[1][i] * size / 40 + 0.05 * size * now["jump"][i] * np.cos(i * 2.1))
        head, covers = self.heads[size]
        if now["away"][i] < 0.3:
            head = head.copy()
            if self.talk[i] > 0 or now["bob"][i] > 0:
                half, gape = size // 12, 1 + int((i * 7) % 3 * size / 40)
                head[size // 2 : size // 2 + gape, size // 2 - half : size // 2 + half] = 20
            grow = int(size * 0.05 * min(1.5, now["lean"][i]))
            shift = (lift + grow, aside)
            head, covers = np.roll(head, shift, (0, 1)), np.roll(covers, shift, (0, 1))
            wall = np.where(covers, head, wall)
        if now["hands"][i] > 0:
            y, part = int(size * (0.12 + 0.10 * np.sin(i * 2.2))) + 1, size // 7
            wall[y : y + part, 1 : 1 + part] = 190
            wall[y : y + part, -1 - part : -1] = 190
        if now["guest"][i] > 0:
            x = int(size * (0.1 + 0.5 * abs(np.sin(i / 22)))) + 1
            wall[int(size * 0.6) :, x : x + size // 4] = 235
        wall = luma(wall + self.specks[i % 8][:size, :size])
        if size < HEIGHT - 6:
            return wall
        out = np.full((HEIGHT, WIDTH), 35, np.uint8)
        out[3 : 3 + size, 38 : 38 + size] = wall
        out[3 : 3 + size, :38], out[3 : 3 + size, 122:] = wall[:, :1], wall[:, -1:]
        return out

    def _effects(self, out: Luma, i: int) -> Luma:
        """Lays over a picture what happens in it."""
        pic, ages = self.pic, self.ages
        if pic["spin"][i] > 0:
            out = np.roll(
                out[:: -1 if (i // 4) % 2 else 1], (int(i * 11 % 30), int(i * 23 % 50)), (0, 1)
            ).copy()
        if pic["drop"][i] > 0:
            out = np.roll(out, -int(9 * pic["drop"][i] * (1 + ages["drop"][i] / 4)), 0)
        if pic["shake"][i] > 0.05:
            by = np.rint(self.jitter[i] * 2.2 * pic["shake"][i]).astype(int)
            out = np.roll(out, (int(by[0]), int(by[1])), (0, 1))
        if pic["dark"][i] > 0:
            out = (out * (1 - 0.6 * min(1.0, pic["dark"][i]))).astype(np.uint8)
        if pic["burst"][i] > 0:
            for k in range(14):
                y, x = (i * 37 + k * 53) % 80, (i * 61 + k * 97) % 150
                out[y : y + 5, x : x + 6] = 250
        if pic["death"][i] > 0:
            out = (out * max(0.12, 1 - 0.25 * ages["death"][i])).astype(np.uint8)
            if ages["death"][i] > 5:
                out[38:50, 45:115:3] = 170
        if pic["flash"][i] > 0:
            glow = 170 * min(1.3, pic["flash"][i]) * np.exp(-0.7 * ages["flash"][i])
            out = np.minimum(255, out.astype(np.int16) + int(glow)).astype(np.uint8)
        if pic["banner"][i] > 0:
            wide = min(70, 14 * (int(ages["banner"][i]) + 1))
            out[32:48, 80 - wide : 80 + wide] = 225
            out[37:43, 80 - wide + 6 : 80 + wide - 6 : 4] = 30
        if pic["replay"][i] > 0:
            out[:9], out[-9:] = 10, 10
        return out

    def frame(self, i: int) -> Luma:
        """One frame."""
        out = self._effects(self._screen(i), i)
        if SCREENS[int(self.screen[i])] not in ("camera", "advert", "pause"):
            size = self.who.cam_size
            y = (HEIGHT - size - 2) if self.who.cam_corner % 2 else 2
            x = (WIDTH - size - 2) if self.who.cam_corner // 2 else 2
            out[y : y + size, x : x + size] = self._camera(i, size)
        if self.pic["alert"][i] > 0:
            drop = min(20, 5 * (int(self.ages["alert"][i]) + 1))
            out[drop - 5 : drop + 12, 50:110] = 235
            out[drop : drop + 3, 56:104:2] = 60
        return out


TALKING = (
    "calm",
    "low",
    "play",
    "bright",
    "call",
    "hush",
    "lift",
    "shout",
    "angry",
    "groan",
    "giggle",
    "moved",
    "coo",
)


def make_frames(
    who: Streamer, signs: Sequence[Sign], heat: Sound, frames: int, seed: int
) -> Callable[[], Iterator[Luma]]:
    """The generator of frames, made anew on each call."""

    def run() -> Iterator[Luma]:
        picture = Picture(who, signs, heat, frames, seed)
        for i in range(frames):
            yield picture.frame(i)

    return run
