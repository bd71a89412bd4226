"""How far a signal stands above its own recent past: robust, causal, masked.

The past is the trailing window, so that what is known of a second does not change when more follows. The
reference is renewed every 2 s and held between: a thousandth of the cost of every step, and as good.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from coordinator.model.highlight import SIGNAL_RATE_HZ

Curve = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

WINDOW_S: Final = 100.0
RENEW_STEPS: Final = 4
MIN_PAST_STEPS: Final = 16  # 8 s of measured past; before it nothing is said
_BLOCK_ROWS: Final = 1_024  # bounds the working memory: 200 steps each are 1.6 MB
_MAD_TO_SIGMA: Final = 1.4826


def baseline(
    values: Curve,
    present: Mask,
    *,
    window_s: float = WINDOW_S,
    quantile: float = 0.5,
    has_spread: bool = True,
) -> tuple[Curve, Curve, Mask]:
    """Level and spread of the trailing window at each step.

    Args:
        has_spread: without it, which is half the cost, sigma is 0.

    Returns:
        (level, sigma, known): the quantile, 1.4826 times the median distance from it, and where at least 8 s
        of the window had been measured. Shapes as `values`.
    """
    num_steps = values.shape[0]
    level, sigma, known = np.zeros(num_steps), np.zeros(num_steps), np.zeros(num_steps, dtype=bool)
    width = int(window_s * SIGNAL_RATE_HZ)
    masked = np.concatenate((np.full(width, np.nan), np.where(present, values, np.nan)))
    ends = np.minimum(np.arange(RENEW_STEPS, num_steps + RENEW_STEPS, RENEW_STEPS), num_steps)
    windows = np.lib.stride_tricks.sliding_window_view(masked, width) if num_steps else masked[None, :0]
    for block in range(0, ends.size, _BLOCK_ROWS):
        past = np.sort(windows[ends[block : block + _BLOCK_ROWS]], axis=1)  # NaN comes last
        count = np.count_nonzero(~np.isnan(past), axis=1)
        middle = _quantile(past, count, quantile)
        held = slice(block * RENEW_STEPS, min((block + _BLOCK_ROWS) * RENEW_STEPS, num_steps))
        has_past = count >= MIN_PAST_STEPS
        found = [(level, np.where(has_past, middle, 0.0)), (known, has_past)]
        if has_spread:
            distance = np.sort(np.abs(past - middle[:, None]), axis=1)
            found.append((sigma, np.where(has_past, _MAD_TO_SIGMA * _quantile(distance, count, 0.5), 0.0)))
        for row, values_found in found:
            row[held] = np.repeat(values_found, RENEW_STEPS)[: held.stop - held.start]
    return level, sigma, known


def _quantile(ordered: Curve, count: npt.NDArray[np.int64], quantile: float) -> Curve:
    """The quantile of each row's first `count` values, which are in order; NaN where there are none."""
    at = np.maximum(count - 1, 0) * quantile
    low = at.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(ordered.shape[0])
    found: Curve = ordered[rows, low] + (ordered[rows, high] - ordered[rows, low]) * (at - low)
    return found


def rise(values: Curve, present: Mask, *, floor: float, quantile: float = 0.5) -> tuple[Curve, Mask]:
    """Units (dB, semitones) above the trailing level; levels under `floor` count as `floor`.

    Returns (rise, known); 0 where unknown.
    """
    raised = np.maximum(values, floor)
    level, _, known = baseline(raised, present, quantile=quantile, has_spread=False)
    known = known & present
    return np.where(known, raised - level, 0.0), known


def robust_z(values: Curve, present: Mask, *, min_sigma: float) -> tuple[Curve, Mask]:
    """Spreads above the trailing median, for signals without a unit of their own.

    Args:
        min_sigma: the least spread believed in; keeps a dead signal's first twitch from being a wonder.

    Returns (z, known); 0 where unknown.
    """
    level, sigma, known = baseline(values, present)
    known = known & present
    return np.where(known, (values - level) / np.maximum(sigma, min_sigma), 0.0), known


def ramp(values: Curve, low: float, high: float) -> Curve:
    """0 up to `low`, 1 from `high`, straight between."""
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def smooth(values: Curve, present: Mask, half_steps: int) -> Curve:
    """Mean of what is present within `half_steps` to each side; 0 where nothing is."""
    kernel = np.ones(2 * half_steps + 1)
    total = _convolve(np.where(present, values, 0.0), kernel)
    count = _convolve(present.astype(np.float64), kernel)
    return np.where(count > 0.5, total / np.maximum(count, 1.0), 0.0)


def spread(values: Curve, half_steps: int) -> Curve:
    """The largest value within `half_steps` to each side: lets lanes agree that are a moment apart."""
    if values.size == 0:
        return values
    padded = np.pad(values, half_steps, mode="edge")
    widest: Curve = np.lib.stride_tricks.sliding_window_view(padded, 2 * half_steps + 1).max(axis=1)
    return widest


def lower(values: Curve, half_steps: int) -> Curve:
    """The lower quartile within `half_steps` to each side: what stays when syllables come and go."""
    if values.size == 0:
        return values
    padded = np.pad(values, half_steps, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half_steps + 1)
    return np.sort(windows, axis=1)[:, (2 * half_steps + 1) // 4]


def _convolve(values: Curve, kernel: Curve) -> Curve:
    if values.size == 0:
        return values
    return np.convolve(values, kernel, mode="full")[kernel.size // 2 :][: values.size]
