"""The course of a stream: where moments and decoys lie, what is on the screen, what ordinary play does."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.l_ranked.script import SCREENS, SIGNS, Cue, Screens, Script, Writer, scripts
from tests.sketches.l_ranked.truth import Event
from tests.sketches.l_ranked.who import Who, sections
from tests.sketches.sketch import FRAMES_PER_S, Span

_APART_S = 8.6
_SHOTS = {"tactical": 0.6, "royale": 0.55, "arena": 1.1}
Draft = tuple[Script, float, float]  # with seconds before and after its core


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """All that happens on one stream."""

    cues: list[Cue]
    screens: Screens
    events: tuple[Event, ...]

    def screen(self, at: float) -> str:
        """The name of what is on the screen at a time."""
        return SCREENS[int(self.screens[int(np.clip(at * FRAMES_PER_S, 0, len(self.screens) - 1))])]


def _choose(rng: np.random.Generator, num: int, num_decoys: int) -> list[Draft]:
    """Scripts for so many moments and decoys with their seconds before and after."""
    chosen: list[Script] = []
    kinds = sorted({s.kind for s in scripts()} - {"decoy"})
    for kind in rng.choice(kinds, num, p=rng.dirichlet(np.full(len(kinds), 2.5))):
        of_kind = [s for s in scripts() if s.kind == kind]
        weights = np.array([s.weight for s in of_kind])
        chosen.append(of_kind[int(rng.choice(len(of_kind), p=weights / weights.sum()))])
    decoys = [s for s in scripts() if s.kind == "decoy"]
    # All of the first are of different kinds; the likelier come sooner.
    order = np.argsort(rng.exponential(1, len(decoys)) / [s.weight for s in decoys])
    chosen += [decoys[order[i % len(decoys)]] for i in range(num_decoys)]
    return [(s, float(rng.uniform(*s.before)), float(rng.uniform(*s.after))) for s in chosen]


def _order(rng: np.random.Generator, chosen: list[Draft]) -> list[Draft]:
    """Shuffled, with what belongs between matches gathered at one or two places."""
    mixed = [chosen[i] for i in rng.permutation(len(chosen))]
    out = [c for c in mixed if c[0].place != "lobby"]
    lobby = [c for c in mixed if c[0].place == "lobby"]
    cut = int(rng.integers(0, len(lobby) + 1)) if len(lobby) > 2 else len(lobby)
    for part in (lobby[:cut], lobby[cut:]):
        at = int(rng.integers(0, len(out) + 1))
        out[at:at] = part
    return out


def _lay_out(rng: np.random.Generator, duration_s: float) -> list[tuple[Script, float, float, float]]:
    """Events with start, core and end, apart from one another; fewer where they do not fit."""
    share = duration_s / 600
    least = max(int(np.ceil(3 * share)), 1) if duration_s >= 60 else 0
    num = max(round(float(rng.triangular(2.6, 5.5, 10.4)) * share), least)
    for attempt in range(400):
        n = max(num - attempt // 40, least)
        more = max(int(rng.integers(0, 5) * share), 6 - n if duration_s >= 300 else 0) if attempt < 200 else 0
        chosen = _choose(rng, n, n + more)
        free = duration_s - sum(b + a for _, b, a in chosen) - _APART_S * (len(chosen) + 1)
        if free >= (0.12 * duration_s if attempt < 100 else 0):
            break
    else:
        return []
    gaps = rng.dirichlet(np.full(len(chosen) + 1, 1.1)) * free + _APART_S
    out, at = [], 0.0
    for gap, (script, before, after) in zip(gaps, _order(rng, chosen), strict=False):
        start = round(at + float(gap), 2)
        at = round(start + before + after, 2)
        out.append((script, start, start + before, at))
    return out


def _draw_signs(rng: np.random.Generator, who: Who) -> dict[str, float]:
    """Most moments show on several sides, a few on two or one, some only faintly."""
    shape = rng.random()
    values = rng.uniform(0.2, 0.6, 5) if shape < 0.1 else rng.uniform(0.0, 0.3, 5)
    if shape >= 0.1:
        weights = np.array([1.2, 1.0, 0.9, 0.5, 1.0 if who.chat_rate else 0.0])
        num = 1 if shape < 0.17 else 2 if shape < 0.32 else int(rng.integers(3, 6))
        num = min(num, int((weights > 0).sum()))
        strong = rng.choice(5, num, replace=False, p=weights / weights.sum())
        values[strong] = rng.uniform(0.65, 1.0, num)
    return dict(zip(SIGNS, values.tolist(), strict=True))


def _paint(rng: np.random.Generator, cycle: str, screens: Screens, starts_anywhere: bool) -> None:
    """Ordinary screens one after another over a stretch of time."""
    steps = [line.split() for line in sections()[f"cycle.{cycle}"]]
    k, at = int(rng.integers(0, len(steps))) if starts_anywhere else 0, 0
    while at < len(screens):
        name, low, high = steps[k % len(steps)]
        n = int(rng.uniform(float(low), float(high)) * FRAMES_PER_S)
        screens[at : at + n] = SCREENS.index(name)
        at, k = at + n, k + 1
        if name == "fight" and rng.random() < 0.3:
            screens[at : at + 70] = SCREENS.index("dead")
            at += 70


def _fill(rng: np.random.Generator, game: str, screens: Screens, places: tuple[str, str]) -> None:
    """Ordinary screens between two events, with a way from match to lobby or back where they differ."""
    old, new = ("lobby" if place == "lobby" else game for place in places)
    cut = int(len(screens) * rng.uniform(0.3, 0.7)) if old != new else len(screens)
    _paint(rng, old, screens[:cut], True)
    _paint(rng, new, screens[cut:], False)
    if places == ("lobby", "round"):
        screens[max(cut - 50, 0) : cut] = SCREENS.index("loading")


def _ordinary(rng: np.random.Generator, who: Who, plan: Plan, duration_s: float) -> list[Cue]:
    """What goes on between events: shots, steps, small kills, the team, a click in the menu."""
    cues, at = [], 0.0
    busy = [(s.start_s - 1.5, s.end_s + 1.5) for s in (event.room for event in plan.events)]
    shots = _SHOTS[who.game]
    while (at := at + rng.exponential(0.45)) < duration_s - 1:
        screen, inside = plan.screen(at), any(a < at < b for a, b in busy)
        roll, length = rng.random(), rng.uniform(0.1, 1.1)
        if screen == "fight" and not inside and roll < 0.75 * shots:
            cues.append(
                Cue(at, "game", str(rng.choice(["own", "foe", "far", "ability", "boom"])), "", 1, length)
            )
            if roll < 0.07:
                cues.append(Cue(at + length, "game", "ding"))
                cues.append(Cue(at + length + 0.5, "say", str(rng.choice(["talk", "excited"])), "nicekill"))
        elif screen in ("play", "dead", "buy") and roll < 0.45:
            cues.append(
                Cue(
                    at,
                    "game",
                    "far" if roll < 0.18 * shots else "steps",
                    "",
                    rng.uniform(0.3, 1.2),
                    2 * length,
                )
            )
        elif screen in ("lobby", "buy", "scores") and roll < 0.55:
            cues.append(Cue(at, "game", "click"))
        if (
            who.team
            and screen in ("play", "fight", "dead", "buy")
            and not inside
            and rng.random() < 0.03 * who.team
        ):
            cues.append(Cue(at, "mate", str(rng.choice(["talk", "talk", "excited"])), "team"))
    for i in np.flatnonzero(np.diff(plan.screens)) + 1:
        at, old = i / FRAMES_PER_S, SCREENS[plan.screens[i - 1]]
        sting = {"buy": "beep", "loading": "pop", "end": str(rng.choice(["win", "lose"]))}.get(
            plan.screen(at + 0.05)
        )
        if sting and old != "frozen" and not any(a < at < b for a, b in busy):
            cues.append(Cue(at, "game", sting, "", 0.6))
    return cues


def draw_plan(rng: np.random.Generator, who: Who, duration_s: float) -> Plan:
    """Draw the course of one stream."""
    screens: Screens = np.zeros(round(duration_s * FRAMES_PER_S), np.int8)
    place, last = str(rng.choice(["round", "lobby"], p=[0.7, 0.3])), 0
    cues: list[Cue] = []
    events: list[Event] = []
    for script, start, core, end in _lay_out(rng, duration_s):
        new = place if script.place == "any" else script.place
        a, b = int(start * FRAMES_PER_S), int(end * FRAMES_PER_S)
        _fill(rng, who.game, screens[last:a], (place, new))
        _paint(rng, who.game if new == "round" else "lobby", screens[a:b], True)
        place, last = new, b
        decoy = script.kind == "decoy"
        # What happens does not begin and end with the room for it, to the frame.
        inner = (min(start + rng.normal(0, 0.7), core), core, max(end + rng.normal(-0.5, 0.8), core + 2))
        writer = Writer(who, rng, inner, dict.fromkeys(SIGNS, 1.0) if decoy else _draw_signs(rng, who))
        writer.run(script.name, screens)
        cues += writer.cues
        room = Span(start_s=start, end_s=end, kind=script.name if decoy else script.kind)
        events.append(Event(room, not decoy, core, writer.cues))
    _fill(rng, who.game, screens[last:], (place, place))
    plan = Plan(cues, screens, tuple(events))
    plan.cues.extend(_ordinary(rng, who, plan, duration_s))
    plan.cues.sort(key=lambda cue: cue.at)
    return plan
