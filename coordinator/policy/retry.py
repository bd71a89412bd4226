"""How often a job is tried, and how long it waits between. Pure."""

from __future__ import annotations

from coordinator.model.jobs import Queue

# A job that killed its worker this often is not started again.
MAX_CRASHES = 5
# From then on it runs alone: what ran beside it died as often, and may be innocent.
SUSPECT_CRASHES = 2
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 300.0
FIRST_PAUSE_S = 2.0
MAX_PAUSE_S = 30.0
# As long as it takes to notice that a node is gone.
PUT_OFF_S = 15.0

# With the delays below in between: 4 take 7 s, which outlasts a restart of what they call, 6 take 31 s, for limits of
# models by the minute; cleanup is of no hurry. The assessment's 5 are the least that business has.
_ATTEMPTS = {
    Queue.VIDEO_PROCESSING: 4,
    Queue.TRANSCRIPTION: 4,
    Queue.AI_ANALYSIS: 6,
    Queue.CLIP_GENERATION: 4,
    Queue.EXPORT: 5,
    Queue.CLEANUP: 10,
}
_MIN_ATTEMPTS_BY_TIER = {"business": 5}


def max_attempts(queue: Queue, tier: str = "") -> int:
    """How often a job of this queue and tier is tried before it has failed."""
    return max(_ATTEMPTS[queue], _MIN_ATTEMPTS_BY_TIER.get(tier, 1))


def next_delay_s(attempt: int, jitter: float) -> float:
    """Seconds to wait after the `attempt`th failure (from 1): 1, 2, 4 ... 300, spread by a quarter.

    Args:
        jitter: random, in [0, 1).
    """
    exponent = min(max(attempt, 1) - 1, 30)
    return min(FIRST_DELAY_S * 2.0**exponent, MAX_DELAY_S) * (0.75 + 0.5 * jitter)


def next_pause_s(num_pauses: int) -> float:
    """Seconds for which a queue rests when what it depends on is down, after `num_pauses` in a row (from 1)."""
    exponent = min(max(num_pauses, 1) - 1, 10)
    return min(FIRST_PAUSE_S * 2.0**exponent, MAX_PAUSE_S)


def is_poison(*, runs: int, attempts: int) -> bool:
    """Did a job start too often without an end?

    Args:
        runs: starts, the present one included.
        attempts: 1 and one more for each orderly failure; the difference is how often its worker died.
    """
    return runs - attempts >= MAX_CRASHES


def is_suspect(*, runs: int, attempts: int) -> bool:
    """Did workers die over a job so often that it must run alone, lest its neighbours pass for poison too?

    Args: as `is_poison`.
    """
    return runs - attempts >= SUSPECT_CRASHES


_TIME_LIMIT_S = {
    Queue.VIDEO_PROCESSING: 1800.0,
    Queue.TRANSCRIPTION: 600.0,
    Queue.AI_ANALYSIS: 300.0,
    Queue.CLIP_GENERATION: 900.0,
    # Up to eight posts of one clip; each rendering has a deadline of its own, by its length.
    Queue.EXPORT: 7200.0,
    Queue.CLEANUP: 600.0,
}


def time_limit_s(queue: Queue) -> float:
    """How long one call for a job, or for a batch, may take before it counts as hung."""
    return _TIME_LIMIT_S[queue]
