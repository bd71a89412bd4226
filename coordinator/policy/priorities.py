"""Public priorities (lower runs first) and what an account's tier makes of them. Pure."""

from __future__ import annotations

from coordinator.model.jobs import Priority

# A job that has waited so long rises to NORMAL, so that no one starves.
RISES_AFTER_S = 120.0

_BY_TIER = {"free": Priority.NORMAL, "pro": Priority.NORMAL, "business": Priority.CRITICAL}


def priority_of(tier: str, *, is_press: bool = False, is_deferred: bool = False) -> Priority:
    """The priority of a job of this tier; what a press asked for is CRITICAL for everyone."""
    if is_press:
        return Priority.CRITICAL
    if is_deferred:
        return Priority.LOW
    return _BY_TIER.get(tier, Priority.NORMAL)
