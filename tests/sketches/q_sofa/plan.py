"""The plan of a stream: its chapters, its events with room between them, and ordinary life in the rest."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt

from tests.sketches.q_sofa import decoys, lines, moments
from tests.sketches.q_sofa.people import EVENINGS, Streamer, meet
from tests.sketches.q_sofa.signs import Event, Sign, pick, speak

GAP_S = 8.5
STEP_HZ = 10

# How often ordinary talk is calm, lively, a murmur or loud; now and then all is brighter.
_USUAL, _BRIGHT = [0.68, 0.2, 0.1, 0.02], [0.34, 0.5, 0.02, 0.14]

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that sound, picture, words and chat are made from.

    Attributes:
        chapters: (start_s, end_s, evening), from 0 to the end.
        signs: those of the events and of ordinary life, by their start.
        play: how hard the game goes, 0 (a menu) to 1, ten a second.
        duck: 0 where music and game fall silent, 1 elsewhere, ten a second.
    """

    seed: int
    duration_s: float
    who: Streamer
    chapters: tuple[tuple[float, float, str], ...]
    events: tuple[Event, ...]
    signs: tuple[Sign, ...]
    play: Floats
    duck: Floats

    def evening_at(self, at_s: float) -> str:
        """What is on at that time."""
        for start, end, evening in self.chapters:
            if start <= at_s < end:
                return evening
        return self.chapters[-1][2]


def _kinds(rng: np.random.Generator, favourites: list[str], count: int) -> list[str]:
    """So many kinds, each kind once before any comes twice; what is named twice comes sooner."""
    out: list[str] = []
    while len(out) < count:
        order = [favourites[int(i)] for i in rng.permutation(len(favourites))]
        out += list(dict.fromkeys(order))
    return out[:count]


def _draw(rng: np.random.Generator, favourites: list[str], count: int) -> list[str]:
    """So many kinds as a streamer's taste has them, three or four of them different at least."""
    taste = rng.dirichlet(np.full(len(favourites), 3.0))
    while True:
        out = [str(kind) for kind in rng.choice(favourites, count, p=taste)]
        if len(set(out)) >= min(4 if count > 5 else 3, count):
            return out


def _evenings(rng: np.random.Generator, main: str, count: int) -> list[str]:
    """What is on at each event: mostly the main thing, in half of the streams another for a while."""
    out = [main] * count
    if count >= 6 and rng.random() < 0.5:
        other = str(rng.choice([e for e in EVENINGS if e != main]))
        size = int(rng.integers(1, max(2, count // 3) + 1))
        start = int(rng.choice([0, count - size, (count - size) // 2]))
        out[start : start + size] = [other] * size
    return out


def _choose(rng: np.random.Generator, who: Streamer, duration_s: float) -> list[Event]:
    """The events in order, each still at about 0; as many as there is room for."""
    share = duration_s / 600.0
    wanted = max(1, round(int(rng.integers(4, 10)) * share))
    extra = round(int(rng.integers(0, 4)) * share)
    while True:
        flags = [True] * wanted + [False] * (wanted + extra)
        flags = [flags[int(i)] for i in rng.permutation(len(flags))]
        evenings = _evenings(rng, who.evening, len(flags))
        good = _draw(rng, moments.FAVOURITES[who.evening].split(), wanted)
        out: list[Event] = []
        bad = _kinds(rng, f"{decoys.COMMON} {decoys.OWN[who.evening]}".split(), wanted + extra + 4)
        for flag, evening in zip(flags, evenings, strict=True):
            if flag:
                out.append(moments.moment(rng, who, good.pop(0), evening))
                continue
            kind = bad.pop(0)
            while (kind == "pal_shouts" and evening != "coop") or (
                kind == "loud_play" and evening not in ("shooter", "coop")
            ):
                kind = bad.pop(0) if bad else "alert"
            out.append(decoys.decoy(rng, who, kind, evening))
        length = sum(e.extent_s[1] - e.extent_s[0] for e in out)
        if length + GAP_S * (len(out) + 1) <= duration_s * 0.97:
            return out
        if extra:
            extra -= 1
        elif wanted > 1:
            wanted -= 1
        elif duration_s < 90:
            return out[:1] if length + 17 > duration_s and flags[0] else [e for e in out if e.is_moment]


def _place(rng: np.random.Generator, events: list[Event], duration_s: float) -> list[Event]:
    """The events with their times: at least the gap between any two, the rest shared out by chance."""
    lengths = [e.extent_s[1] - e.extent_s[0] for e in events]
    spare = max(0.0, duration_s - sum(lengths) - GAP_S * (len(events) + 1))
    shares = rng.dirichlet(np.full(len(events) + 1, 1.3)) * spare
    out, t = [], 0.0
    for event, length, share in zip(events, lengths, shares[:-1], strict=True):
        t += GAP_S + float(share)
        out.append(event.later(t - event.extent_s[0]))
        t += length
    return out


def _chapters(events: list[Event], main: str, duration_s: float) -> list[tuple[float, float, str]]:
    """A chapter ends midway between two events of different evenings."""
    out: list[tuple[float, float, str]] = []
    start = 0.0
    for one, two in itertools.pairwise(events):
        if one.evening != two.evening:
            middle = (one.extent_s[1] + two.extent_s[0]) / 2
            out.append((start, middle, one.evening))
            start = middle
    return [*out, (start, duration_s, events[-1].evening if events else main)]


def _play(rng: np.random.Generator, plan: Plan) -> tuple[Floats, Floats]:
    """How hard the game goes through it all, and where it falls silent."""
    count = round(plan.duration_s * STEP_HZ)
    times = np.arange(count) / STEP_HZ
    knots = np.arange(0.0, plan.duration_s + 12.0, 6.0)
    play = np.interp(times, knots, np.clip(rng.beta(1.6, 1.8, len(knots)), 0.08, 0.8))
    t = float(rng.uniform(15, 90))
    while t < plan.duration_s:
        length = float(rng.uniform(5, 18))
        play[round(t * STEP_HZ) : round((t + length) * STEP_HZ)] = 0.0
        t += length + float(rng.uniform(50, 160))
    for start, end, evening in plan.chapters:
        if evening in ("sofa", "quiz"):
            play[round(start * STEP_HZ) : round(end * STEP_HZ)] *= 0.3
    duck = np.ones(count)
    for event in plan.events:
        low, high = (round(x * STEP_HZ) for x in event.span_s)
        usual = play[max(0, low)] if event.is_moment else None
        for sign in event.signs:
            first, last = max(0, round(sign.at_s * STEP_HZ)), round(sign.end_s * STEP_HZ)
            if sign.where == "play":
                before = slice(max(0, first - 4 * STEP_HZ), first)
                play[before] = np.minimum(play[before], 0.5)
                play[first:last] = np.maximum(play[first:last], 0.55 + 0.5 * sign.power)
            elif sign.where == "duck":
                duck[first:last] = 0.08
            elif sign.name in ("film", "advert", "windows"):
                play[first:last] = 0.0
        if usual is not None and not any(s.where == "play" for s in event.signs):
            play[low:high] = max(0.15, min(float(usual), 0.4))
    return np.clip(play, 0.0, 1.1), duck


def _free(events: list[Event], duration_s: float) -> list[tuple[float, float]]:
    """Where ordinary talk may be: outside of held times and of laid speech."""
    busy = sorted((s.at_s, s.end_s) for e in events for s in e.signs if s.where in ("voice", "hold"))
    out, t = [], 0.5
    for start, end in busy:
        if start - t > 1.0:
            out.append((t, start - 0.4))
        t = max(t, end + 0.5)
    return [*out, (t, duration_s - 0.3)]


def _ordinary(rng: np.random.Generator, plan: Plan) -> list[Sign]:
    """Talk with pauses, a friend's answers, small laughs; chatty and quiet stretches by turns."""
    who = plan.who
    out: list[Sign] = []
    mood, mood_until, bright = who.talk, 0.0, False
    for start, end in _free(list(plan.events), plan.duration_s):
        t = start + float(rng.uniform(0.0, 2.0))
        while t < end - 0.8:
            if t > mood_until:
                mood = float(np.clip(who.talk + rng.normal(0.0, 0.22), 0.08, 0.92))
                mood_until = t + float(rng.uniform(15, 50))
                bright = bool(rng.random() < 0.22)
            evening = plan.evening_at(t)
            block = lines.WAFFLE if rng.random() < 0.3 else lines.ORDINARY[evening]
            style = str(rng.choice(["calm", "lively", "murmur", "loud"], p=_BRIGHT if bright else _USUAL))
            said = speak(rng, who, t, pick(rng, who, block), style, power=float(rng.uniform(0.7, 1.1)))
            if said.end_s > end:
                t += 1.5
                continue
            out.append(said)
            t = said.end_s + 0.15
            if rng.random() < who.giggle and t + 1.4 < end:
                length = float(rng.uniform(0.6, 1.2))
                power = float(rng.uniform(0.2, 0.4))
                out.append(Sign(at_s=t, end_s=t + length, where="voice", name="laugh", power=power))
                t += length
            pause = float(rng.exponential(0.3 + (said.end_s - said.at_s) * (1 - mood) / mood))
            answered = evening == "coop" or (evening == "sofa" and who.guest)
            if answered and rng.random() < 0.55:
                length = float(rng.uniform(0.5, 3.5))
                style = "lively" if rng.random() < 0.25 else "calm"
                if t + length < end:
                    out.append(Sign(at_s=t + 0.2, end_s=t + 0.2 + length, where="other", name=style))
                pause = max(pause, length * rng.uniform(0.4, 1.2))
            t += min(pause, 22.0)
    return out


def _small(rng: np.random.Generator, plan: Plan) -> list[Sign]:
    """What happens all the time and is nothing: a death, an answer shown, a pan put down."""
    busy = [e.extent_s for e in plan.events]
    out: list[Sign] = []
    t = float(rng.uniform(5, 20))
    while t < plan.duration_s - 6:
        power = float(rng.uniform(0.3, 0.7))
        what = {
            "shooter": ["desk lose 1.5", "pic dead 3", "desk kill 0.6", "pic flash 0.3", "pic kills 2"],
            "coop": ["desk chime 1.5", "pic glow 2", "desk splash 1", "desk door 0.8", "pic fall 0.6"],
            "sofa": ["room tock 0.5", "pic lean 2", "room crash 0.7", "pic zoom 4", "room ring 1.2"],
            "quiz": ["desk right 1.2", "desk wrong 1", "pic reveal 2", "desk coins 1", "pic lean 1.5"],
        }[plan.evening_at(t)]
        for k in rng.choice(len(what), int(rng.integers(1, 3)), replace=False):
            where, name, length = what[int(k)].split()
            end = t + float(length)
            if not any(start - 4.0 < end and t < stop + 3.0 for start, stop in busy):
                power = power * 0.5 if where == "room" else power
                out.append(Sign(at_s=t, end_s=end, where=where, name=name, power=power))
        t += float(rng.uniform(8, 35))
    return out


def make_plan(seed: int, duration_s: float) -> Plan:
    """The plan of a seed."""
    who = meet(seed)
    rng = np.random.default_rng([seed, 2])
    events = _place(rng, _choose(rng, who, duration_s), duration_s)
    nothing = np.zeros(0)
    plan = Plan(
        seed=seed,
        duration_s=duration_s,
        who=who,
        chapters=tuple(_chapters(events, who.evening, duration_s)),
        events=tuple(events),
        signs=(),
        play=nothing,
        duck=nothing,
    )
    play, duck = _play(np.random.default_rng([seed, 3]), plan)
    signs = [s for e in events for s in e.signs] + _ordinary(np.random.default_rng([seed, 4]), plan)
    signs += _small(np.random.default_rng([seed, 5]), plan)
    ordered = tuple(sorted(signs, key=lambda s: (s.at_s, s.end_s)))
    return dataclasses.replace(plan, signs=ordered, play=play, duck=duck)
