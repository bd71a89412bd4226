"""Who enqueues more than others: how far behind an account's next job counts as come.

Each account has a virtual end of what it asked for so far; a job moves it by what a fair account would take for one.
What lies beyond now and a burst is how far behind the job counts. A fair account is the middle one of the last minute,
so a flood of few does not move it. Counts are of one process and one queue. Owned by the loop; a dictionary's step a
job, and one sort of counts each 10 s.
"""

from __future__ import annotations

from coordinator.policy.placement import (
    BURST_JOBS,
    FAIR_LOOK_S,
    FAIR_WINDOW_S,
    fair_rate_per_s,
    next_end_s,
    weight_of,
)

# More accounts than that are not told apart by one process: those that come later count as fair.
MAX_ACCOUNTS = 100_000


class Shares:
    """Of one queue."""

    def __init__(self) -> None:
        self._ends_s: dict[str, float] = {}
        self._counts: dict[str, float] = {}
        self._since_s: float | None = None
        self._looked_s = 0.0
        self._had_window = False
        self._rate_per_s = fair_rate_per_s(None)

    @property
    def num_accounts(self) -> int:
        """How many are remembered."""
        return max(len(self._ends_s), len(self._counts))

    def behind_s(self, account: str, tier: str, now_s: float) -> float:
        """Count a job, and say by how much later it counts as come; `now_s`: monotonic."""
        self._roll(now_s)
        if account not in self._ends_s and len(self._ends_s) >= MAX_ACCOUNTS:
            return 0.0
        weight = weight_of(tier)
        self._counts[account] = self._counts.get(account, 0.0) + 1.0 / weight
        burst_s = BURST_JOBS / self._rate_per_s
        step_s = 1.0 / (weight * self._rate_per_s)
        end_s = next_end_s(self._ends_s.get(account, now_s), now_s, step_s, burst_s)
        self._ends_s[account] = end_s
        return max(0.0, end_s - now_s - burst_s)

    def _roll(self, now_s: float) -> None:
        if self._since_s is None:
            self._since_s = self._looked_s = now_s
        if now_s - self._looked_s < FAIR_LOOK_S:
            return
        self._looked_s = now_s
        elapsed_s = min(now_s - self._since_s, FAIR_WINDOW_S)
        # The first half of a window says less than the whole one before.
        if self._counts and (elapsed_s >= FAIR_WINDOW_S / 2 or not self._had_window):
            counts = sorted(self._counts.values())
            self._rate_per_s = fair_rate_per_s(counts[(len(counts) - 1) // 2] / elapsed_s)
        if now_s - self._since_s < FAIR_WINDOW_S:
            return
        self._since_s, self._had_window = now_s, True
        self._counts.clear()
        # Who owes nothing is as one who never came.
        self._ends_s = {account: end_s for account, end_s in self._ends_s.items() if end_s > now_s}
