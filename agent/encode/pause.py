"""Is the voice silent now? Asked where a chunk might end, so that no word is torn between two.

Compares the last fifth of a second with the quietest fifth within the last seconds: a quiet room and a noisy one
both have pauses. Pure; used by the `audio` thread. # 0.01 ms a block
"""

from __future__ import annotations

import collections

import numpy as np
import numpy.typing as npt

_PAUSE_BLOCKS = 9  # of 1024 samples at 48,000 Hz: 192 ms, the shortest pause between phrases
_MEMORY_BLOCKS = 700  # 15 s: a speaker breathes within
_MARGIN_DB = 8.0
_SILENCE_DB = -60.0
_FLOOR_DB = -120.0


class PauseFinder:
    """Feed every block in order, then ask."""

    def __init__(self) -> None:
        self._powers: collections.deque[float] = collections.deque(maxlen=_PAUSE_BLOCKS)
        self._levels_db: collections.deque[float] = collections.deque(maxlen=_MEMORY_BLOCKS)

    def feed(self, mono: npt.NDArray[np.float32]) -> None:
        """Take a block of samples, float32 in [-1, 1]."""
        if len(mono):
            self._powers.append(float(np.dot(mono, mono)) / len(mono))
        if len(self._powers) == _PAUSE_BLOCKS:
            self._levels_db.append(_db(sum(self._powers) / _PAUSE_BLOCKS))

    @property
    def is_pause(self) -> bool:
        """Was the last fifth of a second as quiet as this voice gets?"""
        if not self._levels_db:
            return False
        level_db = self._levels_db[-1]
        return level_db <= max(_SILENCE_DB, min(self._levels_db) + _MARGIN_DB)

    @property
    def floor_db(self) -> float:
        """How loud its pauses are, in dBFS; -120 before there was one."""
        return min(self._levels_db, default=_FLOOR_DB)

    @property
    def range_db(self) -> float:
        """How much louder than its pauses its voice is; 0 where there is but one of both."""
        return max(self._levels_db, default=_FLOOR_DB) - self.floor_db


def _db(power: float) -> float:
    return max(_FLOOR_DB, 10 * float(np.log10(max(power, 1e-12))))
