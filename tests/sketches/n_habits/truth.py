"""Where moments begin and end: told from the times at which their lines, sounds and looks were laid down."""

from __future__ import annotations

from typing import NamedTuple

from tests.sketches.guide import ORDINARY_S, Sign, held_to_length, kept_apart, with_build_up
from tests.sketches.n_habits.habits import Deed, Plan, Streamer, tick
from tests.sketches.n_habits.words import Line
from tests.sketches.sketch import Span

Signs = list[Sign]
SPARE_S = 0.01
CALM_S = 6.0  # so much of the ordinary parts a reaction from what comes later
# Plain talk has efforts near 0, and hardly ever these.
RAISED, HUSHED = 0.3, -0.2
OUTCRIES = ("laugh", "wheeze", "scream", "shout", "groan", "gasp", "clap", "knock", "cough", "bark", "sing")
# From which size on an effect stands out: one that ordinary play has, too, at about 0.45, and any other.
LOUD, STRANGE = 0.6, 0.3
# From which size on a look is plain to see: much of the picture changes with some however slight they are.
PLAIN = {"zoom": 0.1, "cut": 0.1, "banner": 0.1, "alert": 0.1, "spin": 0.1, "freeze": 0.16}
PLAIN |= {"burst": 0.16, "flash": 0.16, "shake": 0.2, "dim": 0.2, "slowdown": 0.4, "jump": 0.4}
IN_PLAY = ("shake", "spin", "slowdown", "cut")


class Laid(NamedTuple):
    """A sound or look of a deed: of which sort, from when to when, how strong."""

    name: str
    start_s: float
    end_s: float
    size: float


def _voiced(lines: list[Line]) -> Signs:
    """Lines that are not in the voice of plain talk."""
    return [
        (line.start_s, line.end_s)
        for line in lines
        if line.mode in OUTCRIES or not HUSHED < line.effort < RAISED
    ]


def _seen(who: Streamer, plan: Plan, looks: list[Laid]) -> Signs:
    """Looks that show: a jump before a camera alone, what moves the view in play alone."""
    signs = []
    for look in looks:
        in_play = plan.state[min(max(tick(look.start_s), 0), len(plan.state) - 1)] < 2
        shows = in_play if look.name in IN_PLAY else look.name != "jump" or who.traits["cam"] > 0
        if shows and look.size >= PLAIN[look.name]:
            signs.append((look.start_s, look.end_s))
    return signs


def _of_music(who: Streamer, deed: Deed) -> Signs:
    """A song that comes with the event, or the hush of a tune before it."""
    game = min(deed.signs["game"], 1.0)
    if "song" in deed.way.sfx:
        return [(deed.event_s, deed.over_s)] if who.traits["music"] * game > 0.15 else []
    falls = who.traits["music"] > 0.25 and deed.way.traits["hush"] * game > 0.6
    return [(deed.begin_s, deed.event_s)] if falls else []


def find_signs(
    who: Streamer, plan: Plan, deed: Deed, lines: list[Line], sounds: list[Laid], looks: list[Laid]
) -> Signs:
    """From when to when each thing laid down for a deed stands out against the rest of the stream."""
    # The last part of a sound is its dying away.
    loud = [s for s in sounds if s.size >= (LOUD if s.name in who.sfx else STRANGE)]
    heard = [(s.start_s, s.start_s + 0.8 * (s.end_s - s.start_s)) for s in loud]
    return _voiced(lines) + heard + _seen(who, plan, looks) + _of_music(who, deed)


def find_ends(signs: Signs, event_s: float, over_s: float, duration_s: float) -> tuple[float, float]:
    """From the first sign, or the build-up that leads to it, to the last before it is calm."""
    late = [sign for sign in signs if event_s < sign[1] and sign[0] <= event_s + CALM_S] or [
        (event_s, event_s)
    ]
    start, end = min(late)
    start = with_build_up(signs, start)
    for a, b in sorted(signs):
        if a - end <= (CALM_S if a <= over_s else ORDINARY_S):
            end = max(end, b)
    return held_to_length(start, end, duration_s=duration_s, spare_s=SPARE_S)


def find_spans(
    deeds: tuple[Deed, ...], signs: list[Signs], duration_s: float
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Moments and decoys, apart from one another; a decoy gives way to a moment."""
    told: tuple[list[Span], list[Span]] = ([], [])
    for deed, own in zip(deeds, signs, strict=True):
        start_s, end_s = deed.span.start_s, deed.span.end_s
        if deed.is_moment:
            start_s, end_s = find_ends(own, deed.event_s, deed.over_s, duration_s)
        span = Span(start_s=round(float(start_s), 2), end_s=round(float(end_s), 2), kind=deed.span.kind)
        told[not deed.is_moment].append(span)
    return kept_apart(*told, decoy_s=1.0, spare_s=SPARE_S)
