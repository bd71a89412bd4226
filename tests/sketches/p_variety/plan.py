"""The evening's plan: which scenes come when, and the ordinary life between them."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from tests.sketches.p_variety.decoys import DECOYS
from tests.sketches.p_variety.moments import MOMENTS
from tests.sketches.p_variety.script import TEMPERS, Scene, Sign, Streamer, Writer
from tests.sketches.p_variety.words import SAID, Deck
from tests.sketches.sketch import Sound, Span

APART_S, EDGE_S = 9.0, 3.0
SUITS: dict[str, dict[str, float]] = {
    "adventure": {"hype": 1.3, "funny": 1.2, "wholesome": 1.2, "score": 0.3},
    "roguelike": {"hype": 1.4, "clutch": 1.6, "fail": 1.4, "score": 0.5},
    "ball": {"score": 3.0, "rage": 1.3, "clutch": 1.2},
    "platformer": {"fail": 1.6, "rage": 1.6, "score": 0.9},
    "survival": {"funny": 1.8, "clutch": 1.2, "fail": 1.2, "score": 0.2},
}
FRIGHTS = {"survival": 6.0, "adventure": 1.0, "ball": 0.05}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All signs in order, the scenes they come from, and how busy play is by itself, second by second."""

    signs: tuple[Sign, ...]
    scenes: tuple[Scene, ...]
    calm: Sound

    def spans(self, moment: bool) -> tuple[Span, ...]:
        """The spans of the moments, or of the decoys."""
        ends = ((scene, *scene.span()) for scene in self.scenes if scene.moment == moment)
        return tuple(
            Span(start_s=round(float(a), 3), end_s=round(float(b), 3), kind=scene.kind)
            for scene, a, b in ends
        )


def _moment(who: Streamer, kind: str, longest_s: float, deck: Deck, rng: np.random.Generator) -> Scene:
    """A moment of a kind, drawn anew until it shows in two ways and is no longer than one may be."""
    makes = MOMENTS[kind]
    odds = np.array([FRIGHTS.get(who.game, 0.6) if make.__name__ == "scare" else 1.0 for make in makes])
    while True:
        make = makes[int(rng.choice(len(makes), p=odds / odds.sum()))]
        scene = make(Writer(who, deck, rng, float(rng.uniform(0.5, 1.2)), decoy=False))
        start_s, end_s = scene.span()
        last_s = max(s.end_s for s in scene.signs if s.tells)
        whole = last_s <= end_s + 0.01 and end_s - start_s < 39.9
        if whole and len(scene.ways()) >= 2 and _length(scene) < longest_s:
            return scene


def _decoy(who: Streamer, k: int, longest_s: float, deck: Deck, rng: np.random.Generator) -> Scene:
    """A decoy of a sort, or where that takes too long, of any other."""
    while True:
        scene = DECOYS[k](Writer(who, deck, rng, float(rng.uniform(0.6, 1.2)), decoy=True))
        if _length(scene) < longest_s:
            return scene
        k = int(rng.integers(len(DECOYS)))


def _draw(who: Streamer, duration_s: float, deck: Deck, rng: np.random.Generator) -> list[Scene]:
    """The scenes, unordered: moments of different kinds first, then as the streamer's temper has it."""
    share = duration_s / 600.0
    count = max(1, round(int(rng.integers(4, 10)) * share))
    others = max(1, count + round(int(rng.integers(0, 4)) * share))
    odds = np.array([t * SUITS[who.game].get(k, 1.0) for t, k in zip(who.temper, TEMPERS, strict=True)])
    odds /= odds.sum()
    kinds = list(rng.choice(len(TEMPERS), min(count, 4), replace=False, p=odds))
    kinds += list(rng.choice(len(TEMPERS), max(0, count - 4), p=odds))
    order = np.concatenate([rng.permutation(len(DECOYS)) for _ in range(1 + others // len(DECOYS))])[:others]
    longest_s = max(18.0, 0.37 * duration_s)
    scenes = [_moment(who, TEMPERS[int(k)], longest_s, deck, rng) for k in kinds]
    return scenes + [_decoy(who, int(k), longest_s, deck, rng) for k in order]


def _length(scene: Scene) -> float:
    first_s, last_s = scene.reach()
    return last_s - first_s


def _place(scenes: list[Scene], duration_s: float, rng: np.random.Generator) -> list[Scene]:
    """Puts the scenes on the clock with room between them; leaves some out where the time is too short."""
    room_s = duration_s - 2 * EDGE_S
    while scenes and sum(map(_length, scenes)) + APART_S * (len(scenes) - 1) > room_s:
        moments = [s for s in scenes if s.moment]
        decoys = [s for s in scenes if not s.moment]
        spare = decoys if decoys and len(decoys) > min(1, len(moments) - 1) * len(moments) else moments
        scenes.remove(max(spare, key=_length))
    scenes = [scenes[int(k)] for k in rng.permutation(len(scenes))]
    free_s = room_s - sum(map(_length, scenes)) - APART_S * (len(scenes) - 1)
    rests = rng.dirichlet(np.full(len(scenes) + 1, 1.3)) * free_s
    at_s, placed = EDGE_S, []
    for scene, rest_s in zip(scenes, rests, strict=False):
        at_s += float(rest_s)
        placed.append(scene.moved(at_s - scene.reach()[0]))
        at_s += _length(scene) + APART_S
    return placed


def _line(w: Writer) -> None:
    """A line of ordinary talk."""
    luck = w.rng.random()
    if luck < 0.09:
        w.say("small", str(w.rng.choice(["bright", "play", "lift"], p=[0.45, 0.35, 0.2])), tells=False)
        return
    section = "usual" if luck < 0.55 else ("idle" if luck < 0.82 or not w.who.has_chat else "reply")
    tone = str(w.rng.choice(["calm", "low", "play", "bright"], p=[0.5, 0.14, 0.32, 0.04]))
    w.say(section, tone, tells=False)


def _small(w: Writer) -> None:
    """Now and then some small thing of no account: a chuckle, a creak, a breath, a voice in the game."""
    luck = w.rng.random()
    if luck < 0.05:
        w.put("laugh", w.who.laugh, w.span(0.4, 0.8), 0.35, tells=False)
        w.now_s += 1.0
    elif luck < 0.10:
        w.put("room", "creak" if w.chance(0.6) else "thump", 0.7, w.span(0.15, 0.4), tells=False)
    elif luck < 0.14:
        w.put("cry", "sigh", 0.8, tells=False)
        w.now_s += 1.0
    elif luck < 0.20:
        name = str(w.rng.choice(["lean", "bob", "hands", "slump"]))
        w.put("face", name, w.span(0.6, 3.0), w.span(0.3, 0.8), tells=False)
    elif luck < 0.30:
        name = "talk" if w.who.game == "ball" else ("npc" if w.who.game == "adventure" else "open")
        w.put("sfx", name, 3.5 if name != "open" else 1.0, w.span(0.4, 0.9), tells=False)
    elif luck < 0.34 and w.who.game == "ball":
        w.put("sfx", "pea" if w.chance(0.5) else "swell", 0.8 if w.chance(0.5) else 2.0, 0.4, tells=False)
    elif luck < 0.37:
        w.put(
            "pic",
            "replay" if w.who.game == "ball" else "shake",
            0.4 if w.who.game != "ball" else 3.0,
            0.4,
            tells=False,
        )


def _ordinary(
    who: Streamer, gaps: list[tuple[float, float]], deck: Deck, rng: np.random.Generator
) -> list[Sign]:
    """Talk with pauses, play, quiet and menus in the stretches that no scene takes."""
    signs: list[Sign] = []
    for first_s, last_s in gaps:
        w = Writer(who, deck, rng, 1.0, decoy=False)
        w.now_s = first_s + 0.8
        mute_s = first_s + (w.span(6.0, 20.0) if w.chance(0.3) else 0.0)
        if last_s - first_s > 14 and w.chance(0.35):
            chats = w.chance(0.35)
            long_s = w.span(5.0, min(14.0, last_s - first_s - 3))
            w.put("scene", "camera" if chats else "menu", long_s, tells=False, after_s=w.span(0.5, 1.5))
            w.say("idle" if chats else "menu", "calm", tells=False)
        while w.now_s < last_s - 2.0:
            _small(w)
            if w.now_s >= mute_s:
                _line(w)
            pause_s = 2.6 * (1 - who.chatty) / who.chatty
            w.now_s += float(rng.gamma(1.3, pause_s / 1.3)) + (w.span(8.0, 18.0) if w.chance(0.06) else 0.1)
        signs += [s for s in w.signs if s.end_s < last_s - 0.8]
    return signs


def make_plan(who: Streamer, duration_s: float, seed: int) -> Plan:
    """The whole plan."""
    rng = np.random.default_rng([seed, 2])
    deck = Deck(who.game, np.random.default_rng([seed, 3]), SAID)
    scenes = _place(_draw(who, duration_s, deck, rng), duration_s, rng)
    taken = [(0.0, 0.0), *(s.reach() for s in scenes), (duration_s, duration_s)]
    gaps = [(a[1], b[0]) for a, b in itertools.pairwise(taken)]
    signs = _ordinary(who, gaps, deck, rng) + [s for scene in scenes for s in scene.signs]
    seconds = int(np.ceil(duration_s)) + 1
    knots = rng.beta(1.6, 2.4, seconds // 7 + 2)
    walk = np.interp(np.arange(seconds) / 7, np.arange(len(knots)), knots)
    calm = np.asarray(0.08 + 0.62 * walk, np.float32)
    return Plan(signs=tuple(sorted(signs, key=lambda s: s.at_s)), scenes=tuple(scenes), calm=calm)
