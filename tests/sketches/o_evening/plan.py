"""The course of an evening: spans, the scenes between them, and what is said and heard in ordinary time."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tests.sketches.guide import LEAST_S, MOST_S, from_signs, kept_apart
from tests.sketches.o_evening.bank import Bank
from tests.sketches.o_evening.script import DECOYS, MOMENTS, Recipe, Stage, stage_decoy, stage_moment
from tests.sketches.o_evening.voice import seconds_of
from tests.sketches.o_evening.who import Event, Line, Persona, Plan
from tests.sketches.sketch import Span

GAP_S = 8.6
ODDS = {  # of the moments in the order of the word list, by genre
    "souls": (0.8, 1.0, 1.0, 1.2, 0.5, 1.2, 0.6),
    "sports": (0.7, 0.8, 0.4, 0.8, 3.0, 0.8, 0.6),
    "platform": (0.6, 0.9, 0.8, 1.6, 0.8, 1.0, 0.7),
    "shooter": (1.0, 0.8, 1.3, 0.9, 1.4, 0.8, 0.5),
}


@dataclasses.dataclass(slots=True)
class Slot:
    """A moment or decoy to be placed: the event lies `pre` seconds after the start."""

    recipe: Recipe
    moment: bool
    pre: float
    post: float
    start: float = 0.0

    @property
    def end(self) -> float:
        """Where what happens is over."""
        return self.start + self.pre + self.post


def _slots(who: Persona, duration_s: float, rng: np.random.Generator) -> list[Slot]:
    """Which moments and decoys there are tonight, few and short enough to fit."""
    low = max(1 if duration_s >= 60 else 0, math.ceil(3 * duration_s / 600)) if duration_s >= 60 else 0
    count = int(rng.integers(low, max(low, int(duration_s / 60)) + 1))
    odds = np.array(ODDS[who.genre])
    picked = [(MOMENTS[str(k)], True) for k in rng.choice(list(MOMENTS), count, p=odds / odds.sum())]
    kinds = [k for k, d in DECOYS.items() if "chat" not in d.parts or who.chat_per_min]
    kinds = [k for k in kinds if DECOYS[k].names("genre") in ([], [who.genre])]
    more = count + int(rng.integers(0, 3 + count // 2))
    picked += [(DECOYS[str(k)], False) for k in rng.permutation(kinds * math.ceil(more / len(kinds)))[:more]]
    out = [
        Slot(r, m, float(rng.uniform(*r.pair("pre"))), float(rng.uniform(*r.pair("post")))) for r, m in picked
    ]
    while sum(s.end + GAP_S for s in out) + GAP_S > 0.97 * duration_s:
        if sum(1 - 2 * s.moment for s in out) > 0:
            out.pop()
        elif len(out) > 2 * low:
            out = out[1:-1]
        for s in out:
            shrink = max(0.95, (LEAST_S + 0.5 if s.moment else 4.0) / s.end)
            s.pre, s.post = s.pre * shrink, s.post * shrink
    return [out[i] for i in rng.permutation(len(out))]


def _lay(plan: Plan, slots: list[Slot], rng: np.random.Generator) -> None:
    """Places the slots, and says roughly where decoys begin and end, all at least 8 s apart."""
    free = plan.duration_s - sum(s.end + GAP_S for s in slots) - GAP_S
    t = 0.0
    for s, share in zip(slots, rng.dirichlet(np.full(len(slots) + 1, 1.2)), strict=False):
        s.start = t + float(share) * free + GAP_S
        t = s.end
    last = -8.0
    for k, s in enumerate(slots):
        loose = 1.0 if s.moment else 0.4
        a = s.start + loose * float(rng.normal(-0.3 * plan.who["cut"], 0.8))
        b = s.end + loose * float(rng.normal(0.6 * plan.who["cut"], 1.2))
        a = max(a, last + 8.02, s.start - 4)
        room = slots[k + 1].start if k + 1 < len(slots) else plan.duration_s + GAP_S - 1
        b = min(max(b, a + (LEAST_S if s.moment else 2.0)), room - 8.05, a + MOST_S)
        if not s.moment:
            plan.decoys.append(Span(start_s=a, end_s=b, kind=s.recipe.kind))
        last = b


def _scenes(plan: Plan, slots: list[Slot], rng: np.random.Generator) -> None:
    """Each span in its scene; between them play, fights, menus and talk."""
    t = 0.0
    for s in slots:
        begin = max(t, s.start - float(rng.uniform(2, 25) if s.moment else rng.uniform(0, 6)))
        _ordinary_scenes(plan, t, begin, rng)
        t = min(s.end + float(rng.uniform(0, 3)), plan.duration_s)
        name = str(rng.choice(s.recipe.names("scenes")))
        plan.scenes.append(Event(begin, name, float(rng.uniform(0.4, 1.0)), t))
    _ordinary_scenes(plan, t, plan.duration_s, rng)


def _ordinary_scenes(plan: Plan, start: float, end: float, rng: np.random.Generator) -> None:
    t = start
    while end - t > 0.05:
        name = str(rng.choice(["play", "fight", "menu", "talk"], p=[0.5, 0.28, 0.14, 0.08]))
        long = float(rng.uniform(12, 70) if name in ("play", "fight") else rng.uniform(5, 18))
        stop = end if end - t < long + 4 else t + long
        plan.scenes.append(Event(t, name, float(rng.beta(2, 2)), stop))
        t = stop


def _ordinary_talk(plan: Plan, bank: Bank, rng: np.random.Generator) -> None:
    """Runs of lines with silences between, outside of what is staged; less and shorter in a fight."""
    who, t, mood = plan.who, float(rng.uniform(0.2, 4)), float(rng.normal(0, 1.5))
    closed = [*plan.closed, *((x.start_s - 0.2, x.end_s + 0.3) for x in plan.lines)]
    while t < plan.duration_s - 1:
        scene = next((x for x in plan.scenes if x.end_s > t), plan.scenes[-1])
        if scene.name == "brb":
            t = scene.end_s + 0.5
            continue
        text, loud = _remark(plan, bank, scene, rng)
        line = Line(t, seconds_of(text, who.throat.pace), text, "say", mood + loud, 0.25 * loud)
        if rng.random() < 0.03 + 0.05 * who["react"]:
            kind = str(rng.choice(["laugh", "laugh", "sigh", "gasp"]))
            line = Line(t, float(rng.uniform(0.6, 1.9)), "", kind, loud - 2)
        hits = [b for a, b in closed if a < line.end_s + 0.1 and b > t]
        if hits or line.end_s > plan.duration_s:
            t = max([*hits, t + 0.3]) + float(rng.uniform(0, 1.5))
            continue
        plan.lines.append(line)
        stay = rng.random() < 0.25 + 0.6 * who["talk"] * {"fight": 0.75, "talk": 1.3}.get(scene.name, 1.0)
        pause = rng.exponential(0.45) + 0.12 if stay else rng.exponential(9 * (1.15 - 0.8 * who["talk"])) + 1
        t = line.end_s + float(pause)
        mood = mood if stay else float(rng.normal(0, 1.5))


def _remark(plan: Plan, bank: Bank, scene: Event, rng: np.random.Generator) -> tuple[str, float]:
    """One ordinary line and its loudness: most even, some animated."""
    who, odds = plan.who, [0.3, 0.4, 0.3, 0.0, 0.0]
    if scene.name == "fight":
        odds = [0.12, 0.3, 0.05, 0.38, 0.15]
    elif scene.name in ("talk", "menu"):
        odds = [0.4, 0.2, 0.4, 0.0, 0.0]
    if not who.chat_per_min:
        odds[0], odds[2] = odds[0] + odds[2], 0
    options = ["talk.any", "talk." + who.genre, "talk.chat", "talk.fight", "tense"]
    text = bank.pick(rng, str(rng.choice(options, p=odds)))
    if rng.random() < 0.12:
        text = f"{who.tic} {text}" if rng.random() < 0.5 else f"{text} {who.tic}"
    loud = float(rng.normal(0, 1.3))
    if rng.random() < 0.04 + 0.12 * who["react"] * (0.4 + scene.size):
        loud += float(rng.uniform(2.5, 4 + 5 * who["react"])) * who["squash"]
    return text, loud


def _small_things(plan: Plan, bank: Bank, rng: np.random.Generator) -> None:
    """What happens all the time: waves in chat, alerts, hits, cuts, bumps, friends in the voice channel."""

    def times(start: float, end: float, per_s: float) -> list[float]:
        return [float(t) for t in rng.uniform(start, end, rng.poisson((end - start) * per_s))]

    who, d = plan.who, plan.duration_s
    for t in times(0, d, 1 / 75):
        section = str(rng.choice(["idle", "emotes", "fun", "question"]))
        plan.waves.append(Event(t, section, float(rng.uniform(0.05, 0.35))))
    for t in times(0, d, min(1.5, (who.viewers / 400) ** 0.3) / 260):
        plan.cues.append(Event(t, "alert", -2.0))
        plan.looks.append(Event(t, "alert", 0.6, t + 4))
    for scene in (x for x in plan.scenes if x.name in ("fight", "play")):
        hot = scene.size * (1.6 if scene.name == "fight" else 0.5)
        for t in times(scene.at_s, scene.end_s, hot / 9):
            name = str(rng.choice(["flash", "shake", "cut", "sparks"]))
            plan.looks.append(Event(t, name, float(rng.uniform(0.2, 0.8)), t + float(rng.uniform(0.3, 1.2))))
        for t in times(scene.at_s, scene.end_s, hot / 28):
            name = str(rng.choice(["boom", "crowd", "chime", "sting"]))
            plan.cues.append(Event(t, name, float(rng.uniform(-12, 2))))
    plan.cues += [Event(t, "mic_bump", float(rng.uniform(-26, -8))) for t in times(0, d, 1 / 150)]
    t = 0.0 if who.has("mates") else d
    while (t := t + float(rng.exponential(9)) + 0.5) < d - 4:
        text = bank.pick(rng, str(rng.choice(["talk.fight", "mates", "talk." + who.genre])))
        line = Line(t, seconds_of(text, 5.0), text, "say", float(rng.normal(0, 2.5)))
        if rng.random() < 0.08:
            line = Line(t, float(rng.uniform(0.8, 2.5)), "", "laugh", 1.0)
        plan.others.append(line)
        t = line.end_s


def plan_evening(who: Persona, duration_s: float, bank: Bank, rng: np.random.Generator) -> Plan:
    """The whole course of one evening."""
    plan = Plan(who, duration_s)
    slots = _slots(who, duration_s, rng)
    _lay(plan, slots, rng)
    _scenes(plan, slots, rng)
    moments: list[Span] = []
    for s in slots:
        stage = Stage(plan, bank, rng, s.start, s.start + s.pre, s.end)
        (stage_moment if s.moment else stage_decoy)(stage, s.recipe)
        if s.moment:
            # Lines before the event are as even as ordinary talk, and silences no longer: neither is a sign.
            begin, stop = from_signs(
                stage.signs, stage.event, early_s=1.0, duration_s=duration_s, spare_s=0.005
            )
            moments.append(Span(start_s=begin, end_s=stop, kind=s.recipe.kind))
    plan.moments, plan.decoys = kept_apart(moments, plan.decoys, spare_s=0.01)
    _small_things(plan, bank, rng)
    _ordinary_talk(plan, bank, rng)
    plan.lines.sort(key=lambda x: x.start_s)
    plan.others.sort(key=lambda x: x.start_s)
    return plan
