"""Puts a device's sound onto the session's own sample grid: in its place, without gap, drift mended.

A device counts samples by its own crystal; the session counts by the monotonic clock. Each block's stamp says where it
belongs, with some ms of jitter. A loop of second order learns from the stamps how much the crystal is off and takes
out or puts in a sample where one is due, so that a steady drift never becomes an error that must be mended; an error
that is there all the same (after a jump, or a device that changed) is mended 0.5 ms a block, a large one at once.
Pure but for its own state; owned by the `audio` thread.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from agent.model.media import SOUND_RATE_HZ
from protos.timebase import ns_to_ticks

DRIFT_SAMPLES = 15 * SOUND_RATE_HZ // 1000
JUMP_SAMPLES = 250 * SOUND_RATE_HZ // 1000
CORRECTION_SAMPLES = 24  # 0.5 ms
SETTLED_SAMPLES = 2 * SOUND_RATE_HZ // 1000
# The first stamp after a silence is no better than any other: 4 s of 20 ms blocks are brought closer.
_SETTLING_BLOCKS = 200
_SMOOTHING = 0.02
# The loop: critically damped, 0.005 Hz. 200 ppm that it does not know yet cost 2.3 ms at the worst; stamps that jitter
# by 20 ms move it by 0.3 ms.
_LOOP_RAD_S = 2 * math.pi * 0.005
_PULL_PER_SAMPLE = 2 * _LOOP_RAD_S / SOUND_RATE_HZ
_LEARN_PER_SAMPLE = _LOOP_RAD_S**2 / SOUND_RATE_HZ**2
# Ten times what is sold; what is beyond is no crystal.
_MAX_DRIFT = 0.001
_MAX_FINE_RATIO = 0.002
Stereo = npt.NDArray[np.float32]


class SoundTimeline:
    """One source's samples from `start` on, in order. Positions are samples of the session's line.

    Args:
        start: the first position; what is stamped before it is left out.
        max_samples: what it holds at most; the oldest go first (and are counted) if nobody takes them.
    """

    def __init__(self, start: int, *, max_samples: int) -> None:
        self.start = start
        self.end = start
        self.num_filled = 0
        self.num_skipped = 0
        self.num_corrected = 0
        self._max_samples = max_samples
        self._parts: list[Stereo] = []
        self._error = 0.0
        self._num_placed = 0
        self._is_correcting = False
        # After silence was filled in, the next block is put exactly where it belongs.
        self._is_anchored = False
        # Samples to put in for each that comes: what the loop has learnt, and what is due of a whole one.
        self._drift = 0.0
        self._due = 0.0

    @property
    def drift_ppm(self) -> float:
        """How much faster than the session's the device's clock runs, as far as it is known. Any thread."""
        return -self._drift * 1e6

    @property
    def error_ms(self) -> float:
        """How far behind (negative: ahead of) its device's own stamps the sound lies, smoothed over a second."""
        return self._error * 1000 / SOUND_RATE_HZ

    def place(self, time_ns: int, samples: Stereo) -> None:
        """Append a block whose first sample was heard at `time_ns` of the session."""
        error = ns_to_ticks(time_ns, SOUND_RATE_HZ) - self.end
        if not self._is_anchored or abs(error) > JUMP_SAMPLES:
            samples = self._jump(error, samples)
            if not len(samples):
                return
            self._is_anchored = True
        else:
            self._error += _SMOOTHING * (error - self._error)
            self._num_placed += 1
            correction = self._correction(error, len(samples))
            if correction and len(samples) > 4 * CORRECTION_SAMPLES:
                samples = stretch(samples, len(samples) + correction)
                self._error -= correction
                self.num_corrected += 1
        self._append(samples)

    def fill_to(self, position: int) -> int:
        """Append silence up to `position`, if the sound has not come that far; returns how much."""
        missing = position - self.end
        if missing <= 0:
            return 0
        self._append_silence(missing)
        self._is_anchored = False
        return missing

    def read(self, position: int, num_samples: int) -> Stereo:
        """Remove and return the samples from `position` on; there must be as many before `end`.

        What went because nobody took it in time is silence.
        """
        lost = min(num_samples, max(0, self.start - position))
        parts = [np.zeros((lost, 2), np.float32)] if lost or not num_samples else []
        parts += self._take(num_samples - lost)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _correction(self, error: int, num_samples: int) -> int:
        """How many samples to put in (or, negative, to take out): half a millisecond, or what drift makes due."""
        if self._must_correct():
            self._due = 0.0
            return CORRECTION_SAMPLES if self._error > 0 else -CORRECTION_SAMPLES
        if self._num_placed < _SETTLING_BLOCKS:
            return 0
        self._drift += _LEARN_PER_SAMPLE * error * num_samples
        self._drift = min(_MAX_DRIFT, max(-_MAX_DRIFT, self._drift))
        ratio = self._drift + _PULL_PER_SAMPLE * error
        self._due += min(_MAX_FINE_RATIO, max(-_MAX_FINE_RATIO, ratio)) * num_samples
        correction = int(self._due)
        self._due -= correction
        return correction

    def _must_correct(self) -> bool:
        """Past 15 ms, and then on until it is under 2; soon after a jump past 2."""
        is_tight = self._is_correcting or self._num_placed < _SETTLING_BLOCKS
        self._is_correcting = abs(self._error) > (SETTLED_SAMPLES if is_tight else DRIFT_SAMPLES)
        return self._is_correcting

    def _jump(self, error: int, samples: Stereo) -> Stereo:
        """Go to a block's own place: fill what is missing before it, or leave out what is behind us."""
        self._error = 0.0
        self._due = 0.0
        self._num_placed = 0
        if error >= 0:
            self._append_silence(error)
            return samples
        self.num_skipped += min(-error, len(samples))
        return samples[-error:]

    def _append_silence(self, num_samples: int) -> None:
        self.num_filled += num_samples
        # A stamp far ahead must not cost memory: what is beyond our bound would be dropped anyway.
        kept = min(num_samples, self._max_samples)
        if num_samples > kept:
            self._parts.clear()
            self.start = self.end + num_samples - kept
            self.end = self.start
        if kept:
            self._append(np.zeros((kept, 2), np.float32))

    def _append(self, samples: Stereo) -> None:
        self._parts.append(samples)
        self.end += len(samples)
        excess = self.end - self.start - self._max_samples
        if excess > 0:
            self._take(excess)
            self.num_skipped += excess

    def _take(self, num_samples: int) -> list[Stereo]:
        taken: list[Stereo] = []
        wanted = num_samples
        while wanted > 0:
            part = self._parts[0]
            if len(part) <= wanted:
                taken.append(self._parts.pop(0))
            else:
                taken.append(part[:wanted])
                self._parts[0] = part[wanted:]
            wanted -= len(taken[-1])
        self.start += num_samples
        return taken


def stretch(samples: Stereo, num_samples: int) -> Stereo:
    """The block in `num_samples` samples, linearly interpolated; both ends keep their values."""
    left, weight = _places(len(samples), num_samples)
    before = samples[left]
    return np.asarray(before + weight * (samples[left + 1] - before), np.float32)


@functools.lru_cache(maxsize=64)
def _places(num_before: int, num_after: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """For each new sample the old one to its left, and how far it is on the way to the next; shape (n, 1)."""
    positions = np.linspace(0, num_before - 1, num_after)
    left = np.minimum(positions.astype(np.intp), num_before - 2)
    weight = (positions - left).astype(np.float32)
    return left, weight[:, np.newaxis]
