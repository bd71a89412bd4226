"""A rate with a burst. Time comes in as an argument; no clock and no loop is known here."""

from __future__ import annotations


class TokenBucket:
    """`rate_per_s` tokens flow in, up to `burst`; whoever spends more than there is leaves a debt behind.

    A rate of 0 is no limit.
    """

    __slots__ = ("_at_s", "_burst", "_level", "_rate_per_s")

    def __init__(self, *, rate_per_s: float, burst: float, now_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._level = burst
        self._at_s = now_s

    def spend(self, amount: float, now_s: float) -> float:
        """Take `amount`, into debt if need be; returns how long the debt lasts."""
        if not self._rate_per_s:
            return 0.0
        self._fill(now_s)
        self._level -= amount
        return self.debt_s(now_s)

    def debt_s(self, now_s: float) -> float:
        """How long until nothing is owed."""
        if not self._rate_per_s:
            return 0.0
        self._fill(now_s)
        return max(0.0, -self._level / self._rate_per_s)

    def has(self, amount: float, now_s: float) -> bool:
        """Is there so much without a debt?"""
        self._fill(now_s)
        return not self._rate_per_s or self._level >= amount

    def is_full(self, now_s: float) -> bool:
        """Would a new bucket be no better?"""
        self._fill(now_s)
        return not self._rate_per_s or self._level >= self._burst

    def _fill(self, now_s: float) -> None:
        self._level = min(self._burst, self._level + max(0.0, now_s - self._at_s) * self._rate_per_s)
        self._at_s = max(self._at_s, now_s)
