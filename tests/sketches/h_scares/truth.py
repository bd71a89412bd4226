"""Where moments begin and end: from the times at which their signs are laid in sound and picture."""

from __future__ import annotations

from tests.sketches.guide import Sign, from_signs, kept_apart
from tests.sketches.h_scares.lore import Cue, Lore
from tests.sketches.h_scares.plan import Plan, Played
from tests.sketches.h_scares.talk import Booth
from tests.sketches.sketch import Span

# Chases and fights with a boss are louder than all usual play, and dread is a hush: they build up until they end.
BUILDUPS = {"chase", "boss", "dread"}
# What follows in these scenes is still of the moment, though no cue asks for it.
AFTERMATHS = {"ending", "tender"}
CRIES = {"scream", "yelp", "shout", "rage", "panic", "laugh", "wheeze"}
# The voice of a reaction, and of what is said for its own sake; before the event these are usual.
FEELINGS = CRIES | {"lively", "groan", "gasp", "pant", "sigh", "sniff", "chuckle", "soft", "deadpan", "mock"}
# Below the first, a sound drowns in the game; with those that all play has, below the second.
FAINT, USUAL = 0.25, 0.65
PLAIN = {"npc", "click"}  # voices of a film and a puzzle's clicks are play as ever


def sound_s(lore: Lore, name: str) -> float:
    """How long a sound of the table is clearly heard: until its slowest layer is 17 dB down."""
    lasts = 0.0
    for kind, *numbers in map(str.split, lore.tables["sounds"].get(name, "noise 0 0 0 1 1").split(";")):
        if kind == "pulse":
            lasts += float(numbers[0]) * (float(numbers[1]) - 1)
        else:
            attack, decay = map(float, numbers[3:5] if kind == "tones" else numbers[2:4])
            lasts = max(lasts, attack + 2 * decay)
    return lasts


def _shown(lore: Lore, cue: Cue, event_s: float) -> Sign | None:
    """From when to when a cue of the game, the room or the picture stands out; None where it does not."""
    if cue.verb == "show":
        return cue.at, cue.at + cue.amount
    if cue.verb not in ("game", "room") or cue.what in PLAIN:
        return None
    usual = {name for scene in lore.scenes.values() if scene.level["w"] for name in scene.fx}
    # The sound of the event itself is heard for what it is.
    least = USUAL if cue.verb == "game" and cue.what in usual and abs(cue.at - event_s) > 0.1 else FAINT
    if cue.amount <= least:
        return None
    until = cue.at + sound_s(lore, cue.what)
    # A knock at the door is no build-up: with it somebody comes in.
    return cue.at, max(until, event_s) if cue.what == "knock" else until


def _voiced(played: Played, plan: Plan, booth: Booth) -> list[Sign]:
    """From when to when the voice stands out, in answer to a cue or to what goes on after the event."""
    own = {booth.acted[cue] for cue in played.cues if cue in booth.acted}
    signs = []
    for index, (start, end, mood, _) in enumerate(booth.said):
        if index not in own:
            scene = next((scene.name for at, scene in reversed(plan.scenes) if at <= start), "")
            if not (played.event_s < start < played.until_s and scene in AFTERMATHS):
                continue
        if mood in (FEELINGS if start > played.event_s - 0.1 else CRIES):
            signs.append((start, end))
    return signs


def _signs(lore: Lore, played: Played, plan: Plan, booth: Booth) -> list[Sign]:
    """All that stands out."""
    scenes = [cue for cue in played.cues if cue.verb == "scene"]
    signs = _voiced(played, plan, booth)
    for cue, until in zip(scenes, [*(cue.at for cue in scenes[1:]), played.until_s], strict=True):
        if cue.what in BUILDUPS and cue.at < played.event_s - 0.5:
            signs.append((cue.at, min(until, played.event_s + 1)))
        elif cue.at > played.event_s - 0.5 and cue.what not in ("walk", "still"):
            # Another screen or place is a sign as it comes, not as it stays.
            signs.append((cue.at, cue.at + 1))
    shown = [_shown(lore, cue, played.event_s) for cue in played.cues]
    return signs + [sign for sign in shown if sign]


def spans_of(
    lore: Lore, plan: Plan, booth: Booth, duration_s: float
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Moments and decoys; where they come too near each other, the decoy gives way."""
    moments: list[Span] = []
    for span, played in zip(plan.moments, plan.played, strict=True):
        start, end = from_signs(_signs(lore, played, plan, booth), played.event_s, duration_s=duration_s)
        moments.append(Span(start_s=start, end_s=end, kind=span.kind))
    return kept_apart(moments, plan.decoys, decoy_s=0.0)
