"""Draws a horror streamer, and what happens on the stream: spans, scenes, and all cues in order of time."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.h_scares.lore import Cue, Lore, Scene, Script, weighted
from tests.sketches.sketch import Span

GAP_S = 8.3
# Numbers of a streamer, the set-up, the game and the audience: those listed in words.txt, and a few drawn below.
Persona = dict[str, float]


def draw_persona(rng: np.random.Generator, lore: Lore) -> Persona:
    """Another streamer of the same sort."""
    persona: Persona = {}
    for key in lore.tables["persona"]:
        numbers = lore.numbers("persona", key)
        persona[key] = float(rng.uniform(*numbers) if len(numbers) == 2 else rng.random() < numbers[0])
    female, chatless = rng.random() < 0.42, rng.random() < 0.15
    persona["pitch_hz"] = float(rng.normal(205, 22) if female else rng.normal(118, 17))
    persona["tract"] = float(rng.normal(1.15 if female else 1.0, 0.04))
    persona["react"] = float(rng.beta(1.3, 0.9))
    persona["viewers"] = int(rng.integers(0, 6)) if chatless else int(10 ** rng.uniform(0.6, 4.6))
    lively = 0.007 * persona["viewers"] ** 0.6 * float(rng.lognormal(0, 0.5))
    persona["chat_per_s"] = 0.0 if chatless else min(lively, 6.0)
    return persona


@dataclasses.dataclass(frozen=True, slots=True)
class Played:
    """A moment's own cues at absolute times, its event, and until when its last scene is on."""

    event_s: float
    until_s: float
    cues: tuple[Cue, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What happens: the stretches that scripts have; cues have absolute times, scenes last until the next."""

    moments: tuple[Span, ...]
    decoys: tuple[Span, ...]
    scenes: tuple[tuple[float, Scene], ...]
    cues: tuple[Cue, ...]
    played: tuple[Played, ...] = ()  # one for each of the moments


Placed = tuple[Script, float, float]


def _draw_scripts(rng: np.random.Generator, lore: Lore, role: str, count: int) -> list[Placed]:
    """Scripts with the lengths of lead and tail; a script grows rarer each time it is taken."""
    by_name = {script.name: script for script in lore.scripts if script.role == role}
    weights = {name: script.weight * float(rng.uniform(0.4, 1.6)) for name, script in by_name.items()}
    drawn = []
    for _ in range(count):
        script = by_name[weighted(rng, weights)]
        weights[script.name] *= 0.3
        drawn.append((script, float(rng.uniform(*script.lead)), float(rng.uniform(*script.tail))))
    return drawn


def _counts(rng: np.random.Generator, duration_s: float) -> tuple[int, int]:
    full = int(rng.choice(np.arange(3, 11), p=[0.15, 0.2, 0.2, 0.15, 0.12, 0.08, 0.06, 0.04]))
    moments = max(round(full * duration_s / 600), 1 if duration_s >= 60 else 0)
    return moments, moments + round(float(rng.uniform(0, 5)) * duration_s / 600)


def _lay_out(rng: np.random.Generator, lore: Lore, duration_s: float) -> list[tuple[Placed, float]]:
    """Scripts in order with their starts: as many as asked for, fewer decoys where they do not fit."""
    moments, decoys = _counts(rng, duration_s)
    for attempt in range(200):
        chosen = _draw_scripts(rng, lore, "moment", moments) + _draw_scripts(rng, lore, "decoy", decoys)
        if not chosen:
            return []
        free = duration_s - 6 - sum(lead + tail + GAP_S for _, lead, tail in chosen) + GAP_S
        if free > 0.05 * duration_s:
            break
        if attempt % 5 == 4 and decoys > moments:
            decoys -= 1
        elif attempt % 20 == 19:
            moments, decoys = max(moments - 1, 0), max(decoys - 1, 0)
    gaps = rng.dirichlet(np.full(len(chosen) + 1, 1.3)) * free
    at, laid = 3.0, []
    for index, gap in zip(rng.permutation(len(chosen)), gaps, strict=False):
        at += float(gap)
        laid.append((chosen[index], at))
        at += chosen[index][1] + chosen[index][2] + GAP_S
    return laid


def _channels(cue: Cue) -> tuple[str, ...]:
    if cue.verb == "say":
        return ("voice", "words") if cue.topic else ("voice",)
    return (cue.verb,) if cue.verb in ("game", "show", "chat") else ()


def _muted(rng: np.random.Generator, script: Script, chatless: bool) -> set[str]:
    """The signs that a moment does not give: most give several, some two, a few one."""
    used = {channel for cue in script.cues for channel in _channels(cue)}
    usable = sorted(used - {"chat"} if chatless else used)
    keep = int(rng.choice([5, 4, 3, 2, 1], p=[0.42, 0.23, 0.17, 0.12, 0.06]))
    order = rng.permutation(usable).tolist()
    # The last sign left is one of people, not of the game: a sting alone is nothing to clip.
    order.sort(key=lambda sign: sign not in ("voice", "words", "chat") and keep == 1)
    return used - set(order[:keep])


def _hushed(lore: Lore, cue: Cue, muted: set[str], strength: float) -> Cue | None:
    """The cue as it is where some signs are not given, or are faint."""
    amount = cue.amount if cue.verb in ("show", "scene") else cue.amount * strength
    if cue.verb == "say":
        mood = lore.tables["calmer"].get(cue.what, cue.what) if "voice" in muted else cue.what
        topic = "plain" if cue.topic and "words" in muted else cue.topic
        return dataclasses.replace(cue, what=mood, topic=topic)
    if cue.verb in muted:
        return None if cue.verb == "show" else dataclasses.replace(cue, amount=amount * 0.2)
    return dataclasses.replace(cue, amount=amount)


def _perform(
    rng: np.random.Generator, lore: Lore, placed: Placed, start_s: float, muted: set[str]
) -> list[Cue]:
    """Cues of a script at absolute times; an editor's edges lie a little off where the script's are."""
    script, lead, tail = placed
    event = start_s + lead
    scale = {"L": lead * rng.uniform(0.72, 1.12), "T": tail * rng.uniform(0.7, 1.05), "": 1.0}
    strength = float(rng.uniform(0.75, 1.1) if rng.random() < 0.75 else rng.uniform(0.35, 0.7))
    cues = []
    for cue in script.cues:
        shown = _hushed(lore, cue, muted, strength) if rng.random() < cue.chance else None
        if shown is not None:
            wobble = rng.normal(0, 0.03) * scale[cue.unit] if cue.unit else 0.0
            at = max(event + cue.at * scale[cue.unit] + wobble, 0.0)
            cues.append(dataclasses.replace(shown, at=at, unit=""))
    return cues


def _roam(rng: np.random.Generator, lore: Lore, start_s: float, end_s: float) -> list[tuple[float, Scene]]:
    """Ordinary scenes one after another."""
    weights = {name: scene.level["w"] for name, scene in lore.scenes.items()}
    scenes = []
    while start_s < end_s:
        scene = lore.scenes[weighted(rng, weights)]
        scenes.append((start_s, scene))
        start_s += float(rng.uniform(*scene.length))
    return scenes


def _small_things(rng: np.random.Generator, scenes: list[tuple[float, Scene]], end_s: float) -> list[Cue]:
    """The small sounds that a game makes all the time."""
    cues = []
    ends = [at for at, _ in scenes[1:]] + [end_s]
    for (start, scene), end in zip(scenes, ends, strict=True):
        for sound, per_minute in scene.fx.items():
            for at in rng.uniform(start, end, rng.poisson(per_minute * (end - start) / 60)):
                cues.append(Cue(float(at), "", "game", sound, amount=float(rng.uniform(0.15, 0.65))))
    return cues


def draw_plan(rng: np.random.Generator, lore: Lore, persona: Persona, duration_s: float) -> Plan:
    """All that happens on one stream."""
    spans: dict[str, list[Span]] = {"moment": [], "decoy": []}
    scenes: list[tuple[float, Scene]] = []
    cues: list[Cue] = []
    moments: list[Played] = []
    at = 0.0
    for placed, start in _lay_out(rng, lore, duration_s):
        script, lead, tail = placed
        muted = _muted(rng, script, not persona["chat_per_s"]) if script.role == "moment" else set()
        spans[script.role].append(Span(start_s=start, end_s=start + lead + tail, kind=script.kind))
        played = _perform(rng, lore, placed, start, muted)
        scenes += _roam(rng, lore, at, start)
        scenes += [(cue.at, lore.scenes[cue.what]) for cue in played if cue.verb == "scene"]
        cues += [cue for cue in played if cue.verb != "scene"]
        at = start + lead + tail + float(rng.uniform(0, 3))
        if script.role == "moment":
            own = tuple(sorted(played, key=lambda cue: cue.at))
            moments.append(Played(start + lead, min(at, duration_s), own))
    scenes += _roam(rng, lore, at, duration_s)
    scenes.sort(key=lambda scene: scene[0])
    cues += _small_things(rng, scenes, duration_s)
    cues.sort(key=lambda cue: cue.at)
    stretches = tuple(spans["moment"]), tuple(spans["decoy"])
    return Plan(*stretches, tuple(scenes), tuple(cues), tuple(moments))
