"""Several sounds into one that does not clip. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_KNEE = 0.8
Stereo = npt.NDArray[np.float32]


def mix(sounds: Sequence[Stereo]) -> Stereo:
    """The sum, as it is up to 0.8 of full scale and bent softly towards 1 beyond.

    Args:
        sounds: float32, all of one shape (num_samples, 2); at least one.

    Returns:
        float32 within [-1, 1]; not-a-number becomes silence, for one bad driver must not silence a clip.
    """
    total = sounds[0].copy()
    for sound in sounds[1:]:
        total += sound
    return bend(total)


def bend(samples: Stereo) -> Stereo:
    """Samples as they are up to 0.8 of full scale, and bent softly towards 1 beyond."""
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak <= _KNEE:
        return samples
    if not np.isfinite(peak):
        samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    over = np.abs(samples) - _KNEE
    bent = _KNEE + (1 - _KNEE) * np.tanh(over / (1 - _KNEE))
    return np.where(over > 0, np.sign(samples) * bent, samples).astype(np.float32)


def to_mono(stereo: Stereo) -> npt.NDArray[np.float32]:
    """The mean of both channels, shape (num_samples,)."""
    return (stereo[:, 0] + stereo[:, 1]) * np.float32(0.5)
