"""What happens in each kind of moment and decoy, beat by beat, after the recipes in the word list."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.guide import Sign
from tests.sketches.o_evening.bank import Bank, load
from tests.sketches.o_evening.voice import seconds_of
from tests.sketches.o_evening.who import Event, Line, Plan

SIGNS = {"voice": 1.5, "desk": 1.0, "picture": 1.0, "words": 1.2, "chat": 1.0}
SHOUT_DB = 15.0
# Louder than nearly all of ordinary talk.
TURNED_DB = 4.0
# How long an effect is clearly heard; the crowd of a match roars on.
RINGS_S = {"boom": 1.2, "win": 1.4, "crowd": 1.5, "thud": 0.4, "boing": 0.7, "chime": 0.9, "sting": 1.6}
RINGS_S.update({"kick": 0.2, "alert": 1.2, "mic_bump": 0.3, "roar": 4.0})
# Sights of the world of the game: not seen while the picture is the room or a menu.
WORLDLY = ("cut", "tumble", "shake", "sparks", "lowlife", "replay")


class Recipe:
    """One kind: names and numbers by key, as the word list has them."""

    def __init__(self, row: str) -> None:
        self.kind, *rest = row.split("; ")
        self.parts = {key: value.split() for key, value in (x.split("=") for x in rest)}

    def names(self, key: str) -> list[str]:
        """The names of a key, none where it is not set."""
        return self.parts.get(key, [])

    def pair(self, key: str, usual: str = "0 0") -> tuple[float, float]:
        """Two numbers: a range."""
        low, high = self.parts.get(key, usual.split())
        return float(low), float(high)


MOMENTS = {r.kind: r for r in map(Recipe, load()["moments"])}
DECOYS = {r.kind: r for r in map(Recipe, load()["decoys"])}


@dataclasses.dataclass(slots=True)
class Stage:
    """Where one span is played: the plan, the words, chance, and the start, event and end in seconds.

    `signs` are its sounds, sights and reactions as far as they stand out.
    """

    plan: Plan
    bank: Bank
    rng: np.random.Generator
    start: float
    event: float
    end: float
    signs: list[Sign] = dataclasses.field(default_factory=list)

    def maybe(self, names: list[str], odds: float = 0.5) -> list[str]:
        """The names without their question marks, the marked ones by chance."""
        return [x.rstrip("?") for x in names if not x.endswith("?") or self.rng.random() < odds]

    def line(
        self, t: float, section: str, loud: float, lift: float, kind: str = "say", pace: float = 1.0
    ) -> float:
        """Puts a line of the section at t; returns where it ends."""
        text = self.bank.pick(self.rng, section)
        return self.sound(t, seconds_of(text, self.plan.who.throat.pace * pace), kind, loud, lift, text)

    def sound(
        self, t: float, seconds: float, kind: str, loud: float, lift: float = 0.0, text: str = ""
    ) -> float:
        """Puts something voiced at t; returns where it ends."""
        self.plan.lines.append(Line(t, seconds, text, kind, loud, lift))
        return t + seconds

    def other(self, t: float, section: str) -> float:
        """Lets another voice say something on the desktop; returns where it ends."""
        text = self.bank.pick(self.rng, section)
        self.plan.others.append(Line(t, seconds_of(text, 4.7), text, "say", 2.0))
        return self.plan.others[-1].end_s

    def look(self, names: list[str], strength: float, t: float) -> None:
        """Puts sights at t; those of negative length lead up to it, a replay comes later."""
        for name, _, length in (x.partition(":") for x in names):
            late, long = float(self.rng.uniform(0, 0.7)) + (4.0 if name == "replay" else 0.0), float(length)
            begin = t + (long if long < 0 else late)
            self.plan.looks.append(Event(begin, name, strength, begin + abs(long)))
            scene = next((x.name for x in self.plan.scenes if x.end_s > begin), "play")
            if name not in WORLDLY or scene not in ("talk", "menu", "brb"):
                fades = 0.6 if name in ("flash", "shake") else 1.0
                self.signs.append((begin, begin + fades * abs(long)))

    def cue(self, t: float, name: str, size: float) -> None:
        """Puts a sound at t."""
        self.plan.cues.append(Event(t, name, size))
        roars = name == "crowd" and self.plan.who.genre == "sports"
        self.signs.append((t, t + RINGS_S["roar" if roars else name]))


def _signs(stage: Stage) -> dict[str, float]:
    """How strongly it shows in each sense: most in several, some in two, a few in one only, some faint."""
    rng, names = stage.rng, [x for x in SIGNS if x != "chat" or stage.plan.who.chat_per_min]
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.07, 0.17, 0.24, 0.26, 0.26]))
    odds = np.array([SIGNS[x] for x in names])
    shown = rng.choice(names, min(count, len(names)), replace=False, p=odds / odds.sum())
    faint = rng.uniform(0.35, 0.65) if rng.random() < 0.22 else 1.0
    signs = {x: float(faint * rng.uniform(0.6, 1.25)) if x in shown else 0.0 for x in SIGNS}
    if count < 3 and signs["voice"]:  # what shows in little else has moved even a reserved streamer
        signs["voice"] = max(signs["voice"], 0.5 / stage.plan.who["react"])
    return signs


def stage_moment(stage: Stage, recipe: Recipe) -> None:
    """Build-up, event, reaction, and what chat makes of it."""
    plan, rng, s, e = stage.plan, stage.rng, _signs(stage), stage.event
    kind, hush, lead = recipe.kind, float(recipe.names("hush")[0]), stage.event - stage.start
    if kind == "wholesome" and s["words"] and rng.random() < 0.6:
        read = stage.other(e - 0.5, "letter")
        stage.signs.append((e - 0.5, read))
        e += min(read - e, 0.4 * (stage.end - e))
    elif s["words"] and rng.random() < 0.75:
        _build_up(stage, kind, bool(rng.random() < hush))
    if rng.random() < hush * 0.8:
        plan.closed.append((stage.event - float(rng.uniform(0.25, 0.7)) * lead, stage.event))
    if s["desk"]:
        for k, name in enumerate(stage.maybe(recipe.names("cues"))):
            gain = 20 * np.log10(s["desk"]) + float(rng.normal(7, 2))
            stage.cue(stage.event + 0.35 * k + float(rng.uniform(0, 0.3)), name, gain)
    if s["picture"]:
        stage.look(recipe.names("looks"), s["picture"], stage.event)
    if s["voice"] or s["words"]:
        _react(
            stage, recipe, e + float(rng.uniform(*recipe.pair("delay", "0.2 0.8"))), s["voice"], s["words"]
        )
    if s["chat"]:
        late = float(rng.uniform(0.5, 3)) if kind in ("funny", "wholesome") else 0.0
        plan.waves.append(Event(e + late, kind, s["chat"] * float(rng.uniform(0.8, 1.7))))
        if rng.random() < 0.3:
            plan.waves.append(Event(stage.event - 0.4 * lead, "tense", 0.3))


def _build_up(stage: Stage, kind: str, tense: bool) -> None:
    """A line or three before the event, low and quick if it is tense; a set-up where it is funny."""
    rng, t, who = stage.rng, stage.start + 0.4, stage.plan.who
    section = (
        "setup" if kind == "funny" else "talk.chat" if kind == "wholesome" and who.chat_per_min else "tense"
    )
    while rng.random() < 0.85 and t < stage.event - 1.5:
        ends = stage.line(
            t, section, float(rng.normal(-2.5 if tense else 0.5, 1.5)), 1.0, pace=1.0 + 0.15 * tense
        )
        if ends > stage.event:
            stage.plan.lines.pop()
            return
        t = ends + float(rng.exponential(1.1)) + 0.3


def _react(stage: Stage, recipe: Recipe, t: float, voice: float, words: float) -> None:
    """The beats one after the other till the reaction has died down; each weaker than the one before."""
    strong = voice * stage.plan.who["react"]
    top = SHOUT_DB * min(1.15, strong) * stage.plan.who["squash"]
    begin, last, told = t, stage.end - 0.4, False
    for beat in stage.maybe(recipe.names("beats"), 0.35 + 0.3 * min(1.0, strong)):
        left = (last - t) / max(last - begin, 1.0)
        if left < 0.1:
            break
        lines = len(stage.plan.lines)
        t = _beat(stage, recipe.kind, beat, t, top * (0.6 + 0.4 * left), strong, words)
        for line in stage.plan.lines[lines:]:
            if _turned(line, beat, words > 0, told):
                stage.signs.append((line.start_s, line.end_s))
                told = True
        t += float(stage.rng.exponential(0.45)) + 0.1
    stage.plan.closed.append((begin - 0.3, min(t, last)))


def _turned(line: Line, beat: str, words: bool, told: bool) -> bool:
    """Whether a line is of the reaction by its sound, or by its words and not calm talk after it.

    A breath or an even remark is so only where it is the first that is made of the event.
    """
    if line.kind in ("gasp", "sigh"):
        return not told
    return line.kind != "say" or line.loud >= TURNED_DB or (words and (beat != "say" or not told))


def _beat(stage: Stage, kind: str, beat: str, t: float, top: float, strong: float, words: float) -> float:
    """One beat of a reaction; a reserved streamer, or a moment that shows elsewhere, has it small."""
    rng, low = stage.rng, -0.35 * top if kind == "rage" else 0.0
    if beat == "SHOUT" and strong > 0.25:
        if words and rng.random() < 0.75:
            return stage.line(t, "shout." + kind, top, 0.7 * top + low, pace=1.1)
        text = stage.bank.pick(rng, "screams")
        return stage.sound(
            t, float(rng.uniform(0.6, 1.0 + 1.5 * strong)), "scream", top, 0.75 * top + low, text
        )
    if beat in ("laugh", "gasp", "sigh"):
        long = rng.uniform(0.9, 2.0 + 3.0 * min(strong, 1.2)) if beat == "laugh" else rng.uniform(0.3, 0.9)
        return stage.sound(t, float(long), beat, 0.4 * top) if strong > 0.17 else t
    if beat == "slam":
        if strong > 0.5:
            stage.cue(t, "mic_bump", float(rng.uniform(-4, 5)))
        return t + 0.2
    section = ("shout." if beat == "SHOUT" else "say.") + kind if words else "talk.any"
    if beat == "soft":
        return stage.line(t, section, -2.5, -0.8, pace=0.8) + float(rng.exponential(0.5))
    part = {"Say": 0.5, "say": 0.12, "SHOUT": 0.3}[beat]
    return stage.line(t, section, part * top, 0.4 * part * top, pace=1.15 if part > 0.2 else 0.95)


def stage_decoy(stage: Stage, recipe: Recipe) -> None:
    """Plays the decoy's cues, sights, chat and beats, of which `-` is a silence."""
    plan, rng = stage.plan, stage.rng
    start, long = stage.start, stage.end - stage.start
    for k in range(int("".join(recipe.names("times")) or 1)):
        for name in stage.maybe(recipe.names("cues")):
            at = start + float(rng.uniform(0, 0.6) if k == 0 else rng.uniform(0, 0.85 * long))
            plan.cues.append(Event(at, name, float(rng.uniform(-4, 8))))
    stage.look(recipe.names("looks"), float(rng.uniform(0.5, 1.2)), start + float(rng.uniform(0, 0.5)))
    for section, _, size in (x.partition(":") for x in recipe.names("wave")):
        plan.waves.append(
            Event(start + float(rng.uniform(0, 2)), section, float(size) * float(rng.uniform(0.6, 1.4)))
        )
    lively = 9.0 * plan.who["squash"] * min(1.0, 0.3 + plan.who["react"])
    t, beats = start + float(rng.uniform(0.2, 1.0)), stage.maybe(recipe.names("beats"))
    for beat in beats:
        if t > stage.end - 1.0:
            break
        t = (
            _decoy_beat(stage, recipe, beat, t, lively, long / len(beats))
            + float(rng.exponential(0.4))
            + 0.15
        )
    plan.closed.append((start, min(t, stage.end)))


def _decoy_beat(stage: Stage, recipe: Recipe, beat: str, t: float, lively: float, share: float) -> float:
    rng, section = stage.rng, "".join(recipe.names("section"))
    if beat == "-":
        return t + share * float(rng.uniform(0.7, 1.0))
    if beat in ("tts", "npc"):
        return float(rng.uniform(t + 1, stage.other(t, beat)))
    if beat == "cough":
        return stage.sound(t, float(rng.uniform(0.5, 1.4)), "cough", float(rng.uniform(4, 12)))
    if beat == "laugh":
        return stage.sound(t, float(rng.uniform(0.8, 2.0)), "laugh", 0.3 * lively)
    if beat == "ooh":
        return stage.sound(t, float(rng.uniform(0.5, 1.1)), "scream", 0.8 * lively, 0.4 * lively, "ooooh")
    if beat == "sing":
        return stage.line(t, section, 0.4 * lively, 2.0, "sing", 0.6)
    part = {"scream": 1.1, "loud": 0.75, "Say": 0.5}.get(beat, 0.1)
    return stage.line(t, section, part * lively + float(rng.normal(0, 1)), 0.5 * part * lively)
