"""The pictures: dark ways and rooms under a light that flickers, screens, apparitions, a camera on the face."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.h_scares.plan import Persona, Plan
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sound

Grey = npt.NDArray[np.float32]
Pair = npt.NDArray[np.int64]
TALL, WIDE, PHASES = HEIGHT + 20, WIDTH + 80, 20
EFFECTS = "face white blackout red shake jerk bright lightning popup wobble figure".split()


def _smooth(grid: Grey, times: int) -> Grey:
    for _ in range(times):
        grid = sum((np.roll(grid, step, axis) for step in (1, -1) for axis in (0, 1)), grid) / np.float32(5)
    return grid


def _ways(rng: np.random.Generator, woods: bool) -> Grey:
    """A hall or a path as seen ahead, at some phases of a step that loops."""
    y, x = np.mgrid[-1 : 1 : TALL * 1j, -1.6 : 1.6 : WIDE * 1j]
    reach = np.maximum(np.abs(x) * 0.8, np.abs(y) * (0.35 if woods else 1.0))
    depth = 1 / np.maximum(reach, 0.07)
    around = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * 47).astype(int)
    texture = _smooth(rng.random((64, 48)).astype(np.float32), 1)
    texture[:: int(rng.integers(9, 17))] *= 0.3
    if woods:
        texture = np.where(rng.random((64, 1)) < 0.35, 1.0, 0.35) * (0.5 + 0.5 * texture)
        texture[:, 30:40] = 0.35 + 0.3 * rng.random((64, 10))
    pictures = np.empty((PHASES, TALL, WIDE), np.float32)
    for phase in range(PHASES):
        along = ((depth + phase * 8 / PHASES) * 8).astype(int) % 64
        pictures[phase] = 235 * texture[along, around] / (1 + 0.18 * depth)
    return pictures


def _rooms(rng: np.random.Generator, number: int) -> Grey:
    """Rooms with things in them."""
    pictures = np.empty((number, TALL, WIDE), np.float32)
    for index in range(number):
        picture = pictures[index]
        picture[:] = rng.uniform(50, 110)
        picture[int(rng.integers(60, 85)) :] *= rng.uniform(0.5, 1.5)
        for _ in range(int(rng.integers(10, 26))):
            top, left = int(rng.integers(0, TALL - 12)), int(rng.integers(0, WIDE - 12))
            high, wide = int(rng.integers(6, 50)), int(rng.integers(6, 50))
            picture[top : top + high, left : left + wide] = rng.uniform(15, 210)
        picture += 25 * _smooth(rng.standard_normal((TALL, WIDE)).astype(np.float32), 2)
    return pictures


def _text(rng: np.random.Generator, picture: Grey, rows: range, left: int, right: int, grey: float) -> None:
    """Rows of something like writing."""
    for row in rows:
        end = int(rng.integers(left + 10, max(right, left + 11)))
        picture[row : row + 3, left:end] = grey * (rng.random((3, end - left)) > 0.4)


def _screens(rng: np.random.Generator) -> dict[str, Grey]:
    """What is shown flat: a menu or a note, the end of a life, rolling credits, nothing."""
    screens = {name: np.full((HEIGHT, WIDTH), 8, np.float32) for name in ("screen", "dead", "black")}
    panel = screens["screen"]
    panel[8:82, 12:148] = rng.uniform(25, 120)
    for left in range(18, 80, 15):
        panel[16:28, left : left + 12] = rng.uniform(10, 200)
    _text(rng, panel, range(34, 76, 6), 20, 140, float(rng.uniform(130, 230)))
    _text(rng, screens["dead"], range(38, 50, 3), 45, 116, float(rng.uniform(70, 190)))
    screens["credits"] = np.full((400, WIDTH), 6, np.float32)
    _text(rng, screens["credits"], range(0, 394, 9), 50, 110, 220.0)
    return screens


def _face(rng: np.random.Generator) -> Grey:
    """A face that leaps at one, larger than the picture; and where it is clear, nothing (0)."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1.5 : 1.5 : WIDTH * 1j]
    face = np.where((x / 0.75) ** 2 + y**2 < 1, rng.uniform(130, 220), 0).astype(np.float32)
    for side in (-0.3, 0.3):
        face[((x - side) / 0.16) ** 2 + ((y + 0.25) / 0.2) ** 2 < 1] = 6
        face[((x - side) / 0.03) ** 2 + ((y + 0.25) / 0.04) ** 2 < 1] = 250
    face[(x / 0.32) ** 2 + ((y - 0.45) / rng.uniform(0.2, 0.4)) ** 2 < 1] = 10
    return np.where(face > 0, face + 14 * rng.standard_normal(face.shape), 0).astype(np.float32)


def _heads() -> Grey:
    """The streamer's head in the small camera: at rest, talking, mouth wide open."""
    heads = np.zeros((3, 34, 42), np.float32)
    y, x = np.mgrid[0:34, 0:42]
    for index, gape in enumerate((1.0, 2.2, 4.2)):
        head = heads[index]
        head += 45
        head[((x - 21) / 15) ** 2 + ((y - 36) / 10) ** 2 < 1] = 70
        head[((x - 21) / 8) ** 2 + ((y - 16) / 10) ** 2 < 1] = 150
        head[((x - 21) / 8.5) ** 2 + ((y - 9) / 5) ** 2 < 1] = 35
        head[(np.abs(np.abs(x - 21) - 4) < 1.5) & (np.abs(y - 14) < 1.2)] = 40
        head[((x - 21) / 3) ** 2 + ((y - 21) / gape) ** 2 < 1] = 50
    return heads


@dataclasses.dataclass(slots=True)
class Film:
    """All the pictures of one stream, from prepared parts and a few tracks, ten a second."""

    seed: int
    persona: Persona
    plan: Plan
    duration_s: float
    loud: Grey  # how loud the streamer is, ten a second, 0 to 1
    tracks: dict[str, Grey] = dataclasses.field(default_factory=dict)

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, 60 + stream])

    def _prepare(self) -> None:
        """Tracks of the effects, of the way gone, of the camera's turning and of the light."""
        rng, count = self._rng(0), len(self.loud)
        self.tracks = {name: np.zeros(count, np.float32) for name in (*EFFECTS, "move", "light", "scene")}
        for index, (at, scene) in enumerate(self.plan.scenes):
            first = int(at * FRAMES_PER_S)
            self.tracks["move"][first:] = scene.level["move"]
            self.tracks["light"][first:] = scene.level["light"]
            self.tracks["scene"][first:] = index
        for cue in self.plan.cues:
            if cue.verb == "show":
                first = int(cue.at * FRAMES_PER_S)
                length = max(min(int(cue.amount * FRAMES_PER_S * rng.uniform(0.8, 1.3)), count - first), 0)
                fade = np.linspace(1, 0.15, max(length, 1), dtype=np.float32)[:length]
                if cue.what == "lightning":
                    fade *= rng.random(length) > 0.35
                self.tracks[cue.what][first : first + length] = fade
        move = self.tracks["move"]
        stops = np.repeat(rng.random(count // 12 + 1) < 0.8, 12)[:count]
        self.tracks["phase"] = np.cumsum(move * stops * rng.uniform(0.7, 1.3) * 3.2).astype(np.float32)
        push = 0.6 + 9 * move + 45 * self.tracks["jerk"] + 12 * self.tracks["shake"]
        for name, room in (("across", WIDE - WIDTH), ("down", TALL - HEIGHT)):
            turning = np.convolve(rng.standard_normal(count + 4), np.full(5, 0.3), "valid")
            path = np.cumsum(push * room / 80 * turning)
            # The camera swings between its margins: a path folded back at either side.
            self.tracks[name] = np.abs((path + room / 2) % (2 * room) - room).astype(np.float32)
        dips = np.repeat(rng.random(count // 3 + 1) < 0.12 * self.persona["flicker"], 3)[:count]
        unsteady = 1 - self.persona["flicker"] * (0.6 * dips * rng.random(count) + 0.12 * rng.random(count))
        self.tracks["light"] *= (unsteady * self.persona["bright"]).astype(np.float32)

    def frames(self) -> Iterator[npt.NDArray[np.uint8]]:
        """The pictures, the same at each call."""
        self._prepare()
        rng = self._rng(1)
        ways = [_ways(rng, woods=bool(rng.random() < self.persona["woods"])) for _ in range(2)]
        stills, screens, face, heads = _rooms(rng, 6), _screens(rng), _face(rng), _heads()
        y, x = np.mgrid[-1 : 1 : TALL * 1j, -1.4 : 1.4 : WIDE * 1j]
        beam = ((x / 0.62) ** 2 + (y / 0.6) ** 2) ** rng.uniform(0.8, 2)
        torch = (0.09 + np.exp(-beam)).astype(np.float32)
        grain = (self.persona["grain"] * rng.standard_normal((200, 300))).astype(np.float32)
        hud = np.zeros((HEIGHT, WIDTH), np.float32)
        hud[81:85, 6:50] = 140
        hud[76:85, 138:152] = 90 * (rng.random((9, 14)) > 0.5)
        corner = (int(rng.choice([2, 54])), int(rng.choice([2, 116])))
        jitter = rng.integers(0, 100, (len(self.loud), 2))
        kinds = [scene.pic for _, scene in self.plan.scenes]
        for index in range(len(self.loud)):
            number = int(self.tracks["scene"][index])
            kind, light = kinds[number], float(self.tracks["light"][index])
            down, across = int(self.tracks["down"][index]), int(self.tracks["across"][index])
            if kind in screens:
                top = int(index * 1.5) % 300 if kind == "credits" else 0
                picture = screens[kind][top : top + HEIGHT] * light
            else:
                shot = (number * 5 + (index // 31 if kind == "film" else 0)) % 6
                phase = int(self.tracks["phase"][index]) % PHASES
                source = ways[number // 7 % 2][phase] if kind == "ahead" else stills[shot]
                sway = int(jitter[index // 5, 0]) // 8
                lit = torch[sway : sway + HEIGHT, 40 + sway : 40 + sway + WIDTH] * np.float32(light)
                picture = source[down : down + HEIGHT, across : across + WIDTH] * lit
                if self.persona["hud"] and kind == "ahead":
                    picture += hud
            self._effects(picture, index, kind, face, jitter[index])
            picture += grain[jitter[index, 0] :, jitter[index, 1] :][:HEIGHT, :WIDTH]
            if self.persona["cam"]:
                self._camera(picture, index, heads, corner, jitter[index])
            yield np.clip(picture, 0, 255, out=picture).astype(np.uint8)

    def _effects(self, picture: Grey, index: int, kind: str, face: Grey, jitter: Pair) -> None:
        """What appears, flashes or darkens."""
        now = {name: float(self.tracks[name][index]) for name in EFFECTS if self.tracks[name][index] > 0}
        if kind == "film":
            picture[:12], picture[-12:] = 0, 0
            at = 60 + int(20 * np.sin(index / 9))
            picture[34:78, at : at + 26] *= 0.25
        if "figure" in now or "wobble" in now:
            at = 76 + (int(34 * np.sin(index * 0.9)) if "wobble" in now else 0)
            lean = int(jitter[0]) // 12 if "wobble" in now else 0
            picture[28 + lean : 76, at : at + 14] = 16
            picture[22 + lean : 34 + lean, at + 2 - lean : at + 12 - lean] = 130
        if "face" in now:
            shift = np.roll(face, (int(jitter[0]) // 12 - 4, int(jitter[1]) // 12 - 4), (0, 1))
            np.copyto(picture, shift, where=shift > 0)
        if "red" in now:
            picture[:, :40] *= 1 - 0.7 * now["red"]
            picture[:, -40:] *= 1 - 0.7 * now["red"]
            picture += 25 * now["red"]
        for name, gain in (("white", 210), ("bright", 110), ("lightning", 120)):
            if name in now:
                picture += gain * now[name]
        if "blackout" in now:
            picture *= 0.04
        if "popup" in now:
            picture[6:30, 48:112] = 190
            picture[12:24:4, 54:106] = 40

    def _camera(self, picture: Grey, index: int, heads: Grey, corner: tuple[int, int], jitter: Pair) -> None:
        """The streamer's face in a corner: it nods with talk, jumps at a cry, shines with the screen."""
        loud = float(self.loud[index])
        stir = 1 + int(loud * 6)
        up, aside = (max(5 + (int(chance) % (2 * stir) - stir) // 2, 0) for chance in jitter)
        head = heads[2 if loud > 0.6 else 1 if loud > 0.08 and index % 3 else 0]
        glow = 0.6 + 0.4 * float(picture[30:60:6, 50:110:6].mean()) / 120
        top, left = corner
        picture[top : top + 24, left : left + 32] = head[up : up + 24, aside : aside + 32] * glow


def loudness(mic: Sound, duration_s: float, level_db: float) -> Grey:
    """How loud the streamer is in each picture's time, 0 to 1."""
    count = round(duration_s * FRAMES_PER_S)
    fitted = np.resize(mic, count * (RATE_HZ // FRAMES_PER_S))
    rms = np.sqrt(np.mean(fitted.reshape(count, -1) ** 2, axis=1))
    return np.asarray(np.clip(rms / (10 ** (level_db / 20) * 4), 0, 1), np.float32)
