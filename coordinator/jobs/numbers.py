"""The engine's numbers of priorities. Pure; the one place that maps them.

The engine runs higher numbers first; ours are the other way round. Each of our priorities has a thousand million
numbers in two halves, and each half one a second since 2026, from its top down: jobs of a half go in the order they
came by the database's clock, and one can be put some seconds behind. The second half is for what goes after presses,
though it is as critical. It lasts until 2041.
"""

from __future__ import annotations

import datetime
import math

from coordinator.model.jobs import Priority

WIDTH = 1_000_000_000
HALF = WIDTH // 2
EPOCH_S = 1_767_225_600
TOP = {
    Priority.CRITICAL: 2 * WIDTH,
    Priority.HIGH: WIDTH,
    Priority.NORMAL: 0,
    Priority.LOW: -WIDTH,
}


def top_of(priority: Priority, behind_s: float = 0.0, *, is_after_presses: bool = False) -> int:
    """From what the Unix seconds of the database's clock are taken for the number of a job."""
    return TOP[priority] + EPOCH_S - round(behind_s) - (HALF if is_after_presses else 0)


def priority_of(number: int) -> Priority:
    """Our priority of the engine's number."""
    return next((ours for ours in Priority if number > TOP[ours] - WIDTH), Priority.LOW)


def is_press(number: int) -> bool:
    """Did a press ask for a job of this number, or does one wait for it?"""
    return number > TOP[Priority.CRITICAL] - HALF


def behind_s(number: int, created: datetime.datetime) -> float:
    """How many seconds behind others of its priority a job of this number was put when it was created."""
    come_s = -number % HALF + EPOCH_S
    return max(0.0, float(come_s - math.floor(created.timestamp())))
