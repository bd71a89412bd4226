"""A voice out of nothing: a pulse train through formants, syllable by syllable, with laughter and screams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.synthetic.model import RATE_HZ, Delivery, Pcm, Spoken, Voice

_FORMANTS_HZ = (  # of some vowels, as textbooks of phonetics give them
    (730, 1090, 2440),
    (270, 2290, 3010),
    (530, 1840, 2480),
    (570, 840, 2410),
    (300, 870, 2240),
    (660, 1720, 2410),
)
_BANDWIDTHS_HZ = (90, 110, 170)
_FFT = 8_192


def render(rng: np.random.Generator, line: Spoken) -> Pcm:
    """The sound of a line at 0 dBFS mean power, as long as the line is."""
    duration_s = line.end_s - line.start_s
    if line.is_laughter:
        sound = _laughter(rng, line.voice, duration_s, line.delivery)
    elif not line.text:
        sound = _scream(rng, line.voice, duration_s, line.delivery)
    else:
        sound = _speech(rng, line.voice, duration_s, line.delivery)
    return scaled(sound, 0.0)


def scaled(sound: npt.NDArray[np.float64] | Pcm, level_db: float) -> Pcm:
    """With that mean power, in dBFS."""
    power = float(np.square(sound, dtype=np.float64).mean()) if sound.size else 0.0
    return (sound * (10 ** (level_db / 20) / np.sqrt(power + 1e-12))).astype(np.float32)


def _speech(rng: np.random.Generator, voice: Voice, duration_s: float, delivery: Delivery) -> Pcm:
    num_samples = int(duration_s * RATE_HZ)
    sound = np.zeros(num_samples + _FFT, dtype=np.float32)
    rate = voice.syllables_per_s * delivery.rate
    at_s = 0.0
    while at_s < duration_s - 0.05:
        length_s = min(float(rng.uniform(0.65, 1.35)) / rate, duration_s - at_s, 0.45)
        # A sentence falls a little, and each syllable has an accent of its own.
        fall = 1.06 - 0.16 * at_s / duration_s
        pitch_hz = voice.pitch_hz * delivery.pitch * fall * float(rng.normal(1.0, 0.07))
        first = int(at_s * RATE_HZ)
        syllable = _syllable(rng, voice, length_s, pitch_hz, float(rng.normal(0.0, 0.12)), delivery)
        sound[first : first + syllable.size] += syllable * float(rng.uniform(0.6, 1.15))
        if rng.random() < 0.6:
            hiss = _consonant(rng, min(0.06, length_s / 3))
            sound[first : first + hiss.size] += hiss
        at_s += length_s + (float(rng.uniform(0.12, 0.4)) if rng.random() < 0.06 else 0.0)
    return sound[:num_samples]


def _syllable(
    rng: np.random.Generator, voice: Voice, length_s: float, pitch_hz: float, glide: float, delivery: Delivery
) -> Pcm:
    num = max(64, int(length_s * RATE_HZ))
    bend = 1.0 + glide * np.linspace(-0.5, 0.5, num)
    phase = np.cumsum(pitch_hz * bend) / RATE_HZ
    source = 2.0 * (phase % 1.0) - 1.0 + voice.breath * rng.standard_normal(num)
    formants = _FORMANTS_HZ[int(rng.integers(len(_FORMANTS_HZ)))]
    sound = _through(source, formants, voice.formant_scale, is_pressed=delivery.gain_db > 3.0)
    edge = np.minimum(np.arange(num), np.arange(num)[::-1]) / (0.03 * RATE_HZ)
    return (sound * np.minimum(1.0, edge)).astype(np.float32)


def _through(
    source: npt.NDArray[np.float64], formants_hz: tuple[int, ...], scale: float, *, is_pressed: bool
) -> npt.NDArray[np.float64]:
    """Through the mouth; a voice that is pressed has more of its power in the high formants."""
    frequency_hz = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)
    gains = (1.0, 0.75, 0.5) if is_pressed else (1.0, 0.5, 0.2)
    response = np.full(frequency_hz.size, 0.01)
    for formant_hz, width_hz, gain in zip(formants_hz, _BANDWIDTHS_HZ, gains, strict=True):
        response += gain / (1.0 + np.square((frequency_hz - formant_hz * scale) / width_hz))
    response[frequency_hz < 70] = 0.0
    filtered: npt.NDArray[np.float64] = np.fft.irfft(np.fft.rfft(source, _FFT) * response, _FFT)
    return filtered[: source.size]


def _consonant(rng: np.random.Generator, length_s: float) -> Pcm:
    num = max(16, int(length_s * RATE_HZ))
    noise = np.diff(rng.standard_normal(num + 1)) * np.hanning(num)
    return (0.05 * noise).astype(np.float32)


def _laughter(rng: np.random.Generator, voice: Voice, duration_s: float, delivery: Delivery) -> Pcm:
    """Bursts of four to nine calls, five a second, each lower than the one before, with a breath between bursts."""
    num_samples = int(duration_s * RATE_HZ)
    sound = np.zeros(num_samples + _FFT, dtype=np.float32)
    breathy = Voice(
        pitch_hz=voice.pitch_hz,
        formant_scale=voice.formant_scale,
        syllables_per_s=voice.syllables_per_s,
        breath=voice.breath + 0.5,
    )
    at_s = 0.0
    while at_s < duration_s - 0.2:
        pitch_hz = voice.pitch_hz * delivery.pitch * float(rng.uniform(1.2, 1.8))
        period_s = float(rng.uniform(0.17, 0.24))
        for call in range(int(rng.integers(4, 10))):
            if at_s >= duration_s - 0.15:
                break
            first = int(at_s * RATE_HZ)
            ha = _syllable(rng, breathy, period_s * 0.6, pitch_hz * 0.96**call, -0.1, delivery)
            sound[first : first + ha.size] += ha * 0.93**call
            at_s += period_s
        at_s += float(rng.uniform(0.2, 0.6))
    return sound[:num_samples]


def _scream(rng: np.random.Generator, voice: Voice, duration_s: float, delivery: Delivery) -> Pcm:
    num = int(duration_s * RATE_HZ)
    sound = np.zeros(num, dtype=np.float32)
    step = int(0.4 * RATE_HZ)
    for first in range(0, num, step):
        length = min(step, num - first)
        pitch_hz = voice.pitch_hz * delivery.pitch * float(rng.uniform(1.3, 1.6))
        part = _syllable(rng, voice, length / RATE_HZ, pitch_hz, float(rng.normal(0, 0.05)), delivery)
        sound[first : first + part.size] = part[:length]
    return sound
