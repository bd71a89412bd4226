"""Measure sound as a listener hears it (EBU R 128), and its peaks between the samples (BS.1770, 4 x oversampled)."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator

import numpy as np

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples
from coordinator.media.sound.filtering import filtered

# Below this nothing was meant to be heard: amplifying it would publish hiss.
SILENCE_LUFS = -60.0
# The standard measures blocks of 400 ms, a new one each 100 ms; FFmpeg tells after each 100 ms.
_BLOCK_SAMPLES = SAMPLE_RATE_HZ * 4 // 10
_STEP_SAMPLES = SAMPLE_RATE_HZ // 10
_PEAK_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 100
# What came before a stretch still swings in it by the interpolator's length, some 16 samples.
_LEAD_SAMPLES = 256
_HEARD_PEAK = 10 ** (SILENCE_LUFS / 20)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What a listener gets.

    Attributes:
        integrated_lufs: None where there is only silence. Of a sound shorter than 400 ms, which the standard
            does not measure, that of its repetition; `is_repeated` then.
        true_peak_dbtp: the highest peak of the curve through the samples.
        crest_dbfs, floor_dbfs: what the loudest hundredth of all that is heard reaches, and the quietest fifth
            (sample peaks of 10 ms); -inf: silence.
        offset: the mean of each channel: what a bad sound card adds to everything.
    """

    integrated_lufs: float | None
    true_peak_dbtp: float
    num_samples: int
    is_repeated: bool = False
    crest_dbfs: float = -math.inf
    floor_dbfs: float = -math.inf
    offset: tuple[float, float] = (0.0, 0.0)


def measure(pieces: Iterator[Samples]) -> Loudness:
    """Measure stereo float sound at 48 kHz, each piece of shape (2, num_samples)."""
    first: list[Samples] = []
    num_samples = 0
    for piece in pieces:
        first.append(piece)
        num_samples += piece.shape[1]
        if num_samples >= _BLOCK_SAMPLES:
            break
    found = _Watched(itertools.chain(first, pieces))
    if num_samples >= _BLOCK_SAMPLES:
        integrated_lufs, true_peak_dbtp = _measured(iter(found))
        return found.loudness(integrated_lufs, true_peak_dbtp)
    for _ in found:
        continue
    if not num_samples:
        return found.loudness(None, -math.inf)
    short = np.concatenate(first, axis=1)
    _, true_peak_dbtp = _measured(iter([short]))
    integrated_lufs, _ = _measured(iter([np.tile(short, 2 * _BLOCK_SAMPLES // num_samples + 1)]))
    return dataclasses.replace(found.loudness(integrated_lufs, true_peak_dbtp), is_repeated=True)


def _measured(pieces: Iterator[Samples]) -> tuple[float | None, float]:
    """Return integrated loudness and true peak."""
    tail = _Tail(pieces)
    integrated, peak = -math.inf, 0.0
    for frame in filtered(iter(tail), ("ebur128", "metadata=1:peak=true")):
        if "lavfi.r128.I" in frame.metadata:
            integrated = float(frame.metadata["lavfi.r128.I"])
            peak = max(peak, float(frame.metadata["lavfi.r128.true_peak"]))
    # Of the last, unfinished 100 ms FFmpeg says nothing: silence behind it makes it tell of the peaks.
    rest = np.pad(tail.rest, ((0, 0), (_LEAD_SAMPLES, 2 * _STEP_SAMPLES)))
    for frame in filtered(iter([rest]), ("ebur128", "metadata=1:peak=true")):
        peak = max(peak, float(frame.metadata.get("lavfi.r128.true_peak", 0.0)))
    return (
        integrated if integrated > SILENCE_LUFS else None,
        20 * math.log10(peak) if peak > 0 else -math.inf,
    )


class _Tail:
    """Hands pieces on and keeps the end: what comes after the last whole 100 ms, and a little before it."""

    def __init__(self, pieces: Iterator[Samples]) -> None:
        self._pieces = pieces
        self._num_samples = 0
        self._last: Samples = np.zeros((2, 0), np.float32)

    def __iter__(self) -> Iterator[Samples]:
        keep = _STEP_SAMPLES + _LEAD_SAMPLES
        for piece in self._pieces:
            self._num_samples += piece.shape[1]
            self._last = np.concatenate([self._last, piece[:, -keep:]], axis=1)[:, -keep:]
            yield piece

    @property
    def rest(self) -> Samples:
        return self._last[
            :, max(0, self._last.shape[1] - self._num_samples % _STEP_SAMPLES - _LEAD_SAMPLES) :
        ]


class _Watched:
    """Hands pieces on and keeps the books that FFmpeg does not: peaks of 10 ms, and the mean."""

    def __init__(self, pieces: Iterator[Samples]) -> None:
        self._pieces = pieces
        self._peaks: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
        self._sum = np.zeros(2)
        self._num_samples = 0

    def __iter__(self) -> Iterator[Samples]:
        for piece in self._pieces:
            if not piece.shape[1]:
                continue
            self._num_samples += piece.shape[1]
            self._sum += piece.sum(axis=1, dtype=np.float64)
            loud = np.abs(piece).max(axis=0)
            self._peaks.append(np.maximum.reduceat(loud, np.arange(0, loud.size, _PEAK_BLOCK_SAMPLES)))
            yield piece

    def loudness(self, integrated_lufs: float | None, true_peak_dbtp: float) -> Loudness:
        peaks = np.concatenate(self._peaks) if self._peaks else np.zeros(0, np.float32)
        heard = peaks[peaks > _HEARD_PEAK]
        left, right = self._sum / max(1, self._num_samples)
        return Loudness(
            integrated_lufs=integrated_lufs,
            true_peak_dbtp=true_peak_dbtp,
            num_samples=self._num_samples,
            crest_dbfs=20 * math.log10(np.quantile(heard, 0.99)) if heard.size else -math.inf,
            floor_dbfs=20 * math.log10(np.quantile(heard, 0.2)) if heard.size else -math.inf,
            offset=(float(left), float(right)),
        )
