"""How loud a sound is, in dB below full scale. Pure."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

SILENCE_DB = -120.0


def loudness_db(mono: npt.NDArray[np.float32]) -> float:
    """Root mean square in dBFS, not below -120: a full-scale sine is -3.

    Args:
        mono: float32, shape (num_samples,), range [-1, 1]; none is silence.
    """
    if not len(mono):
        return SILENCE_DB
    return power_db(float(np.dot(mono, mono)) / len(mono))


def power_db(mean_square: float) -> float:
    """A mean square in dBFS, not below -120."""
    return max(SILENCE_DB, 10 * math.log10(mean_square)) if mean_square > 0 else SILENCE_DB
