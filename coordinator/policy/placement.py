"""Where a job is put: which kind of worker, how urgent, how late, and how far behind others' jobs. Pure.

Priority says who goes first, the place which workers may take it, the delay when it may start at the earliest. Within a
priority jobs go in the order they came; those of an account that asks for much more than others count as come later.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from coordinator.model.jobs import Priority
from coordinator.policy.admission import DEFER_ABOVE_LOAD, defer_s
from coordinator.policy.priorities import priority_of

# Any worker of a queue that names no places of its own.
GENERAL = ""

# An account may enqueue so many times what the middle one does before its jobs count as come later.
FAIR_FACTOR = 3.0
# Jobs at once that count as come now: two streams send six chunks in the same moment.
BURST_JOBS = 8.0
# The middle account is looked for among those that enqueued within so long; who asks seldom is seen once in it.
FAIR_WINDOW_S = 60.0
FAIR_LOOK_S = 10.0
# One stream: three lanes, a chunk each 10 s. Taken until there has been a window.
_FIRST_RATE_PER_S = 0.3
# No job counts as come later than this, so that nobody waits for ever behind others of its priority.
MAX_BEHIND_S = 3600.0
# Of a worker's slots so many take no job that was put behind, so that a flood in all the others makes nobody wait; and
# as many as cover how far the number of all other jobs strays from its mean while one of the flood's is worked: of jobs
# that come by chance the square root is the standard deviation.
_KEPT_SHARE, _KEPT_DEVIATIONS = 0.15, 2.0
# More than that share is never kept idle.
_MAX_KEPT_SHARE = 0.4
# What a tier may ask for, by one free account: half as many as it may have streams (settings.Limits).
_WEIGHTS = {"free": 1.0, "pro": 2.0, "business": 16.0}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the jobs of one tier go in one queue.

    Attributes:
        place: the kind of worker; empty: any.
        under_load: another kind, while the first is over 0.8 busy; None: none.
        press: of jobs that a press asked for; None: as the others.
    """

    place: str = GENERAL
    under_load: str | None = None
    press: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What was decided of a job.

    Attributes:
        delay_s: comes on top of its own.
        is_after_presses: as critical as a press, and behind every press all the same: no stream keeps one waiting,
            whoever pays for it.
    """

    priority: Priority
    place: str
    delay_s: float = 0.0
    is_after_presses: bool = False


def place_job(
    tier: str, wish: Priority, placement: Placement | None, loads: Mapping[str, float | None]
) -> Placed:
    """Decide for one job.

    Args:
        wish: CRITICAL is a press; what is neither it nor NORMAL was chosen by whoever wants the job, and stays.
        placement: of its tier and queue; None: nobody set one.
        loads: of the places of its queue that live workers serve, busy by all slots; None: not known (yet).
    """
    is_press = wish is Priority.CRITICAL
    place = _place(placement or Placement(), loads, is_press=is_press)
    delay_s = 0.0
    if wish is Priority.NORMAL and (load := loads.get(place)) is not None:
        delay_s = defer_s(tier, load)
    if wish is not Priority.NORMAL:
        return Placed(priority=wish, place=place)
    priority = priority_of(tier, is_deferred=delay_s > 0)
    return Placed(
        priority=priority, place=place, delay_s=delay_s, is_after_presses=priority is Priority.CRITICAL
    )


def _place(placement: Placement, loads: Mapping[str, float | None], *, is_press: bool) -> str:
    if is_press:
        wanted = placement.place if placement.press is None else placement.press
        return wanted if wanted in loads else GENERAL
    place = placement.place if placement.place in loads else GENERAL
    load = loads.get(place)
    is_busy = load is not None and load > DEFER_ABOVE_LOAD
    if is_busy and placement.under_load is not None and placement.under_load in loads:
        return placement.under_load
    return place


def num_kept(num_slots: int, *, num_timely: int) -> int:
    """How many free slots of a worker are kept for jobs that were not put behind; none of a few.

    Args:
        num_timely: jobs at work that were not put behind.
    """
    at_least = int(num_slots * _KEPT_SHARE)
    if not at_least:
        return 0
    return min(
        int(num_slots * _MAX_KEPT_SHARE), max(at_least, round(_KEPT_DEVIATIONS * math.sqrt(num_timely)))
    )


def weight_of(tier: str) -> float:
    """How many free accounts' share is this tier's; one that is not known counts as free."""
    return _WEIGHTS.get(tier, _WEIGHTS["free"])


def fair_rate_per_s(middle_per_s: float | None) -> float:
    """Jobs a second of one free account that count as come now.

    Args:
        middle_per_s: of the middle account, by its weight; None: nobody was seen yet.
    """
    return FAIR_FACTOR * (_FIRST_RATE_PER_S if middle_per_s is None else middle_per_s)


def next_end_s(end_s: float, now_s: float, step_s: float, burst_s: float) -> float:
    """When an account has had its share of one more job: a leaky bucket, as a time."""
    return min(max(end_s, now_s) + step_s, now_s + burst_s + MAX_BEHIND_S)
