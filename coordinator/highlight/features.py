"""From PCM to 2 Hz features of one lane (`mic`, `desktop`, `mix`).

Each half second is measured by itself, with no context: a chunk that starts on a multiple of 0.5 s can be
measured once, kept, and joined with its neighbours by `join_tracks`; the result equals that of the whole.
Cost: `bench highlights --part cost`.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from coordinator.errors import AudioUnusable
from coordinator.model.highlight import SIGNAL_RATE_HZ, Track
from coordinator.model.speech import SAMPLE_RATE_HZ

Curve = npt.NDArray[np.float64]

STEP_SAMPLES: Final = SAMPLE_RATE_HZ // SIGNAL_RATE_HZ
FRAMES_A_STEP: Final = 8
FRAME_SAMPLES: Final = STEP_SAMPLES // FRAMES_A_STEP  # 1,000 samples, 62.5 ms
FFT_SIZE: Final = 1_024
FLOOR_DB: Final = -90.0
# Fewer make numpy's calls dearer than their work; these need 6 MB of working memory a thread.
BLOCK_STEPS: Final = 32


def _bin(frequency_hz: float) -> int:
    return round(frequency_hz * FFT_SIZE / SAMPLE_RATE_HZ)


_HEARD: Final = slice(_bin(200), _bin(6_000))
_PITCHED: Final = slice(_bin(60), _bin(1_500))
# A voice's pitch lies below 1.5 kHz: half the rate and half the transform tell it as well.
_VOICE_FFT_SIZE: Final = FFT_SIZE // 2
_VOICE_RATE_HZ: Final = SAMPLE_RATE_HZ // 2
_VOICE_LAGS: Final = (_VOICE_RATE_HZ // 450, _VOICE_RATE_HZ // 75)
# The window tapers the correlation; without this, long periods lose to short ones.
_VOICE_TAPER: Final = (
    1.0 - np.arange(_VOICE_LAGS[1] + 2) * (SAMPLE_RATE_HZ // _VOICE_RATE_HZ) / FRAME_SAMPLES
).astype(np.float32)
# Twice the period fits a voice as well: a little is taken off for each octave.
_VOICE_OCTAVES: Final = (
    0.03 * np.log2(np.arange(_VOICE_LAGS[0], _VOICE_LAGS[1] + 1) / _VOICE_LAGS[0])
).astype(np.float32)
_ENVELOPE_POINTS: Final = 64  # 7.8 ms each
_LAUGH_LAGS: Final = (
    19,
    34,
)  # points: a call and its pause take 0.15 to 0.26 s in laughter, and all of them alike

# Order of the rows in `LaneFeatures.values`.
FEATURES: Final = (
    "loudness_db",
    "floor_db",
    "flux_db",
    "flatness",
    "tonality_db",
    "modulation_db",
    "voicing",
    "pitch_st",
    "rumble_db",
    "burst_db",
    "regularity",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LaneFeatures:
    """Features of a stretch of one lane.

    Attributes:
        at_s: where the stretch starts, a multiple of 0.5 s.
        values: float64, shape (len(FEATURES), num_steps), NaN where there was nothing to measure:
            `loudness_db` mean power, dBFS; `floor_db` the quietest frame's level above 1.5 kHz: what sounds
            between the syllables; `flux_db` mean rise of the spectrum from frame to frame;
            `flatness` 0 (a tone) to 1 (white); `tonality_db` how far steady partials stand out, music's sign;
            `modulation_db` how much the level moves within the step, speech's sign; `voicing` 0-1 periodicity
            at a voice's pitch; `pitch_st` that pitch in semitones over 55 Hz, NaN where unvoiced; `rumble_db` the part
            of the power that lies below 300 Hz, explosions' sign; `burst_db` how far the loudest frame stands out of
            the step, the sign of shots and claps; `regularity` 0-1 how alike pulses of some five a second follow one
            another, laughter's sign.
    """

    at_s: float
    values: npt.NDArray[np.float64]


def measure(samples: npt.NDArray[np.float32], *, at_s: float = 0.0) -> LaneFeatures:
    """Measure a stretch of one lane. A rest shorter than half a second is left for the next chunk.

    Args:
        samples: mono, 16,000 Hz, shape (num_samples,), range [-1, 1].
        at_s: where it starts on the session's line; rounded to the next half second.

    Raises:
        AudioUnusable: Not one-dimensional, or holds NaN or infinity.
    """
    if samples.ndim != 1:
        raise AudioUnusable(f"cannot measure audio of shape {samples.shape}: give one mono lane")
    num_steps = samples.shape[0] // STEP_SAMPLES
    values = np.full((len(FEATURES), num_steps), np.nan)
    for first in range(0, num_steps, BLOCK_STEPS):
        last = min(first + BLOCK_STEPS, num_steps)
        block = samples[first * STEP_SAMPLES : last * STEP_SAMPLES].astype(np.float32, copy=False)
        if not bool(np.isfinite(block).all()):
            raise AudioUnusable(
                f"cannot measure audio near {at_s + first / SIGNAL_RATE_HZ:.1f} s: it holds NaN or infinity"
            )
        values[:, first:last] = _measure_block(block.reshape(last - first, FRAMES_A_STEP, FRAME_SAMPLES))
    return LaneFeatures(at_s=round(at_s * SIGNAL_RATE_HZ) / SIGNAL_RATE_HZ, values=values)


def join_tracks(parts: Sequence[LaneFeatures], *, lane: str, num_steps: int) -> list[Track]:
    """Tracks named `<lane>_<feature>` from any stretches of a lane; what no part covers is not present."""
    joined = np.full((len(FEATURES), num_steps), np.nan)
    for part in parts:
        first = round(part.at_s * SIGNAL_RATE_HZ)
        last = min(first + part.values.shape[1], num_steps)
        if 0 <= first < last:
            joined[:, first:last] = part.values[:, : last - first]
    return [
        Track(name=f"{lane}_{name}", values=np.nan_to_num(row), present=np.isfinite(row))
        for name, row in zip(FEATURES, joined, strict=True)
    ]


def lane_tracks(samples: npt.NDArray[np.float32], *, lane: str) -> list[Track]:
    """Tracks of a whole lane from its first sample: `measure` and `join_tracks` in one."""
    part = measure(samples)
    return join_tracks([part], lane=lane, num_steps=part.values.shape[1])


class _Workspace(threading.local):
    """Arrays of one block, kept from call to call, each thread's own: fresh memory was half of the cost."""

    def __init__(self) -> None:
        frames = (BLOCK_STEPS, FRAMES_A_STEP)
        self.window = np.hanning(FRAME_SAMPLES).astype(np.float32)
        self.window *= np.float32(np.sqrt(FFT_SIZE / (float(np.square(self.window).sum()) * FRAME_SAMPLES)))
        self.windowed = np.zeros((*frames, FFT_SIZE), dtype=np.float32)  # zeros behind the frame stay
        self.spectrum = np.empty((*frames, FFT_SIZE // 2 + 1), dtype=np.complex64)
        self.power = np.empty((*frames, FFT_SIZE // 2 + 1), dtype=np.float32)
        self.squares = np.empty((*frames, FRAME_SAMPLES), dtype=np.float32)
        self.heard_db = np.empty((*frames, _HEARD.stop - _HEARD.start), dtype=np.float32)
        self.rises_db = np.empty((BLOCK_STEPS, FRAMES_A_STEP - 1, self.heard_db.shape[2]), dtype=np.float32)
        # Zeros beside _PITCHED stay. Real, it would be turned into doubles.
        self.low = np.zeros((*frames, _VOICE_FFT_SIZE // 2 + 1), dtype=np.complex64)
        self.correlation = np.empty((*frames, _VOICE_FFT_SIZE), dtype=np.float32)


def _measure_block(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Shape (num_steps, 8, 1000) to (num_features, num_steps); at most BLOCK_STEPS at once."""
    num_steps = frames.shape[0]
    power = _power(frames)
    squares = np.square(frames, out=_workspace.squares[:num_steps])
    by_frame = squares.mean(axis=2)
    level_db, loudness_db = _db(by_frame), _db(by_frame.mean(axis=1))
    mean_power = power.mean(axis=1)
    high_db = _db(power[:, :, _bin(1_500) : _bin(6_000)].sum(axis=2) * 2)
    spectrum_db = _db(power[:, :, _HEARD], floor_db=-110.0, out=_workspace.heard_db[:num_steps])
    rises_db = np.subtract(spectrum_db[:, 1:], spectrum_db[:, :-1], out=_workspace.rises_db[:num_steps])
    voicing, pitch_st = _voice(power)
    rows = (
        loudness_db,
        np.sort(high_db, axis=1)[:, 1],
        np.maximum(rises_db, 0.0, out=rises_db).mean(axis=(1, 2)),
        _flatness(mean_power[:, _bin(500) : _bin(6_000)]),
        _tonality_db(spectrum_db),
        np.maximum(level_db, loudness_db[:, None] - 25.0).std(axis=1),
        voicing,
        pitch_st,
        _db(mean_power[:, : _bin(300)].sum(axis=1)) - _db(mean_power.sum(axis=1)),
        level_db.max(axis=1) - loudness_db,
        _regularity(squares),
    )
    return np.stack([row.astype(np.float64) for row in rows])


def _power(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Spectra of power, shape (num_steps, 8, 513), in the thread's workspace."""
    num_steps = frames.shape[0]
    windowed, spectrum = _workspace.windowed[:num_steps], _workspace.spectrum[:num_steps]
    np.multiply(frames, _workspace.window, out=windowed[:, :, :FRAME_SAMPLES])
    # numpy's default norm doubles the precision, at eight times the cost; this one keeps that of its input,
    # which numpy's stubs do not know.
    np.fft.rfft(windowed, axis=2, norm="ortho", out=spectrum)  # type: ignore[arg-type]
    power = np.abs(spectrum, out=_workspace.power[:num_steps])
    return np.square(power, out=power)


def _regularity(squares: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How much the envelope is like itself one pulse later."""
    envelope = np.sqrt(squares.reshape(squares.shape[0], _ENVELOPE_POINTS, -1).mean(axis=2))
    envelope -= envelope.mean(axis=1, keepdims=True)
    spectrum = np.square(np.abs(np.fft.rfft(envelope, 2 * _ENVELOPE_POINTS, axis=1)))
    alike = np.fft.irfft(spectrum, axis=1)[:, : _LAUGH_LAGS[1] + 1]
    lags = np.arange(*_LAUGH_LAGS)
    taper = 1.0 - lags / _ENVELOPE_POINTS
    ratio: npt.NDArray[np.float32] = (
        alike[:, _LAUGH_LAGS[0] : _LAUGH_LAGS[1]] / (alike[:, :1] + 1e-9) / taper
    ).max(axis=1)
    return np.clip(ratio, 0.0, 1.0)


def _flatness(mean: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Geometric over arithmetic mean, of the step's mean spectrum in bands of some 125 Hz."""
    bands = mean[:, : mean.shape[1] // 8 * 8].reshape(mean.shape[0], -1, 8).mean(axis=2) + 1e-11
    ratio: npt.NDArray[np.float32] = np.exp(np.log(bands).mean(axis=1)) / bands.mean(axis=1)
    return ratio


def _tonality_db(spectrum_db: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How far the partials that stay in place for the whole step stand out of their surroundings.

    Averaging the logarithm over the step keeps a held note and smears a gliding voice.
    """
    mean = spectrum_db.mean(axis=1)
    sums = np.cumsum(np.pad(mean, ((0, 0), (9, 8)), mode="edge"), axis=1, dtype=np.float64)
    around = (sums[:, 17:] - sums[:, :-17]) / 17
    ragged = np.sort(mean[:, 9:] - around[:, : mean.shape[1] - 9], axis=1)
    top: npt.NDArray[np.float32] = ragged[:, int(ragged.shape[1] * 0.93)].astype(np.float32)
    return top


def _voice(power: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Periodicity at a voice's pitch, and the pitch, from the autocorrelation below 1.5 kHz."""
    num_steps = power.shape[0]
    low, correlation = _workspace.low[:num_steps], _workspace.correlation[:num_steps]
    low[:, :, _PITCHED] = power[:, :, _PITCHED]
    np.fft.irfft(low, axis=2, norm="ortho", out=correlation)  # type: ignore[arg-type]
    first, last = _VOICE_LAGS
    correlation = correlation[:, :, : last + 2]
    shares = correlation / (correlation[:, :, :1] + 1e-12) / _VOICE_TAPER
    best = first + (shares[:, :, first : last + 1] - _VOICE_OCTAVES).argmax(axis=2)
    before, at, after = (
        np.take_along_axis(shares, (best + offset)[:, :, None], axis=2)[:, :, 0] for offset in (-1, 0, 1)
    )
    # The peak lies between samples of half the rate: a parabola through three of them finds it.
    bend = np.minimum(before - 2.0 * at + after, -1e-6)
    aside = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    strength = np.clip(at - 0.25 * (before - after) * aside, 0.0, 1.0)
    audible = power.sum(axis=2) > 1e-8
    voiced = (strength > 0.6) & audible
    semitones = 12.0 * np.log2(_VOICE_RATE_HZ / (best + aside) / 55.0)
    counted = voiced.sum(axis=1)
    pitch_st = np.where(counted >= 2, (semitones * voiced).sum(axis=1) / np.maximum(counted, 1), np.nan)
    return np.where(audible, strength, 0.0).mean(axis=1), pitch_st


def _db(
    power: npt.NDArray[np.float32], *, floor_db: float = FLOOR_DB, out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    decibels: npt.NDArray[np.float32] = np.add(power, np.float32(10.0 ** (floor_db / 10.0)), out=out)
    # The natural logarithm has vector instructions, that of 10 has none: a third of the time.
    np.log(decibels, out=decibels)
    decibels *= np.float32(10.0 / np.log(10.0))
    return decibels


_workspace: Final = _Workspace()
