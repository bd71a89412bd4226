"""The microphone: voice, room, noise, knocks, what the desk speakers spill, gate and gain control."""

from __future__ import annotations

import numpy as np

from tests.sketches.g_living.plan import Beat, Persona, Rng, Track
from tests.sketches.sketch import RATE_HZ, Sound

BLOCK = 320
VOICE_RMS = 0.1


def db(value: float) -> float:
    """Amplitude of a level."""
    return float(10 ** (value / 20))


def hiss(rng: Rng, num: int, tilt: float, low_hz: float = 30.0, high_hz: float = 7900.0) -> Sound:
    """Noise of RMS 1 that falls by `tilt` (1: 6 dB an octave) within a band; a loop of 2**17 samples at most."""
    size = 1 << 17
    freqs = np.fft.rfftfreq(size, 1 / RATE_HZ)
    shape = np.maximum(freqs, 20.0) ** -tilt * (freqs > low_hz) * (freqs < high_hz)
    waves = rng.standard_normal(len(freqs)) + 1j * rng.standard_normal(len(freqs))
    loop = np.fft.irfft(waves * shape).astype(np.float32)
    loop /= float(np.sqrt(np.mean(loop**2)))
    return np.resize(loop, num)


def _room(rng: Rng, voice: Sound, echo: float) -> Sound:
    out = voice.copy()
    for _ in range(7 if echo > 0.03 else 0):
        delay_s = float(rng.uniform(0.012, 0.05 + 0.35 * echo))
        shift = int(delay_s * RATE_HZ)
        out[shift:] += voice[:-shift] * np.float32(0.7 * echo * np.exp(-delay_s * 7.0))
    return out


def _knocks(rng: Rng, who: Persona, out: Sound, activity: Track) -> None:
    """Keys and mouse, more of them when more goes on."""
    if who.keys == 0.0:
        return
    click = (rng.standard_normal(400) * np.exp(-np.arange(400) / 60)).astype(np.float32)
    chance = (0.08 + 0.5 * activity) * who.keys
    for at in np.flatnonzero(rng.random(len(activity)) < chance):
        begin = int((at + rng.random()) * 1600)
        if begin + 400 < len(out):
            out[begin : begin + 400] += click * np.float32(0.03 * who.keys * rng.uniform(0.4, 1.3))


def _disturb(rng: Rng, out: Sound, beat: Beat) -> None:
    """A decoy that the microphone hears: a machine, a siren, knocks; loud as talk or louder."""
    begin = int(beat.start_s * RATE_HZ)
    num = min(int((beat.end_s - beat.start_s) * RATE_HZ), len(out) - begin)
    at = np.arange(num, dtype=np.float32) / RATE_HZ
    what = int(rng.integers(4))
    level = np.float32(VOICE_RMS * db(float(rng.uniform(-6, 9))))
    if what == 0:
        sound = 0.8 * hiss(rng, num, 0.5, 150, 6000) + np.sin(2 * np.pi * 240 * at) * 0.6
    elif what == 1:
        sound = np.sin(2 * np.pi * (700 * at - 180 / 1.2 * np.cos(1.2 * at)))
    elif what == 2:
        thud = np.exp(-(at % np.float32(0.37)) * 40) * 5.0
        sound = hiss(rng, num, 1.0, 40, 2500) * thud * (rng.random(num // 5920 + 1).repeat(5920)[:num] < 0.6)
    else:
        sound = hiss(rng, num, 1.1, 30, 900) * (1.0 + 0.8 * np.sin(at * 2.3))
    edge = np.minimum(1.0, np.minimum(at, at[::-1]) * 4.0)
    out[begin : begin + num] += np.asarray(sound * edge, dtype=np.float32) * level


def _control(who: Persona, sound: Sound) -> Sound:
    """Gate and gain control, by the level of each 20 ms."""
    num = len(sound) // BLOCK
    level = np.sqrt(np.mean(sound[: num * BLOCK].reshape(num, BLOCK) ** 2, axis=1)) + 1e-7
    gain = np.ones(num + 1)
    follow, hold = VOICE_RMS, 0
    for i, now in enumerate(level.tolist()):
        if who.agc and now > 0.012:
            follow += (now - follow) * (0.25 if now > follow else 0.012)
        shut = 1.0
        if who.gate:
            hold = 20 if now > 0.018 else hold - 1
            shut = 1.0 if hold > 0 else 0.03
        gain[i] = (VOICE_RMS / max(follow, 0.02)) ** who.agc * shut
    gain[-1] = gain[-2]
    at = np.arange(len(sound), dtype=np.float32) / BLOCK
    return sound * np.interp(at, np.arange(num + 1), gain).astype(np.float32)


def microphone(
    rng: Rng, who: Persona, voice: Sound, desktop: Sound, beats: list[Beat], activity: Track
) -> Sound:
    """The microphone's sound, within [-1, 1]."""
    out = _room(rng, voice, who.echo)
    _knocks(rng, who, out, activity)
    for beat in beats:
        if beat.kind == "noise":
            _disturb(rng, out, beat)
    out += hiss(rng, len(out), float(rng.uniform(0.3, 0.9))) * np.float32(
        db(who.noise_db - who.mic_db) * VOICE_RMS
    )
    if who.setting == "irl":
        gusts = np.repeat(np.exp(rng.normal(0, 0.8, len(out) // 8000 + 2)), 8000)[: len(out)]
        wind = hiss(rng, len(out), 1.2, 25, 600) * np.float32(db(who.noise_db - who.mic_db + 3) * VOICE_RMS)
        out += wind * gusts.astype(np.float32)
    if who.bleed_db > -90.0:
        shift = int(rng.uniform(0.003, 0.02) * RATE_HZ)
        out[shift:] += desktop[:-shift] * np.float32(db(who.bleed_db))
    out = _control(who, out)
    hum = float(rng.choice([0.0, 0.0, 0.001]))
    if hum:
        out += np.float32(hum) * np.sin(2 * np.pi * 50 / RATE_HZ * np.arange(len(out))).astype(np.float32)
    gain = np.float32(db(who.mic_db) / VOICE_RMS)
    return np.asarray(np.tanh(out * gain * np.float32(1.05)), dtype=np.float32)
