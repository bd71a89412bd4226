"""The plan of one stream: phases of the game, moments and decoys, who says what and when."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.guide import kept_apart
from tests.sketches.k_voices.game import ROUTINE
from tests.sketches.k_voices.script import CYCLES, Beat, Cast, Scene, script
from tests.sketches.k_voices.truth import (
    TALK,
    Sign,
    line_seen,
    look_seen,
    sound_seen,
    span_of,
)
from tests.sketches.k_voices.voice import Line, num_syllables
from tests.sketches.sketch import Span

Phase = tuple[float, float, str]

_GAP_S = 8.3
_LASTS = {"lobby": (25, 70), "loading": (5, 14), "play": (45, 120), "meeting": (25, 60), "result": (7, 15)}
_LINES_PER_S = {"lobby": 0.36, "loading": 0.22, "play": 0.33, "meeting": 0.62, "result": 0.42}
_SOUNDS_PER_S = {"lobby": 0.25, "loading": 0.05, "play": 0.9, "meeting": 0.25, "result": 0.4}
_WORDLESS_S = {"laugh": (1.2, 4.2), "scream": (0.6, 1.8), "gasp": (0.3, 0.5)}
_WORDLESS_S |= {"cough": (0.7, 1.5), "aww": (0.8, 1.4), "breath": (0.3, 0.5)}


class Cue(NamedTuple):
    """A sound of the game, something to see, or a wave of chat."""

    at_s: float
    name: str
    strength: float


class Plan(NamedTuple):
    """All that happens in one stream."""

    phases: list[Phase]
    lines: list[Line]
    cues: dict[str, list[Cue]]  # of the game, the mic (thumps), the look and the chat
    moments: tuple[Span, ...]
    decoys: tuple[Span, ...]


class _Slot(NamedTuple):
    """When a scene is laid, as an editor cuts it: from the build-up to the end of the reaction."""

    scene: Scene
    start_s: float
    event_s: float
    end_s: float
    is_moment: bool


_Drawn = tuple[Scene, bool, float, float]  # whether it is a moment; seconds of build-up and of reaction


def _seconds(pair: tuple[float, float], rng: np.random.Generator) -> float:
    """Between the two as a rule; some things take far longer, and some editors cut far closer."""
    return float(rng.uniform(*pair) * rng.lognormal(-0.05, 0.3))


def _draw_scenes(cast: Cast, duration_s: float, rng: np.random.Generator) -> list[_Drawn]:
    """Which scenes there will be, in order: what the stream has room for, no fewer decoys than moments."""
    share = duration_s / 600
    num = max(int(duration_s >= 60), round(int(rng.integers(3, 11)) * share)) if duration_s >= 45 else 0
    num_decoys = num + round(int(rng.integers(0, 6)) * share)

    def draw(scenes: tuple[Scene, ...], count: int, is_moment: bool) -> list[_Drawn]:
        fitting = [scene for scene in scenes if set(CYCLES[cast.game]) & set(scene.phases)]
        picks = np.concatenate([rng.permutation(len(fitting)) for _ in range(count // len(fitting) + 1)])
        chosen = (fitting[i] for i in picks[:count])
        return [(s, is_moment, _seconds(s.build_s, rng), _seconds(s.react_s, rng)) for s in chosen]

    moments = draw(script().moments, num, True)
    decoys = draw(script().decoys, num_decoys, False) if num else []
    while (
        len(moments) > 1
        and sum(max(6.1, d[2] + d[3]) + _GAP_S for d in moments + decoys) + _GAP_S > duration_s
    ):
        (decoys if len(decoys) > len(moments) else moments).pop()
    drawn = moments + decoys
    return [drawn[i] for i in rng.permutation(len(drawn))]


def _place(cast: Cast, duration_s: float, rng: np.random.Generator) -> list[_Slot]:
    """The scenes in time, with what is left of the stream shared out among the gaps by chance."""
    drawn = _draw_scenes(cast, duration_s, rng)
    room = duration_s - _GAP_S * (len(drawn) + 1)
    lengths = [float(np.clip(build + react, 6.1, 39.9)) for _, _, build, react in drawn]
    if sum(lengths) > room:  # a very short stream is shared out evenly
        lengths = [room / len(drawn)] * len(drawn)
    slack = room - sum(lengths)
    gaps = _GAP_S + slack * rng.dirichlet(np.full(len(drawn) + 1, 1.3))
    slots, at = [], 0.0
    for (scene, is_moment, build, react), length, gap in zip(drawn, lengths, gaps, strict=False):
        at += float(gap)
        slots.append(_Slot(scene, at, at + length * build / (build + react), at + length, is_moment))
        at += length
    return slots


def _phases(cast: Cast, slots: list[_Slot], duration_s: float, rng: np.random.Generator) -> list[Phase]:
    """The game's own course, cut short or drawn out so that each scene has the phase it needs."""
    cycle = CYCLES[cast.game]
    step = int(rng.integers(len(cycle)))
    at, left = 0.0, float(rng.uniform(*_LASTS[cycle[step]]))
    phases: list[Phase] = []

    def close(until: float) -> None:
        nonlocal at, step, left
        phases.append((at, until, cycle[step]))
        at, step = until, (step + 1) % len(cycle)
        left = float(rng.uniform(*_LASTS[cycle[step]]))

    for slot in slots:
        lead = slot.start_s - float(rng.uniform(1.5, 4))
        while at + left < lead:
            close(at + left)
        if cycle[step] not in slot.scene.phases:
            close(max(at + 0.1, lead))
            while cycle[step] not in slot.scene.phases:
                step = (step + 1) % len(cycle)
        left = max(left, slot.end_s - at + float(rng.uniform(1, 4)))
    while at + left < duration_s:
        close(at + left)
    close(duration_s)
    return phases


def _signs(slot: _Slot, rng: np.random.Generator) -> dict[str, float]:
    """How strongly each channel shows a scene: a moment in several, in two or in one; a decoy as written."""
    names = {"me": ("voice", "words"), "game": ("game",), "look": ("look",), "chat": ("chat",)}
    present = sorted({n for b in slot.scene.beats if b.high >= 0 for n in names.get(b.who, ("friends",))})
    if not slot.is_moment:
        return dict.fromkeys(present, float(rng.uniform(0.6, 1.1)))
    num = int(rng.choice([1, 2, 3, 4, 5, 6], p=(0.1, 0.19, 0.17, 0.2, 0.18, 0.16)))
    weight = np.array([{"game": 0.4, "look": 0.5}.get(n, 1.0) for n in present])  # people make these moments
    strong = set(rng.choice(present, min(num, len(present)), replace=False, p=weight / weight.sum()).tolist())
    return {n: float(rng.uniform(0.7, 1.1) if n in strong else rng.uniform(0, 0.45)) for n in present}


class _Stage:
    """Takes down what happens; nobody speaks twice at a time, and the scenes come before the small talk."""

    def __init__(self, cast: Cast, duration_s: float, rng: np.random.Generator) -> None:
        self.cast, self.duration_s, self.rng = cast, duration_s, rng
        self.lines: list[Line] = []
        self.cues: dict[str, list[Cue]] = {"game": [], "mic": [], "look": [], "chat": []}
        self._busy: npt.NDArray[np.bool_] = np.zeros((len(cast.voices), int(duration_s * 20) + 1), bool)

    def speak(
        self, who: int, at_s: float, how: str, topic: str, effort: float, patience_s: float
    ) -> Line | None:
        """A line at this time, or as soon after as its speaker is free; dropped if that is too late."""
        rng, voice = self.rng, self.cast.voices[who]
        text = ""
        if how == "say":
            tries = [self.cast.line(topic, rng) for _ in range(4)]
            recent = {line.text for line in self.lines[-25:]}
            text = next((t for t in tries if t not in recent), tries[0])
            slow = 1 + 0.5 * max(0.0, effort - 0.6) - 0.1 * (effort < 0.3)
            length = (num_syllables(text) / voice.rate + 0.15) * slow * float(rng.uniform(0.85, 1.15))
        else:
            length = float(rng.uniform(*_WORDLESS_S[how]))
        length = float(np.clip(length, 0.3, 6.5))
        for wait in np.arange(0, patience_s + 0.01, 0.25):
            start = max(0.05, at_s + float(wait))
            busy = self._busy[who, int(start * 20) : int((start + length) * 20) + 1]
            if start + length > self.duration_s - 0.1:
                return None
            if not busy.any():
                busy[:] = True
                self.lines.append(Line(who, start, length, how, text, effort))
                return self.lines[-1]
        return None

    def _act(self, beat: Beat, phase: str, who: int, at: float, signs: dict[str, float]) -> Sign | None:
        """One mouth's part in a beat, as loud as the temper and the signs have it; gives when it stands out."""
        rng = self.rng
        sign = signs.get("voice" if who == 0 else "friends", 1.0)
        words = signs.get("words", 1.0) if who == 0 else sign
        early = beat.high < 0
        if not early and max(sign, words if beat.what == "say" else 0.0) < 0.5 and rng.random() < 0.85:
            return None
        temper = self.cast.voices[who].temper
        effort = beat.strength + float(rng.normal(0, 0.04))
        if effort > TALK:
            effort = TALK + (effort - TALK) * temper * (1.0 if early else sign)
            if beat.what in ("scream", "gasp", "laugh") and rng.random() > temper * 1.6:
                return None
        topic = beat.topic
        if who == 0 and not early and words < 0.5:
            topic = "oh" if sign > 0.5 else "calm"
        line = self.speak(who, at, beat.what, topic, max(0.1, effort), 2.0)
        return line_seen(self.cast, beat, line, phase, words >= 0.5) if line else None

    def play(self, slot: _Slot, phase: str) -> list[Sign]:
        """A scene, beat by beat; what an editor keeps lies a little off. Gives when it stands out."""
        rng, cast, seen = self.rng, self.cast, list[Sign | None]()
        signs = _signs(slot, rng)
        build = (slot.event_s - slot.start_s) * float(rng.uniform(0.7, 1.15))
        react = (slot.end_s - slot.event_s) * float(rng.uniform(0.75, 1.05))
        friends = [int(i) for i in rng.permutation(np.arange(1, cast.num_friends + 1))]
        parts = {"me": [0], "pal": friends[:1], "foe": friends[1:2], "robot": [len(cast.voices) - 1]}
        for beat in slot.scene.beats:
            for _ in range(beat.times):
                when = float(rng.uniform(beat.low, beat.high))
                at = slot.event_s + when * (build if when < 0 else react) + float(rng.normal(0, 0.1))
                if beat.who in self.cues:
                    strength = beat.strength * signs.get(beat.who, 1.0)
                    if strength > 0.3:
                        cue = Cue(at, beat.topic or beat.what, strength)
                        self.cues[beat.who].append(cue)
                        if beat.who == "game":
                            seen.append(sound_seen(*cue, phase))
                        elif beat.who == "look":
                            seen.append(look_seen(*cue))
                    continue
                people = parts.get(beat.who) or [i for i in friends if rng.random() < 0.8]
                for who in [int(rng.choice(friends))] if beat.who == "any" else people:
                    late = float(rng.exponential(0.3)) * (who > 0 and at > slot.event_s - 0.5)
                    seen.append(self._act(beat, phase, who, at + late, signs))
        return [sign for sign in seen if sign]

    def chatter(self, start_s: float, end_s: float, phase: str, slots: list[_Slot]) -> None:
        """Ordinary time in one phase: talk over one another, small laughs, the game's own small sounds."""
        rng, cast = self.rng, self.cast
        mood = float(rng.uniform(0.6, 1.4))
        num_lines, num_sounds = rng.poisson(
            (end_s - start_s) * mood * np.array([_LINES_PER_S[phase] * cast.pace, _SOUNDS_PER_S[phase]])
        )
        for at in rng.uniform(start_s, end_s, num_lines):
            # People step back for a scene, and hold their breath just before what happens in it.
            near = [abs(at - s.event_s) for s in slots if s.start_s < at < s.end_s]
            if near and (near[0] < 1.5 or rng.random() < 0.6):
                continue
            own = rng.random() < cast.own_share
            who = 0 if own else int(rng.integers(1, cast.num_friends + 1))
            warm = 0.1 * (phase == "meeting") + float(rng.exponential(cast.excitable))
            effort = TALK + float(rng.normal(0, 0.06)) + warm * cast.voices[who].temper
            how = str(rng.choice(["say", "laugh", "gasp", "breath"], p=(0.86, 0.07, 0.01, 0.06)))
            for _ in range(int(rng.geometric(0.5 if own else 0.75)) if how == "say" else 1):
                self.speak(who, float(at), how, phase, min(effort, 0.95), 4.0)
        for at in rng.uniform(start_s, end_s, num_sounds):
            name, strength = str(rng.choice(ROUTINE[phase])), float(rng.uniform(0.15, 0.6))
            self.cues["game"].append(Cue(float(at), name, strength))


def draw_plan(cast: Cast, seed: int, duration_s: float) -> Plan:
    """What happens in this stream, all of it."""
    rng = np.random.default_rng([seed, 2])
    slots = _place(cast, duration_s, rng)
    phases = _phases(cast, slots, duration_s, rng)
    stage = _Stage(cast, duration_s, rng)
    told: tuple[list[Span], list[Span]] = ([], [])
    for slot in slots:
        phase = next(name for start, end, name in phases if start <= slot.event_s < end)
        signs, kind = stage.play(slot, phase), slot.scene.kind
        if slot.is_moment:
            told[0].append(span_of(kind, slot.event_s, signs, duration_s))
        else:
            told[1].append(Span(start_s=slot.start_s, end_s=slot.end_s, kind=kind))
    for start, end, phase in phases:
        stage.chatter(start, end, phase, slots)
    return Plan(phases, sorted(stage.lines, key=lambda x: x.at_s), stage.cues, *kept_apart(*told))
