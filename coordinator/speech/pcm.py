"""What every engine checks of a window before it listens to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coordinator.errors import AudioUnusable
from coordinator.model.speech import SAMPLE_RATE_HZ, Pcm16k

MAX_WINDOW_S = 30.0
# Resampling rounds up: a window of 30 s may carry a few samples more.
_MAX_WINDOW_SAMPLES = int(MAX_WINDOW_S * SAMPLE_RATE_HZ) + SAMPLE_RATE_HZ // 100


def usable_samples(window: Pcm16k) -> npt.NDArray[np.float32]:
    """Return the window's samples, contiguous and inside [-1, 1].

    Raises:
        AudioUnusable: Another shape or type, longer than 30 s, or holding NaN or infinity.
    """
    samples = window.samples
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise AudioUnusable(
            f"a window of shape {samples.shape} and type {samples.dtype} is no speech window; "
            f"give mono float32 at {SAMPLE_RATE_HZ} Hz, shape (num_samples,)"
        )
    if samples.size > _MAX_WINDOW_SAMPLES:
        raise AudioUnusable(
            f"a window of {samples.size / SAMPLE_RATE_HZ:.1f} s is longer than {MAX_WINDOW_S:.0f} s; "
            "split it at a pause first"
        )
    if samples.size and not np.isfinite(samples).all():
        raise AudioUnusable("a window holds NaN or infinity; decode the audio again")
    return np.ascontiguousarray(np.clip(samples, -1.0, 1.0))
