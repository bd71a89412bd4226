"""Noise taken out of a voice, and the voice left where it was."""

from __future__ import annotations

import numpy as np
import pytest

from agent.encode.denoise import BLOCK_SAMPLES, DELAY_BLOCKS, NoiseSuppressor

RATE = 48_000


def voice(seconds=6.0):
    """Half a second of harmonics that glide, half a second of nothing, and so on."""
    times_s = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 1.3 * times_s)) / RATE
    sound = sum(np.sin(number * phase) / number for number in range(1, 20))
    return 0.08 * sound * (times_s % 1.0 > 0.5)


def pink(num_samples, level):
    rng = np.random.default_rng(5)
    spectrum = np.fft.rfft(rng.normal(size=num_samples))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(num_samples, 1 / RATE), 20))
    noise = np.fft.irfft(spectrum, num_samples)
    return noise * level / np.std(noise)


def suppressed(sound):
    """What comes of it, and the blocks' lengths; without the delay, which is the caller's to know."""
    suppressor = NoiseSuppressor()
    stereo = np.repeat(sound[:, None], 2, axis=1).astype(np.float32)
    blocks = [
        suppressor.push(stereo[start : start + BLOCK_SAMPLES])
        for start in range(0, len(stereo) - BLOCK_SAMPLES + 1, BLOCK_SAMPLES)
    ]
    assert all(block is None for block in blocks[:DELAY_BLOCKS])
    assert {len(block) for block in blocks[DELAY_BLOCKS:]} == {BLOCK_SAMPLES}
    return np.concatenate(blocks[DELAY_BLOCKS:])[:, 0]


@pytest.fixture(scope="module")
def scene():
    """A voice, its noise, and what came of both together; the first two seconds, where it learns, left out."""
    clean = voice()
    noise = pink(len(clean), 0.01)
    heard = suppressed(clean + noise)
    part = slice(2 * RATE, len(heard))
    return clean[part], noise[part], heard[part]


def test_the_voice_stays_at_its_place_to_the_sample(scene):
    clean, _, heard = scene
    size = 2 * len(clean)
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(clean, size)), size)

    assert np.argmax(correlation) == 0


def test_pauses_are_at_least_six_decibels_quieter(scene):
    clean, noise, heard = scene
    is_pause = np.abs(clean) < 1e-6

    assert np.std(heard[is_pause]) < np.std(noise[is_pause]) / 2


def test_the_voice_stands_out_more_and_is_as_loud_as_before(scene):
    clean, noise, heard = scene
    is_voice = np.abs(clean) > 1e-6
    spoken, result = clean[is_voice], heard[is_voice]
    gain = float(result @ spoken / (spoken @ spoken))
    rest = result - gain * spoken

    assert 0.9 < gain < 1.1
    assert np.std(rest) < np.std(noise[is_voice])


def test_a_voice_without_noise_is_left_alone():
    clean = voice(3.0)
    heard = suppressed(clean)

    assert np.max(np.abs(heard - clean[: len(heard)])) < 0.01


def test_silence_stays_silence():
    assert not suppressed(np.zeros(2 * RATE)).any()
