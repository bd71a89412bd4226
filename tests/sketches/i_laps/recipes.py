"""What happens on such streams, clipped or not, and when: the recipes and the plan of one stream."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.sketches.i_laps.cast import Cast, pools

SIGNS = ("voice", "desktop", "picture", "words", "chat")
GAP_S = 8.2
EDGE_S = 1.0


class Recipe:
    """One sort of happening; before and after are scripts of the voice, with / between things it may be."""

    def __init__(self, line: str) -> None:
        parts = [part.strip() for part in line.split("|")]
        self.name, kind, lead, tail, before, after, self.effect, sounds, chat = parts
        self.is_moment = kind != "decoy"
        self.kind = kind if self.is_moment else self.name
        self.lead_s, self.tail_s = (tuple(map(float, part.split("-"))) for part in (lead, tail))
        self.before, self.after = before.split(), after.split()
        self.sounds = [(name, float(at)) for name, at in (part.split("@") for part in sounds.split())]
        self.chat, self.crowd = chat.split()[0], float(chat.split()[1])


class Beat(NamedTuple):
    """One happening in its place; signs are how strongly it shows in each of SIGNS, 0 to 1."""

    start_s: float
    event_s: float
    end_s: float
    recipe: Recipe
    signs: dict[str, float]


@functools.cache
def recipes(pool: str) -> tuple[Recipe, ...]:
    """The recipes of a pool, moments or decoys."""
    return tuple(Recipe(line) for line in pools()[pool])


def plan(cast: Cast, duration_s: float, rng: np.random.Generator) -> list[Beat]:
    """Draw the happenings of a stream and lay them out, in order, with room between them."""
    chosen = _choose(cast, duration_s, rng)
    while True:
        lengths = np.array([_lengths(recipe, rng) for recipe in chosen])
        room = duration_s - 2 * EDGE_S - GAP_S * (len(chosen) - 1)
        least = np.array([[6.3 if recipe.is_moment else 4.5] for recipe in chosen])
        squeeze = min(1.0, 0.96 * room / lengths.sum())
        lengths *= np.maximum(squeeze, least / lengths.sum(1, keepdims=True))
        if lengths.sum() < room or len(chosen) == 1:
            break
        # A moment and a decoy go together, so that decoys never become the fewer.
        for is_moment in (True, False):
            chosen.remove(next(recipe for recipe in chosen if recipe.is_moment == is_moment))
    gaps = rng.dirichlet(np.full(len(chosen) + 1, 1.3)) * max(0.0, room - lengths.sum())
    beats, at_s = [], EDGE_S
    for recipe, (lead, tail), gap in zip(chosen, lengths.tolist(), gaps.tolist(), strict=False):
        times = (round(at_s + gap, 2), round(at_s + gap + lead, 2), round(at_s + gap + lead + tail, 2))
        beats.append(Beat(*times, recipe, _signs(recipe, cast, rng)))
        at_s += gap + lead + tail + GAP_S
    return beats


def _choose(cast: Cast, duration_s: float, rng: np.random.Generator) -> list[Recipe]:
    share = duration_s / 600
    num_moments = int(duration_s >= 40 and rng.random() < 0.5)
    if duration_s >= 60:
        wanted = round((3 + rng.binomial(7, rng.uniform(0.2, 0.7))) * share)
        num_moments = min(max(wanted, math.ceil(3 * share)), max(1, math.floor(10 * share)))
    num_decoys = max(num_moments, round(6 * share), 1) + int(rng.integers(0, 5) * share)
    options = [r for r in recipes("moments") if cast.has_guest or r.name != "guest_banter"] * math.ceil(
        2 * share
    )
    weights = np.array([0.3 + 2 * cast.anger if r.kind == "rage" else 1.0 for r in options])
    weights *= rng.lognormal(0, 0.5, len(options))
    picked = rng.choice(len(options), num_moments, replace=False, p=weights / weights.sum())
    deck = recipes("decoys")
    drawn = [deck[i] for _ in range(1 + num_decoys // len(deck)) for i in rng.permutation(len(deck))]
    together = [options[i] for i in picked] + drawn[:num_decoys]
    return [together[i] for i in rng.permutation(len(together))]


def _lengths(recipe: Recipe, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How long the span lies before and after the event, with an editor's scatter."""
    both = rng.uniform(*np.transpose((recipe.lead_s, recipe.tail_s))) * rng.lognormal(0, 0.15, 2)
    return np.asarray(both * min(1.0, 39.0 / both.sum()))


def _signs(recipe: Recipe, cast: Cast, rng: np.random.Generator) -> dict[str, float]:
    """Most happenings show everywhere, some in two ways, a few in one only; some faintly."""
    may = np.array([True, bool(recipe.sounds), bool(recipe.effect), True, cast.chat_rate > 0])
    strength = rng.uniform(0.6, 1.0) * (0.4 if recipe.is_moment and rng.random() < 0.18 else 1.0)
    count = int(rng.choice([5, 4, 3, 2, 1], p=[0.36, 0.18, 0.12, 0.23, 0.11])) if recipe.is_moment else 5
    odds = may * (1.4, 0.8, 0.8, 1.0, 1.2)
    shown = rng.choice(5, min(count, int(may.sum())), replace=False, p=odds / odds.sum())
    sizes = np.clip(strength * rng.lognormal(0, 0.2, 5), 0.15, 1) * np.isin(np.arange(5), shown)
    return dict(zip(SIGNS, sizes.tolist(), strict=True))
