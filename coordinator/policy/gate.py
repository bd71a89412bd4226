"""Which windows a language model is asked about, so that calls stay under 85 % of a limit. Pure.

A control variable: `pressure` grows while more than 85 % is used and sinks while less is. The free tier's threshold
moves first, then pro's, business's last: each over its own third of the pressure.
"""

from __future__ import annotations

import dataclasses

TARGET_SHARE = 0.85
# From nothing to everything shut in a minute at twice the target, and back in as long.
_PRESSURE_PER_S = 0.05 / TARGET_SHARE
_MAX_PRESSURE = 3.0
_FIRST = {"free": 0.0, "pro": 1.0, "business": 2.0}
# Two looks further apart tell nothing of what was between them.
_MAX_STEP_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The gate's state. `min_score` is the operator's threshold, which it never goes under."""

    min_score: float = 0.0
    pressure: float = 0.0

    def threshold(self, tier: str) -> float:
        """A window is asked about if its best score is at least this; over 1: none is."""
        share = min(max(self.pressure - _FIRST.get(tier, 0.0), 0.0), 1.0)
        # Just over 1 at the end: the best possible score is kept back, too.
        return self.min_score + share * (1.001 - self.min_score)

    def is_open(self, tier: str, score: float) -> bool:
        """May this window be asked about?"""
        return score >= self.threshold(tier)

    def stepped(self, *, used_share: float, elapsed_s: float) -> Gate:
        """The gate after a look at what is used.

        Args:
            used_share: the larger of requests and tokens of the last minute, by their limits.
        """
        change = (used_share - TARGET_SHARE) * _PRESSURE_PER_S * min(max(elapsed_s, 0.0), _MAX_STEP_S)
        return dataclasses.replace(self, pressure=min(max(self.pressure + change, 0.0), _MAX_PRESSURE))
