"""The microphone's track: the voice, the room and what is in it, keys, and what leaks from the speakers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.sketches.p_variety.script import Sign, Streamer, syllables
from tests.sketches.p_variety.voice import Voice, shaped_noise, voice_gain
from tests.sketches.sketch import RATE_HZ, Sound

TAPS_S = (0.011, 0.023, 0.037, 0.058, 0.083)
CRY_DB = {"scream": 11.0, "cough": 6.0, "gasp": 1.0}


def lay(track: Sound, at_s: float, sound: Sound, gain: float) -> None:
    """Adds a sound to a track, cut where the track ends."""
    first = max(0, int(at_s * RATE_HZ))
    part = sound[: max(0, len(track) - first)]
    if len(part):
        track[first : first + len(part)] += np.float32(gain) * part


def _room_sounds(rng: np.random.Generator, voice: Voice) -> dict[str, Sound]:
    """Desk thumps, claps, chair, dog, bell, cat: each with a peak of about 1."""
    t = np.arange(int(1.2 * RATE_HZ)) / RATE_HZ
    noise = shaped_noise(rng, len(t), 60, 900)
    sharp = shaped_noise(rng, len(t), 900, 4500)
    low = np.sin(2 * np.pi * 70 * t) * np.exp(-t * 18)
    beats = np.exp(-(t % 0.24) * 55) * (t < 1.15)
    bark = voice.cry("cough", 0.25, 1.0)
    barks = np.zeros(len(t), np.float32)
    for at in (0.0, 0.42):
        lay(barks, at, bark, 0.5)
    rub = np.sin(2 * np.pi * np.cumsum(300 + 80 * np.sin(9 * t)) / RATE_HZ) * np.abs(np.sin(19 * t))
    mew = np.sin(2 * np.pi * np.cumsum(650 + 250 * np.sin(np.pi * np.minimum(1, t / 0.8))) / RATE_HZ)
    made = {
        "thump": 0.8 * low + 0.4 * noise * np.exp(-t * 40) + 0.15 * sharp * np.exp(-t * 90),
        "clap": 0.35 * sharp * beats,
        "creak": 0.3 * rub * (t < 0.7),
        "bark": barks,
        "bell": 0.4 * np.sin(2 * np.pi * np.where(t < 0.5, 780, 620) * t) * np.exp(-(t % 0.5) * 4),
        "mew": 0.3 * mew * np.sin(np.pi * np.minimum(1, t / 0.8)),
    }
    return {name: np.asarray(sound, np.float32) for name, sound in made.items()}


def _voice_sound(voice: Voice, who: Streamer, sign: Sign) -> tuple[Sound, float]:
    """What one sign of the voice sounds like, and its gain."""
    if sign.what == "say":
        stretch = who.spread * (0.5 + 0.5 * sign.strength)
        sound = voice.speak(sign.for_s, syllables(sign.text), sign.name, stretch)
        return sound, voice_gain(who, sign.name, sign.strength)
    wide = 1 - 0.6 * who.squash
    if sign.what == "laugh":
        gain_db = (4.0 + 9.0 * np.log2(max(0.3, sign.strength))) * wide
        return voice.laugh(sign.for_s, sign.name, sign.strength), who.level * 10 ** (gain_db / 20)
    gain_db = CRY_DB.get(sign.name, 0.0) * wide * who.spread
    return voice.cry(sign.name, sign.for_s, who.spread), who.level * 10 ** (gain_db / 20)


def _keys(track: Sound, who: Streamer, heat: Sound, rng: np.random.Generator) -> None:
    """Clicks of keys or buttons, more of them the busier the play."""
    if who.keys == 0:
        return
    t = np.arange(500) / RATE_HZ
    clicks = [shaped_noise(rng, 500, 1200, 6000) * np.exp(-t * rng.uniform(150, 400)) for _ in range(6)]
    for second, level in enumerate(heat):
        for at in rng.random(rng.poisson(1.0 + 4.0 * float(level))):
            click = np.asarray(clicks[int(rng.integers(6))], np.float32)
            lay(track, second + float(at), click, float(rng.uniform(0.004, 0.016)) * who.keys)


def _gate(track: Sound, least: float) -> None:
    """Silences what is quieter than `least` for 0.3 s, as streamers' noise gates do."""
    step = RATE_HZ // 20
    blocks = track[: len(track) // step * step].reshape(-1, step)
    open_now = np.sqrt((blocks**2).mean(1)) > least
    held = np.convolve(open_now, np.ones(9), mode="same") > 0
    blocks *= np.convolve(held, np.ones(3) / 3, mode="same").astype(np.float32)[:, None]


def make_mic(who: Streamer, signs: Sequence[Sign], desktop: Sound, heat: Sound, seed: int) -> Sound:
    """The whole track."""
    rng = np.random.default_rng([seed, 11])
    track = np.zeros(len(desktop), np.float32)
    voice = Voice(who.f0_hz, who.tract, who.breath, np.random.default_rng([seed, 12]))
    room = _room_sounds(rng, Voice(190.0, 0.9, 0.1, rng))
    for sign in signs:
        if sign.what in ("say", "laugh", "cry"):
            sound, gain = _voice_sound(voice, who, sign)
            gain *= 10 ** (float(rng.normal(0, 1.2)) / 20)
            lay(track, sign.at_s, sound, gain)
            for k, tap_s in enumerate(TAPS_S):
                lay(track, sign.at_s + tap_s, sound, gain * who.echo * 0.75**k * (-1) ** k)
        elif sign.what == "room":
            lay(track, sign.at_s, room[sign.name], (0.08 + 2.2 * who.level) * sign.strength)
    _keys(track, who, heat, rng)
    if who.leak > 0:
        late = int(0.009 * RATE_HZ)
        track[late + 1 :] += np.float32(who.leak / 2) * (desktop[: -late - 1] + desktop[1:-late])
    hum = shaped_noise(rng, 1 << 17, 60, 2500) * np.float32(max(who.hiss, 0.0006))
    for first in range(0, len(track), len(hum)):
        part = track[first : first + len(hum)]
        part += hum[: len(part)]
    if who.gate:
        _gate(track, 0.16 * who.level)
    loud = np.abs(track) > 0.6
    track[loud] = np.sign(track[loud]) * (0.6 + 0.39 * np.tanh((np.abs(track[loud]) - 0.6) / 0.39))
    return np.clip(track, -1.0, 1.0)
