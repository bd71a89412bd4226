"""The picture: a game, a street or a room, a camera on the streamer, overlays, flashes, cuts and cards."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.g_living.plan import GAMELESS, STEP_HZ, Beat, Persona, Rng, Track
from tests.sketches.g_living.voice import Utterance
from tests.sketches.guide import Sign
from tests.sketches.sketch import HEIGHT, WIDTH

Picture = npt.NDArray[np.uint8]
Luma = npt.NDArray[np.float32]
CHANCE = 77
MOVED = 0.15  # excitement from which the body moves far more than in talk


def scene(rng: Rng, fine: int, height: int = 170, width: int = 300) -> Luma:
    """A textured place, larger than the picture; smaller `fine` gives larger shapes."""
    out = np.zeros((height, width), dtype=np.float32)
    for cells, weight in ((fine, 1.0), (fine * 3, 0.5), (fine * 9, 0.25)):
        coarse = rng.random((cells + 1, cells * 2 + 1)).astype(np.float32)
        rows = np.linspace(0, cells - 1e-3, height).astype(int)
        cols = np.linspace(0, cells * 2 - 1e-3, width).astype(int)
        out += weight * coarse[rows][:, cols]
    out -= out.min()
    return out * np.float32(rng.uniform(110, 190) / out.max()) + np.float32(rng.uniform(10, 40))


class Director:
    """What the picture does: a value a frame for each way of moving."""

    def __init__(
        self, rng: Rng, who: Persona, beats: list[Beat], said: list[Utterance], activity: Track
    ) -> None:
        num = len(activity)
        self.num = num
        self.activity = activity
        self.shake, self.flash, self.dark, self.excited, self.talking, self.banner = (
            np.zeros(num) for _ in range(6)
        )
        self.card = np.zeros(num, dtype=int)  # 1 advert, 2 menu, 3 cutscene, 4 end of round
        self.signs: list[Sign] = []  # when moments are seen
        self.cuts = rng.random(num) < (0.002 if who.genre in GAMELESS else 0.006)
        for beat in beats:
            (self._moment if beat.moment else self._decoy)(rng, who, beat)
        for line in said:
            here = self._span(line.start_s, line.end_s)
            self.talking[here] = max(0.3, line.effort)
            if line.style in ("laugh", "scream"):
                self.excited[here] = np.maximum(self.excited[here], line.effort)

    @staticmethod
    def _span(start_s: float, end_s: float) -> slice:
        return slice(max(0, int(start_s * STEP_HZ)), max(0, int(end_s * STEP_HZ)))

    def _moment(self, rng: Rng, who: Persona, beat: Beat) -> None:
        level = beat.sign("view")
        react = self._span(beat.peak_s, beat.react_s)
        body = max(level, 0.7 * beat.sign("voice"), 0.7 * beat.sign("laugh")) * (0.3 + 0.8 * who.drive)
        self.excited[react] = body * np.linspace(1.0, 0.4, len(self.excited[react]))
        frames = np.arange(self.num)[react]
        moved = frames[(self.excited[react] > MOVED) & [_filmed(who, int(i)) for i in frames]]
        if len(moved):
            self.signs.append((float(moved[0]) / STEP_HZ, float(moved[-1] + 1) / STEP_HZ))
        if not level or who.genre == "chatting":
            return
        near = self._span(beat.peak_s - 0.3, beat.peak_s + 1.2)
        self.flash[near] = level * np.exp(-np.arange(len(self.flash[near])) / 3.0)
        self.shake[react] = level * np.exp(-np.arange(len(self.shake[react])) / 15.0)
        self.signs.append((beat.peak_s, beat.peak_s + 1.5 * float(np.log(6.0 * level))))  # down to a pixel
        if who.setting == "irl":
            return
        self.signs.append((beat.peak_s - 0.3, beat.peak_s + 0.5))
        late_s = beat.peak_s + float(rng.uniform(0.8, 3.0))
        if beat.kind in ("fail", "rage"):
            light_s = late_s + float(rng.uniform(2, 5))
            self.dark[self._span(late_s, light_s)] = 0.7
            self.signs.append((late_s, light_s))
        elif rng.random() < 0.6:
            self.banner[self._span(late_s, beat.react_s)] = 1.0
            self.signs.append((late_s, max(late_s, beat.react_s)))
        if rng.random() < 0.5:
            card_s = max(late_s + 2.0, beat.react_s - 2.0)
            self.card[self._span(card_s, beat.end_s)] = 4
            if card_s < beat.end_s:  # it comes up, and then stands still under calm talk
                self.signs.append((card_s, card_s + 1.0))
        self.cuts[min(int(late_s * STEP_HZ), self.num - 1)] = True

    def _decoy(self, rng: Rng, who: Persona, beat: Beat) -> None:
        here = self._span(beat.start_s, beat.end_s)
        cards = {"advert": 1, "menu": 2, "cutscene": 3}
        if beat.kind in cards:
            self.card[here] = cards[beat.kind]
            every = {"advert": 0.04, "menu": 0.09, "cutscene": 0.03}[beat.kind]
            self.cuts[here] |= rng.random(len(self.cuts[here])) < every
            self.cuts[here.start] = True
        elif beat.kind == "explosion":
            burst = rng.random(len(self.flash[here])) < 0.09
            self.flash[here] = burst * beat.size
            self.shake[here] = 0.7 * beat.size
        elif beat.kind in ("alert", "raid", "subtrain"):
            self.banner[here] = rng.random() < 0.8
        elif beat.kind in ("quarrel", "pet", "check"):
            self.excited[here] = 0.4 * who.drive
        elif beat.kind == "false_alarm" and rng.random() < 0.5:
            self.flash[here.start + len(self.flash[here]) // 3] = 0.6


def _filmed(who: Persona, i: int) -> bool:
    """Whether the streamer is seen in a frame; outdoors the camera mostly looks ahead."""
    return who.camera != "none" and not (who.setting == "irl" and (i // 300) % 3)


def _face(size: tuple[int, int]) -> tuple[Luma, Luma, Luma]:
    rows, cols = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j].astype(np.float32)
    head = ((rows + 0.15) / 0.6) ** 2 + (cols / 0.42) ** 2 < 1
    body = (rows > 0.45) & (np.abs(cols) < 0.75)
    mouth = ((rows - 0.15) / 0.11) ** 2 + (cols / 0.16) ** 2 < 1
    return head.astype(np.float32), body.astype(np.float32), mouth.astype(np.float32)


def _camera(rng: Rng, who: Persona) -> tuple[slice, slice, Luma, Luma, Luma]:
    """Where the streamer is seen, with the backdrop, the person and the mouth as pictures."""
    if who.camera == "full":
        size, at = (HEIGHT, WIDTH), (0, 0)
    else:
        size = (int(rng.integers(20, 32)), int(rng.integers(30, 46)))
        at = ((0, HEIGHT - size[0])[int(rng.integers(2))], (0, WIDTH - size[1])[int(rng.integers(2))])
    head, body, mouth = _face(size)
    skin = float(rng.uniform(90, 200))
    person = np.maximum(head * skin, body * float(rng.uniform(30, 180)))
    back = scene(rng, 3, size[0], size[1]) * 0.6
    return slice(at[0], at[0] + size[0]), slice(at[1], at[1] + size[1]), back, person, mouth * skin * 0.7


def _paths(rng: Rng, who: Persona, plan: Director) -> npt.NDArray[np.int64]:
    """The corner of the view in the scene, a row and a column a frame."""
    turn = np.cumsum(rng.normal(0, 1, (plan.num, 2)) * (0.1 + 3.0 * plan.activity[:, None]), axis=0)
    if who.genre in ("cards", "react"):
        turn *= 0.02
    if who.genre == "racing":
        turn[:, 1] += np.cumsum(4.0 * plan.activity)
    if who.setting == "irl":
        turn += rng.normal(0, 1.2, (plan.num, 2)) + np.cumsum(np.full((plan.num, 2), 0.15), axis=0)
    turn += rng.normal(0, 6.0, (plan.num, 2)) * plan.shake[:, None]
    room = np.array([170 - HEIGHT - 1, 300 - WIDTH - 1])
    folded = np.abs((turn + room) % (2 * room) - room)
    return np.asarray(folded, dtype=np.int64)


def _sprites(rng: Rng, out: Luma, spots: npt.NDArray[np.float64], going: float) -> None:
    """Figures that move about, faster when more goes on."""
    spots[:, :2] += spots[:, 2:4] * (0.15 + 2.5 * going)
    spots[:, 2:4] += rng.normal(0, 0.15 + 0.5 * going, (len(spots), 2))
    spots[:, 2:4] *= 0.9
    spots[:, :2] %= (HEIGHT - 14, WIDTH - 12)
    for row, col, _, _, tall, luma in spots.tolist():
        out[int(row) : int(row) + int(tall), int(col) : int(col) + int(tall * 0.6)] = luma


def _card(rng: Rng, kind: int) -> Luma:
    """A still of an advert, a menu, a cutscene or the end of a round."""
    if kind == 2 or kind == 4:
        out = np.full((HEIGHT, WIDTH), rng.uniform(20, 60), dtype=np.float32)
        for row in range(12, 78, int(rng.integers(9, 16))):
            out[row : row + 6, 14 : int(rng.integers(50, 146))] = rng.uniform(80, 230)
        return out
    out = scene(rng, int(rng.integers(2, 7)), HEIGHT, WIDTH)
    if kind == 1:
        row, col = int(rng.integers(10, 50)), int(rng.integers(10, 90))
        out = np.minimum(out * 1.2 + 40, 250)
        out[row : row + 26, col : col + 56] = rng.uniform(0, 255)
    else:
        out[:10] = out[-10:] = 4
    return np.asarray(out, dtype=np.float32)


def draw(
    seed: int, who: Persona, beats: list[Beat], said: list[Utterance], activity: Track
) -> Iterator[Picture]:
    """The pictures in order, the same on each call."""
    rng = np.random.default_rng([seed, CHANCE])
    plan = Director(rng, who, beats, said, activity)
    fine = int(rng.integers(3, 9))
    place, paths = scene(rng, fine), _paths(rng, who, plan)
    grain = rng.normal(0, float(rng.uniform(0.3, 3.0)), (8, HEIGHT, WIDTH)).astype(np.float32)
    spots = np.column_stack(
        [rng.random((5, 2)) * 80, rng.normal(0, 1, (5, 2)), rng.uniform(4, 13, 5), rng.uniform(0, 255, 5)]
    )
    hud = rng.random() < 0.7 and who.genre not in GAMELESS
    camera = _camera(rng, who)
    card, was = _card(rng, 1), 0
    for i in range(plan.num):
        now = int(plan.card[i])
        if plan.cuts[i] or now != was:
            card = _card(rng, now)
            if not now and plan.cuts[i]:
                place = scene(rng, fine)
        was = now
        row, col = paths[i]
        out = card.copy() if now else place[row : row + HEIGHT, col : col + WIDTH].copy()
        if not now and who.genre != "chatting":
            _sprites(rng, out, spots, float(plan.activity[i]))
        if now in (1, 3):  # the card drifts, as films do
            out = np.roll(out, i % 40 - 20, axis=1)
        out *= 1.0 - plan.dark[i]
        if hud and now != 1:
            out[84:88, 6 : 10 + int(40 * (1 - 0.8 * plan.activity[i]))] = 220
            out[3:8, 130:154] = 30
        if _filmed(who, i) and now != 1:
            _show(rng, out, camera, plan, i)
        if plan.banner[i]:
            out[8:24, 40:120] = 235 - 120 * ((i // 3) % 2)
        if plan.flash[i] > 0.05:
            out += 200.0 * float(plan.flash[i]) * (who.genre not in GAMELESS)
        out += grain[i % 8]
        yield np.clip(out, 0, 255).astype(np.uint8)


def _show(rng: Rng, out: Luma, camera: tuple[slice, slice, Luma, Luma, Luma], plan: Director, i: int) -> None:
    """Puts the streamer's camera into the picture; the body follows talk and excitement."""
    rows, cols, back, person, mouth = camera
    tall = back.shape[0]
    sway = 0.006 * tall * (0.5 + plan.talking[i] + 14.0 * plan.excited[i])
    down, aside = (round(float(v)) for v in rng.normal(0, sway, 2))
    shape = person + (mouth * -1.0 if plan.talking[i] and rng.random() < 0.6 else 0.0)
    moved = np.roll(np.roll(shape, down, axis=0), aside, axis=1)
    out[rows, cols] = np.where(moved > 1, moved, back)
