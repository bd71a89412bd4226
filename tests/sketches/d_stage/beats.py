"""The beats of d_stage: moments and decoys, each with its course, its signs and its cut, and their places.

Invariant: beats follow one another, 8 s apart at least. Rows come from `[beats]` in words.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tests.sketches.d_stage.parts import Floats, Line, Rng, World, table
from tests.sketches.guide import Sign

SIGNS = ("voice", "words", "laugh", "desktop", "picture", "chat")
MOMENT = "moment"
BUILD, PEAK, HUSH, ANSWER, DECAY = range(5)  # the phases of a beat
GAP_S = 10.2  # 8 s apart, and room for a short moment
_RAISED = 0.3  # arousal that ordinary talk seldom has; a hush is as far below calm


class Cue(NamedTuple):
    """A sound or something in the picture that a beat sets off."""

    name: str
    at_s: float
    length_s: float
    strength: float


class _Row(NamedTuple):
    kind: str
    weight: float
    lengths_s: list[str]  # of the phases, each as from-to
    arousal: list[float]  # at the end of the build, at the peak, in the answer
    lead: float  # how much of the build an editor keeps
    tail: float  # and how much of the decay
    chances: dict[str, float]
    cues: dict[str, str]
    flag: str

    @classmethod
    def read(cls, line: str) -> _Row:
        cells = line.split()
        return cls(
            kind=cells[0],
            weight=float(cells[1]),
            lengths_s=cells[2:7],
            arousal=[float(cell) for cell in cells[7:10]],
            lead=float(cells[10]),
            tail=float(cells[11]),
            chances=dict(zip(SIGNS, map(float, cells[12:18]), strict=True)) | {"mic": 1.0},
            cues=dict(zip(("mic", "desktop", "picture"), cells[18:21], strict=True)),
            flag=cells[21],
        )


class Beat:
    """A moment or a decoy.

    Attributes:
        marks: seconds at which build, peak, hush, answer and decay start, and at which it ends; shape (6,).
        start_s, end_s: where an editor cuts it, which the plan keeps free; the span of a decoy.
        signs: strength of each sign and of what the microphone picks up; 0 where it is missing.
        flag: moment, mute (nobody talks), shared (friends take part), fast, or nothing.
        traces: what is heard of it that stands out, as it is laid out.
    """

    def __init__(self, row: _Row, world: World, rng: Rng) -> None:
        self.kind, self.arousal, self.flag, self._cues = row.kind, row.arousal, row.flag, row.cues
        self.is_moment = row.flag == MOMENT
        lengths_s = [
            np.interp(rng.random(), (0, 1), [*map(float, each.split("-"))]) for each in row.lengths_s
        ]
        self.marks: Floats = np.cumsum([0.0, *lengths_s])
        self.start_s, self.end_s = 0.0, float(max(self.marks[5], 3.0))
        if self.is_moment:
            self.start_s, self.end_s = _cut(self.marks, row, world, rng)
        self.signs = _draw_signs(row, world, rng)
        self.traces: list[Sign] = []

    def is_marked_by(self, line: Line, section: str) -> bool:
        """Whether a line is laughter, raised or hushed, or the words of the reaction; calm talk about it is none."""
        is_answer = self.marks[PEAK] <= line.start_s < self.marks[DECAY]
        is_calm = bool(line.text) and abs(line.arousal) < _RAISED
        is_heard = line.end_s - line.start_s > 0.25  # not a syllable before something cuts it off
        return is_heard and (not is_calm or (is_answer and section == f"say.{self.kind}"))

    def cues(self, sign: str, rng: Rng) -> Iterator[Cue]:
        """The cues of mic, desktop or picture as they are drawn; none where the sign is missing."""
        cell = self._cues[sign] if self.signs[sign] else ""
        for name, phase, rate_hz in re.findall(r"(\w+)@(\d)\*?([\d.]*)", cell):
            at_s, end_s = self.marks[int(phase)], self.marks[int(phase) + 1]
            for _ in range(rng.poisson(float(rate_hz) * (end_s - at_s)) if rate_hz else 1):
                cue_s = rng.uniform(at_s, end_s) if rate_hz else at_s
                yield Cue(name, cue_s, max(end_s - at_s, 0.3), self.signs[sign])


def _cut(marks: Floats, row: _Row, world: World, rng: Rng) -> tuple[float, float]:
    """A joke needs all of its set-up, a goal little; the answer stays in, the decay in part."""
    kept = np.clip(row.lead + 0.5 * (world.loose - 0.5) + rng.normal(0, 0.12), 0.25, 1.1)
    start_s = marks[PEAK] * (1 - kept) - abs(rng.normal(0.5, world.scatter_s))
    rest = np.clip(row.tail + 0.7 * (world.loose - 0.5) + rng.normal(0, 0.15), 0, 1)
    end_s = marks[DECAY] + (marks[5] - marks[DECAY]) * rest
    if rng.random() <= 0.12:  # on the best line
        end_s = rng.uniform(marks[ANSWER : DECAY + 1].mean(), marks[DECAY])
    end_s = max(
        end_s + rng.normal(0.3, world.scatter_s / 2), start_s + rng.uniform(7.1, 9), marks[ANSWER] + 1
    )
    return float(max(start_s, end_s - 37.5)), float(end_s)


def _draw_signs(row: _Row, world: World, rng: Rng) -> dict[str, float]:
    """By chance, and more where a moment would not show otherwise."""
    is_moment = row.flag == MOMENT
    force = {name: float(np.clip(np.exp(rng.normal(0, 0.35)), 0.5, 1.9)) for name in row.chances}
    signs = {name: force[name] * (rng.random() < row.chances[name]) for name in force}
    weight = {
        "voice": min(world.streamer.expressive, 1.0),
        "chat": 0.8 if world.chat_hz > 0.03 else 0.1,
    }
    need = 2.1 if rng.random() < 0.94 else 1.0  # most show to a careful human, a few stay buried
    for name in sorted(SIGNS, key=lambda sign: -(rng.random() ** (1 / (row.chances[sign] + 0.01)))):
        if is_moment and sum(min(signs[sign], 1.2) * weight.get(sign, 1) for sign in SIGNS) < need:
            signs[name] = max(signs[name], force[name], 0.8)
    signs["mic"] = signs["voice"] if is_moment else force["mic"]
    return signs


def lay_out_beats(world: World, rng: Rng) -> list[Beat]:
    """Moments and at least as many decoys in random order with uneven gaps; none where there is no room."""
    rows = [_Row.read(line) for line in table("beats")]
    groups = [[row for row in rows if (row.flag == MOMENT) is is_moment] for is_moment in (True, False)]
    least, wanted = (max(1, round(many * world.duration_s / 600)) for many in (3, rng.uniform(2.6, 10.4)))
    for attempt in range(100):
        beats: list[Beat] = []
        for group, count in zip(groups, (wanted, wanted + int(rng.integers(0, 4))), strict=True):
            odds = np.array([row.weight * (2.2 if row.kind in world.favoured else 1.0) for row in group])
            picks = rng.choice(len(group), count, p=odds / odds.sum())
            beats += [Beat(group[pick], world, rng) for pick in picks]
        beats = [beats[place] for place in rng.permutation(len(beats))]
        edges = [(min(0.0, beat.start_s), max(float(beat.marks[5]), beat.end_s)) for beat in beats]
        taken_s = sum(end_s - start_s for start_s, end_s in edges)
        slack_s = world.duration_s - 8 - taken_s - GAP_S * (len(beats) - 1)
        if slack_s > 0.04 * world.duration_s:
            break
        wanted = max(least, wanted - attempt % 2)
    else:
        return []
    at_s = 4.0
    gaps_s = rng.dirichlet(np.full(len(beats) + 1, 0.9)) * slack_s
    for beat, gap_s, (first_s, last_s) in zip(beats, gaps_s, edges, strict=False):
        beat.marks = beat.marks + (at_s + gap_s - first_s)
        beat.start_s = beat.start_s + at_s + gap_s - first_s
        beat.end_s = beat.end_s + at_s + gap_s - first_s
        at_s += gap_s + last_s - first_s + GAP_S
    return beats


class Mood(NamedTuple):
    """What somebody is about to do."""

    section: str  # of the tables; empty says nothing
    arousal: float
    pause_s: float
    until_s: float  # when it changes
    laugh: float  # how likely it is a laugh


def mood_in(beat: Beat, at_s: float, part: str, rng: Rng) -> Mood:
    """The mood of streamer, friend or announcer at a time inside a beat."""
    last_s, signs = beat.marks[5], beat.signs
    if part == "announcer":
        is_heard = beat.kind in ("advert", "cutscene", "sitcom")
        return Mood(f"say.{beat.kind}" if is_heard else "", 0.3, 0.8, last_s, 0.0)
    if beat.flag == "mute" or (part == "friend" and beat.flag not in (MOMENT, "shared")):
        talks = part == "friend" or rng.random() < 0.3
        return Mood("talk" if talks else "", 0.0, 8.0, last_s, 0.0)
    phase = int(np.clip(np.searchsorted(beat.marks, at_s, "right") - 1, BUILD, DECAY))
    start_s, until_s = beat.marks[phase], beat.marks[phase + 1]
    done = (at_s - start_s) / max(until_s - start_s, 0.1)
    laugh = (0.0, 0.15, 0.6, 0.68, 0.3)[phase] if signs["laugh"] else 0.0
    if phase == HUSH and (signs["voice"] or signs["words"] or laugh) and rng.random() > laugh:
        return Mood("", 0.0, 0.1, until_s, 0.0)  # stunned, or it has yet to sink in
    if phase == BUILD:
        section = f"build.{beat.kind}" if signs["words"] else "talk"
    else:
        section = f"say.{beat.kind}" if signs["words"] else "mild" if signs["voice"] else "talk"
    low, high, after = (level * signs["voice"] for level in beat.arousal)
    arousal = (low * done, high, high, after * (1.1 - 0.35 * done), after * 0.55 * (1 - done))[phase]
    is_on_topic = rng.random() < (0.6, 1, 1, 1, 0.4)[phase]
    return Mood(section if is_on_topic else "talk", arousal, (1, 0.4, 0.4, 0.4, 1)[phase], until_s, laugh)
