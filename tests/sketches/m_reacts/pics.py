"""The picture: a room, a streamer who moves as the script says, videos, a call, overlays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tests.sketches.m_reacts.people import Bools, Floats, Ints, Persona, Rng, Script
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, WIDTH

Picture = npt.NDArray[np.uint8]
Body = list[list[tuple[Picture, Bools]]]  # by pose and mouth: tones, and where they are
_YY, _XX = np.mgrid[0:HEIGHT, 0:WIDTH]
_BODY_W, _BODY_H = 76, 108
_CUT_S = {"vlog": 3.0, "sport": 5.0, "show": 4.5, "gaming": 9.0, "trailer": 1.6, "essay": 6.0}


def _scene(rng: Rng, height: int, width: int) -> Picture:
    """Some place: soft light from somewhere, a floor, things standing about."""
    yy, xx = np.mgrid[0:height, 0:width] / height
    far = (yy - rng.uniform(-0.2, 0.7)) ** 2 + (xx - rng.uniform(0, width / height)) ** 2
    y = rng.uniform(30, 110) + rng.uniform(20, 120) * np.exp(-far * rng.uniform(0.8, 5))
    ground = rng.uniform(0.5, 1.1)
    y = np.where(yy > ground, y * rng.uniform(0.4, 1.6), y)
    for _ in range(int(rng.integers(4, 16))):
        h, w = rng.uniform(0.05, 0.45), rng.uniform(0.04, 0.5)
        top, left, tone = (
            rng.uniform(-0.1, ground - h / 2),
            rng.uniform(-0.1, width / height),
            rng.uniform(10, 225),
        )
        if rng.random() < 0.6:
            inside = (np.abs(yy - top - h / 2) < h / 2) & (np.abs(xx - left - w / 2) < w / 2)
        else:
            inside = ((yy - top - h / 2) / h) ** 2 + ((xx - left - w / 2) / w) ** 2 < 0.25
        y = np.where(inside, 0.35 * y + 0.65 * tone * (1.1 - 0.3 * (yy - top)), y)
    rows = y + rng.normal(0, rng.uniform(0.5, 6), y.shape)
    soft = (rows + np.roll(rows, 1, 0) + np.roll(rows, 1, 1) + np.roll(rows, -1, 1)) / 4
    return np.asarray(np.clip(soft * rng.uniform(0.45, 1.0), 4, 240), np.uint8)


def _bodies(rng: Rng) -> Body:
    """A person to the chest: plain, arms up, hand on face, head back; each with four mouths."""
    yy, xx = np.mgrid[0:_BODY_H, 0:_BODY_W]
    skin, hair, shirt = rng.uniform(90, 210), rng.uniform(15, 150), rng.uniform(20, 220)
    head_w, head_h, curl = rng.uniform(11, 14), rng.uniform(14, 17), rng.uniform(1.15, 1.5)

    def inside(y: float, x: float, h: float, w: float) -> Bools:
        return np.asarray(((yy - y) / h) ** 2 + ((xx - x) / w) ** 2 < 1)

    out = []
    for pose in range(4):
        top = 24 - 5 * (pose == 3)
        row = []
        for mouth in range(4):
            y, mask = np.zeros((_BODY_H, _BODY_W)), np.zeros((_BODY_H, _BODY_W), bool)
            parts = [(inside(84, 38, 36, 34) | ((yy > 84) & (np.abs(xx - 38) < 34)), shirt)]
            parts += [(inside(top - 3, 38, head_h * curl, head_w * curl), hair)]
            parts += [(inside(top + 17, 38, 12, 6), skin * 0.85), (inside(top, 38, head_h, head_w), skin)]
            parts += [(inside(top - 3, 38 + s * 5, 1.6, 2.4), 20.0) for s in (-1, 1)]
            parts += [(inside(top + 8, 38, 0.8 + 1.7 * mouth, 4 + 0.4 * mouth), 35.0)]
            if pose == 1:
                parts += [(inside(38, 38 + s * 31, 26, 5), shirt * 0.9) for s in (-1, 1)]
                parts += [(inside(10, 38 + s * 31, 6, 5), skin) for s in (-1, 1)]
            if pose == 2:
                parts += [(inside(top + 2, 36, 9, 9), skin * 0.9), (inside(60, 50, 24, 6), shirt * 0.9)]
            for where, tone in parts:
                y[where], mask = tone, mask | where
            y *= 1 + 0.15 * (xx - 38) / 38
            row.append((np.clip(y, 5, 245).astype(np.uint8), mask))
        out.append(row)
    return out


def _lay(to: Picture, person: tuple[Picture, Bools], x: int, y: int) -> None:
    """Lay a person onto a picture, cut at its edges."""
    tone, mask = person
    top, left = max(y, 0), max(x, 0)
    low, right = min(y + _BODY_H, HEIGHT), min(x + _BODY_W, WIDTH)
    if low > top and right > left:
        part = (slice(top - y, low - y), slice(left - x, right - x))
        np.copyto(to[top:low, left:right], tone[part], where=mask[part])


class Tracks:
    """Ten times a second: where the streamer is, how, and what else the picture does."""

    def __init__(self, rng: Rng, who: Persona, script: Script, num: int, voice: Floats):
        lively = 0.5 + 0.6 * who.temper
        walk = np.cumsum(rng.normal(0, 1, (2, num + 30)), 1)
        slow = walk - np.apply_along_axis(lambda r: np.convolve(r, np.ones(31) / 31, "same"), 1, walk)
        self.x, self.y = slow[:, :num] * lively * (0.5 + voice) * np.array([[1.5], [0.7]])
        self.pose = np.zeros(num, np.int64)
        self.mouth = np.clip(voice * 3.2, 0, 3).astype(np.int64)
        self.shake, self.alert = np.zeros(num), np.zeros(num, np.int64)
        self.away, self.page, self.cuts, self.visitor = (np.zeros(num, bool) for _ in range(4))
        for cue in script.pics:
            a, b = int(cue.at * FRAMES_PER_S), min(int((cue.at + cue.length) * FRAMES_PER_S), num)
            if b > a >= 0:
                self._move(rng, cue.kind, cue.size, slice(a, b), np.linspace(0, 1, b - a))

    def _move(self, rng: Rng, kind: str, size: float, s: slice, u: Floats) -> None:
        n = len(u)
        fall = (1 - u) ** 0.7
        if kind in ("jump", "dance", "sway"):
            step = {"jump": 0.9, "dance": 0.63, "sway": 0.35}[kind]
            reach = size * (13 * fall if kind == "jump" else 6.0 if kind == "dance" else 2.0)
            self.y[s] -= reach * np.abs(np.sin(np.arange(n) * step))
            self.x[s] += 0.8 * reach * np.sin(np.arange(n) * step * 0.5)
            self.pose[s] = 1 if kind == "jump" and size > 0.7 else 0
        elif kind in ("rock", "gesture", "shake"):
            self.x[s] += rng.normal(0, 3.0 * size, n) * fall
            self.y[s] += size * 6 * np.sin(np.arange(n) * (0.8 if kind == "rock" else 0.4)) * fall
            self.pose[s] = rng.choice([0, 3, 2] if kind == "rock" else [0, 1, 0], n // 8 + 1).repeat(8)[:n]
            self.shake[s] += 3.0 * size * (u < 0.2) * (kind == "shake")
        elif kind in ("lean", "lunge", "still"):
            self.y[s] += {"lean": 7, "lunge": 22, "still": 3}[kind] * size * np.sin(np.pi * u) ** 0.5
            self.pose[s] = 2 * (kind == "still") * (u > 0.4)
            self.x[s] += (kind == "lunge") * 25 * size * np.sin(np.pi * np.minimum(u * 3, 1))
        elif kind in ("drop", "away"):
            self.y[s] += 90 * np.minimum(np.minimum(u * n / 4, (1 - u) * n / 8), 1)
            self.away[s] = kind == "away"
        elif kind == "shift":
            self.shake[s] += 4 * (u < 0.3)
        self.alert[s] = np.maximum(self.alert[s], (kind == "alert") * (1 + (np.arange(n) // 2) % 3))
        self.page[s] |= (kind in ("tab", "scene")) & (u < (0.35 if kind == "tab" else 0.6))
        self.cuts[s] |= kind == "cuts"
        self.visitor[s] |= kind == "visitor"


class Studio:
    """Prepared parts, and the drawing of one picture after another."""

    def __init__(self, rng: Rng, who: Persona, script: Script, num: int, voice: Floats):
        self.who, self.script, self.num = who, script, num
        self.tracks = Tracks(rng, who, script, num, voice)
        self.room, self.other_room = (_scene(rng, HEIGHT + 12, WIDTH + 12) for _ in range(2))
        self.me, self.other = _bodies(rng), _bodies(rng)
        self.shots = [_scene(rng, 130, 220) for _ in range(14)]
        self.page = np.where(_XX % 40 < 28, 225 - 120 * ((_YY % 7 < 3) & (_YY > 14)), 240).astype(np.uint8)
        self.text = (rng.random((600, 9)) < 0.75).repeat(4, 1).astype(np.uint8) * 170
        self.text[(np.arange(600) % 5) > 2] = 10
        level = rng.uniform(0.8, 4)
        self.grain = rng.normal(0, level, (6, HEIGHT, WIDTH)).astype(np.int16)
        self.seat = int(rng.integers(24, 60))
        self.corner = (int(rng.choice([0, 58])), int(rng.choice([0, 106])))
        self.shot, self.pan = self._video(rng)
        self.scrolled = np.zeros(num, np.int64)

    def _video(self, rng: Rng) -> tuple[Ints, Ints]:
        """Number of the shot and place of the pan at each picture; a paused video stands still."""
        look = np.full(self.num, 4.0)
        for p in self.script.phases:
            look[int(p.start * FRAMES_PER_S) : int(p.end * FRAMES_PER_S)] = _CUT_S[p.look]
        look[self.tracks.cuts] = 0.7
        runs = np.ones(self.num, bool)
        for a, b in self.script.pauses:
            runs[max(int(a * FRAMES_PER_S), 0) : int(b * FRAMES_PER_S)] = False
        cut = runs & (rng.random(self.num) < 1 / (look * FRAMES_PER_S))
        speed = rng.choice([0.1, 0.4, 1.2, 2.5], int(cut.sum()) + 1)
        number = np.cumsum(cut)
        return number * 5 % 14, np.cumsum(runs * speed[number]).astype(np.int64)

    def camera(self, k: int) -> Picture:
        """What the camera sees."""
        t = self.tracks
        jolt = int(min(t.shake[k], 6)) * (1 if k % 2 else -1)
        out = self.room[6 + jolt : 6 + jolt + HEIGHT, 6 - jolt : 6 - jolt + WIDTH].copy()
        if t.visitor[k]:
            _lay(out, self.other[0][k // 3 % 2], 96 - self.seat // 2 + int(6 * np.sin(k / 7)), 26)
        if not (t.away[k] and t.y[k] > 80):
            me = self.me[t.pose[k]][t.mouth[k]]
            _lay(out, me, self.seat + int(t.x[k]) + jolt, 8 + int(t.y[k]))
        return out

    def picture(self, k: int, what: str) -> Picture:
        """One picture of the stream."""
        t = self.tracks
        if t.page[k]:
            out = self.page.copy()
        elif what == "watch":
            pan = int(self.pan[k])
            across, down = abs(pan % 100 - 50), abs(pan % 80 - 40)
            out = self.shots[self.shot[k]][down : down + HEIGHT, across : across + WIDTH].copy()
            walker = (pan * 3 + 37 * int(self.shot[k])) % 130
            out[30:64, walker : walker + 14] = 200 - 12 * int(self.shot[k])
            y, x = self.corner
            out[y : y + 32, x : x + 54] = 0
            out[y + 1 : y + 31, x : x + 54] = self.camera(k)[::3, ::3]
        elif what in ("guest", "debate"):
            out = self.other_room[:HEIGHT, :WIDTH].copy()
            _lay(out, self.other[0][k // 2 % 3], 84 + int(2 * np.sin(k / 9)), 10)
            out[:, :80] = self.camera(k)[:, max(self.seat - 2, 0) : max(self.seat - 2, 0) + 80]
        else:
            out = self.camera(k)
        if self.who.overlay and what != "watch":
            row = int(self.scrolled[k]) * 5 % 500
            np.maximum(out[20:80, 120:156], self.text[row : row + 60], out=out[20:80, 120:156])
        if t.alert[k]:
            out[8 : 26 + int(t.alert[k]), 52:108] = 215 - 30 * int(t.alert[k])
        return out

    def frames(self) -> Iterator[Picture]:
        """All pictures in turn."""
        starts = np.array([p.start for p in self.script.phases])
        for k in range(self.num):
            phase = self.script.phases[int(np.searchsorted(starts, k / FRAMES_PER_S, "right")) - 1]
            noisy = self.picture(k, phase.what) + self.grain[k * 7 % 6]
            yield np.clip(noisy, 0, 255).astype(np.uint8)
