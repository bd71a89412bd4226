"""How a window moves so that nobody gets dizzy: pure, from where it should be to where it is.

Speed and acceleration are bounded, always, except at a cut of the source, where it jumps with the picture.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Of the path that is kept: finer than any frame rate that is exported.
STEP_S = 1 / 120


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gentleness:
    """Bounds of a window's movement. Lengths are in widths of the window itself, which is what an eye sees move.

    Attributes:
        max_speed, max_acceleration: a second, and a second squared.
        dead_zone: how much more of what moves a better place must show before the window sets out.
        calm: below this mean change of brightness (0 to 255) of the whole picture it stays where it is.
        smoothing_s: over how long what moves is averaged, on both sides.
        num_opening: how many of a scene's first samples say where it begins; where they do not, in the middle.
    """

    max_speed: float = 0.45
    max_acceleration: float = 0.6
    dead_zone: float = 0.25
    calm: float = 0.12
    smoothing_s: float = 0.8
    num_opening: int = 15


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Where a window's middle is on one axis, as shares of the picture.

    Attributes:
        starts_s: when each scene begins, in order; the first may begin late: what is before it counts to it.
        places: one array for each scene, a place every `STEP_S` from its start.
    """

    starts_s: tuple[float, ...]
    places: tuple[Floats, ...]

    def at(self, time_s: float) -> float:
        """Return the place at a time; before the first and after the last it rests."""
        # A thousandth of a second: a frame that begins a scene must not miss it by rounding.
        scene = max(0, bisect.bisect_right(self.starts_s, time_s + 0.001) - 1)
        places = self.places[scene]
        index = min(max(0.0, (time_s - self.starts_s[scene]) / STEP_S), len(places) - 1.0)
        low = math.floor(index)
        high = min(low + 1, len(places) - 1)
        return float(places[low] + (places[high] - places[low]) * (index - low))


def resting(place: float) -> Path:
    """Return the path of a window that never moves."""
    return Path(starts_s=(0.0,), places=(np.array([place]),))


def best_places(profiles: Floats, levels: Floats, *, window: float, rules: Gentleness) -> Floats:
    """Return where the window's middle should be at each sample of one scene.

    Args:
        profiles: what moves, by place on the axis; shape (num_samples, num_places), smoothed over time.
        levels: the mean change of the whole picture; shape (num_samples,).
        window: the window's share of the axis, below 1.
    """
    num_places = profiles.shape[1]
    centres, kernel = _seats(num_places, window)
    seen = profiles @ kernel.T  # (num_samples, num_centres): how much of what moves is seen from each centre.
    # All else equal the middle is the better place: games and cameras put there what matters.
    seen = seen * (1 - 0.1 * np.abs(2 * centres - 1))
    here = int(np.argmin(np.abs(centres - 0.5)))
    opening = seen[: rules.num_opening][levels[: rules.num_opening] >= rules.calm].sum(axis=0)
    best = int(np.argmax(opening))
    if opening[best] > (1 + rules.dead_zone) * opening[here]:
        here = best
    found = np.empty(len(levels))
    for k, level in enumerate(levels):
        best = int(np.argmax(seen[k]))
        if level >= rules.calm and seen[k, best] > (1 + rules.dead_zone) * seen[k, here]:
            here = best
        found[k] = centres[here]
    return found


def _seats(num_places: int, window: float) -> tuple[Floats, Floats]:
    """Return the middles a window can have, and for each what counts at each place: most in its middle."""
    places = (np.arange(num_places) + 0.5) / num_places
    # An odd number of them, so that one is the middle itself.
    num_centres = max(3, math.ceil((1 - window) * num_places)) | 1
    centres = np.linspace(window / 2, 1 - window / 2, num_centres)
    away = (places[None, :] - centres[:, None]) / (window / 2)
    return centres, np.clip(1 - away * away, 0, None)


def steered(
    times_s: Sequence[float], targets: Floats, end_s: float, *, window: float, rules: Gentleness
) -> Floats:
    """Return the window's places from `times_s[0]` to `end_s`, every `STEP_S`, on its way through `targets`.

    It starts at rest at the first target; speed and acceleration stay within the rules (in windows).
    """
    max_speed, max_push = rules.max_speed * window, rules.max_acceleration * window
    start_s = times_s[0]
    num_steps = max(1, math.ceil((end_s - start_s) / STEP_S) + 1)
    wanted = np.interp(start_s + np.arange(num_steps) * STEP_S, times_s, targets)
    places = np.empty(num_steps)
    place, speed = float(targets[0]), 0.0
    for k in range(num_steps):
        away = float(wanted[k]) - place
        # What can still be braked for: a little less than the bound, since steps are not infinitely small.
        due = math.copysign(min(max_speed, math.sqrt(2 * 0.8 * max_push * abs(away))), away)
        speed += min(max(due - speed, -max_push * STEP_S), max_push * STEP_S)
        if abs(speed) * STEP_S < 1e-7 and abs(away) < 1e-4:
            speed = 0.0
        place += speed * STEP_S
        places[k] = place
    return places
