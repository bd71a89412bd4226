"""A loudness meter by the standard's text (ITU-R BS.1770-4), so that the product is not measured by its own.

Filters and oversampling are done on the spectrum of the whole sound: exact, and nothing of FFmpeg's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
# Numerators and denominators of the two filters of the standard's K weighting at 48 kHz (its tables 1 and 2).
_SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


def integrated_lufs(sound: npt.NDArray[np.float32]) -> float:
    """Return the gated loudness of a sound of shape (channels, num_samples); -inf where nothing passes the gate."""
    weighted = _k_weighted(sound.astype(np.float64))
    block, step = RATE_HZ * 4 // 10, RATE_HZ // 10
    starts = range(0, weighted.shape[1] - block + 1, step)
    power = np.array([np.mean(weighted[:, k : k + block] ** 2, axis=1).sum() for k in starts])
    power = power[_lufs(power) > -70]
    if not power.size:
        return -np.inf
    power = power[_lufs(power) > _lufs(power.mean()) - 10]
    return float(_lufs(power.mean()))


def _lufs(power: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(np.asarray(power), 1e-20)))


def _k_weighted(sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    num_samples = sound.shape[1]
    # A second of silence behind it, or its end would ring on into its start.
    num_points = num_samples + RATE_HZ
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(num_points))
    response = np.ones_like(z)
    for numerator, denominator in (_SHELF, _HIGH_PASS):
        response *= np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, num_points) * response, num_points)[:, :num_samples])


def true_peak_dbtp(sound: npt.NDArray[np.float32], *, oversampling: int = 4) -> float:
    """Return the highest peak of the curve through the samples, by `oversampling` points for each sample."""
    padded = np.pad(sound.astype(np.float64), ((0, 0), (RATE_HZ // 10, RATE_HZ // 10)))
    num_samples = padded.shape[1]
    spectrum = np.fft.rfft(padded)
    finer = np.fft.irfft(spectrum, num_samples * oversampling) * oversampling
    return float(20 * np.log10(max(1e-10, np.abs(finer).max())))
