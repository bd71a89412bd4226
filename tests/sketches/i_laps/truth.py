"""Where moments begin and end: from the times at which their signs are laid in sound and picture."""

from __future__ import annotations

from tests.sketches.guide import LEAST_S, Sign, from_signs, held_to_length, kept_apart
from tests.sketches.i_laps.cast import pools
from tests.sketches.i_laps.play import Act, Stage
from tests.sketches.i_laps.recipes import Beat
from tests.sketches.i_laps.track import effects
from tests.sketches.sketch import Span

# Ways of speaking that are not those of ordinary talk, and sounds that are no words.
TURNED = {"raised", "shout", "scream", "soft", "laugh", "gasp", "groan", "slam"}
# A sigh or a flat remark is one among many, but for one that follows an event.
AFTER = TURNED | {"sigh", "deadpan"}
# Bends of the road are as wide as this; so is a swing that is seen for one.
WIDE = 0.5


def sound_s(name: str) -> float:
    """How long a sound is clearly heard: until its longest layer is some 18 dB down."""
    layers = next(x for x in pools()["sounds"] if x.startswith(name + ":")).split(": ")[1].split(", ")
    lasts = 0.0
    for kind, _, _, length, delay, _ in map(str.split, layers):
        lasts = max(lasts, float(delay) + (0.9 if kind == "crowd" else 0.6) * float(length))
    return lasts


def _heard(beat: Beat) -> list[Sign]:
    """The game's sounds, and an engine that stops."""
    if beat.signs["desktop"] <= 0:
        return []
    timed = [(name, beat.event_s + after_s) for name, after_s in beat.recipe.sounds]
    return [(at_s, at_s + sound_s(name)) for name, at_s in timed if at_s < beat.end_s] + _shocks(beat)


def _shocks(beat: Beat) -> list[Sign]:
    """What is both heard and seen: a stop, and another screen as it comes, not as it stays."""
    effect, signs = effects()[beat.recipe.effect], []
    if 0 < effect["stop"] < 10 and effect["slow"] < 0.1:
        signs.append((beat.event_s, beat.event_s + effect["stop"]))
    if effect["screen"]:
        signs.append((beat.event_s + effect["from"], beat.event_s + effect["from"] + 1))
    return signs


def _seen(beat: Beat) -> list[Sign]:
    """Shakes and flashes until they have faded, glows, flights, and swings wider than the road's bends."""
    strength, effect = beat.signs["picture"], effects()[beat.recipe.effect]
    if strength <= 0:
        return []
    lasts = [1.0 if effect["shake"] + effect["flash"] else 0.0, effect["glow"], effect["air"]]
    signs = [(beat.event_s, beat.event_s + last) for last in lasts if last]
    swing = strength * effect["swing"]
    if swing > WIDE:
        half = effect["near"] * (1 - WIDE / swing)
        signs.append((beat.event_s + 0.5 - half, beat.event_s + 0.5 + half))
    return signs + _shocks(beat)


def _said(beat: Beat, acts: list[Act]) -> list[Sign]:
    """The voice where it turns from the ordinary."""
    return [
        (act.start_s, act.end_s)
        for act in acts
        if act.manner in (AFTER if act.start_s >= beat.event_s - 0.5 else TURNED)
    ]


def _bounds(beat: Beat, acts: list[Act], duration_s: float) -> Sign:
    """Where one moment begins and ends."""
    signs = _heard(beat) + _seen(beat) + _said(beat, acts)
    if beat.signs["words"] > 0 and not any(end > beat.event_s for _, end in signs):
        # Where nothing but calm words tells of it, it begins with the first of these.
        words = [act.start_s for act in acts if act.start_s > beat.event_s]
        start = min([*words, beat.event_s + LEAST_S])
        return held_to_length(start, start, duration_s=duration_s)
    return from_signs(signs, beat.event_s, duration_s=duration_s)


def spans_of(beats: list[Beat], stage: Stage, duration_s: float) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Moments and decoys; where they come too near each other, the decoy gives way."""
    told: tuple[list[Span], list[Span]] = ([], [])
    for beat, acts in zip(beats, stage.acts, strict=True):
        start, end = beat.start_s, beat.end_s
        if beat.recipe.is_moment:
            start, end = _bounds(beat, acts, duration_s)
        span = Span(start_s=round(start, 2), end_s=round(min(end, duration_s), 2), kind=beat.recipe.kind)
        told[not beat.recipe.is_moment].append(span)
    return kept_apart(*told, decoy_s=0.0)
