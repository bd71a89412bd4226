"""A stream of e_street as it arrives: tracks after room and gain control, the recogniser's lines, the chat."""

from __future__ import annotations

import numpy as np

from tests.sketches.e_street.parts import FREQS_HZ, HOP, Floats, Rng, shape, table
from tests.sketches.e_street.stage import Stage
from tests.sketches.sketch import RATE_HZ, Sound

_BLOCK = 800  # gain control looks at 50 ms at a time


def recognise(stage: Stage) -> tuple[tuple[float, float, str], ...]:
    """The recogniser's lines in order and apart, some joined, some made up out of nothing."""
    rng, lines = stage.rng, list[tuple[float, float, str]]()
    num_ghosts = rng.poisson(rng.gamma(0.6, 5) * stage.duration_s / 600)
    for at_s in rng.uniform(0, stage.duration_s, num_ghosts):
        stage.segs.append((at_s, at_s + rng.uniform(0.5, 2), str(rng.choice(table()["ghosts"]))))
    has_stops = rng.random() < 0.7
    for begun_s, ended_s, words in sorted(stage.segs):
        text = words[:1].upper() + words[1:].rstrip(".") + "." if has_stops else words
        first_s, last_s, before = lines[-1] if lines else (0.0, 0.0, "")
        start_s, end_s = max(begun_s, 0.0, last_s), min(ended_s, stage.duration_s)
        if lines and start_s - last_s < 0.4 and end_s - first_s < 10 and rng.random() < 0.4:
            lines[-1] = (first_s, max(end_s, last_s), f"{before} {text}")
        elif end_s - start_s > 0.15:
            lines.append((float(start_s), float(end_s), text))
    return tuple(lines)


def write_chat(stage: Stage) -> tuple[tuple[float, str], ...]:
    """All of the chat in order: what answered, and what people write anyway at a rate that comes and goes."""
    rng, end_s = stage.rng, stage.duration_s
    if not stage.chat_hz:
        return ()
    knots = np.cumsum(np.append(0, rng.lognormal(0, 0.5, int(end_s / 20) + 2)))
    for place in rng.random(rng.poisson(stage.chat_hz * end_s)) * knots[-1]:
        at_s = np.interp(place, knots, np.linspace(0, end_s, len(knots)))
        section = f"react.{rng.choice(['funny', 'wholesome'])}" if rng.random() < 0.1 else "chat"
        stage.chat.append((at_s, stage.text(section)))
    if rng.random() < 0.4:
        bots_s = np.arange(rng.uniform(0, 200), end_s, rng.uniform(150, 400))
        stage.chat += [(float(at_s), stage.text("bots")) for at_s in bots_s]
    cases = [str.lower, str, str.upper]
    picks = rng.choice(3, len(stage.chat), p=[0.3, 0.6, 0.1])
    chat = [
        (float(at_s), str(cases[pick](text))) for (at_s, text), pick in zip(stage.chat, picks, strict=True)
    ]
    return tuple(sorted(line for line in chat if 0 <= line[0] < end_s))


def record(stage: Stage, where: str) -> Sound:
    """A track as recorded: noise, room, gain control or a gate, and the limits of the converter."""
    rng, sound, is_mic = stage.rng, stage.sounds[where], where == "mic"
    is_mute = np.isnan(sound)
    noise = stage.beds[where].sound(len(sound))
    sound = np.nan_to_num(sound) + noise * np.float32(is_mic or stage.has_desktop)
    if is_mic:
        sound = _add_room(rng, sound, is_outdoors=stage.camera >= 1)
    gain_db = np.array(_control_gain(rng, sound, is_mic=is_mic)) + rng.normal(1 if is_mic else -3, 4)
    places, blocks = np.arange(len(sound)) / _BLOCK, np.arange(len(gain_db)) + 0.5
    sound *= np.interp(places, blocks, 10 ** (gain_db / 20)).astype(np.float32)
    return np.where(is_mute, 0, np.tanh(sound)).astype(np.float32)


def _add_room(rng: Rng, sound: Sound, *, is_outdoors: bool) -> Sound:
    """Echoes, fewer outdoors, and what a microphone lets through; changes the sound, too."""
    size_s, wet = rng.uniform(0.02, 0.25), rng.uniform(0.02, 0.35)
    for wait_s in rng.exponential(size_s, 4 if is_outdoors else 24) + 0.003:
        part, late = np.float32(wet * rng.normal() * np.exp(-wait_s / size_s)), int(wait_s * RATE_HZ)
        sound[late:] += part * sound[:-late]
    low_hz, high_hz = rng.uniform(40, 220), rng.choice([3400, 5500, 7500, 20000])
    low, high = FREQS_HZ / low_hz, FREQS_HZ / high_hz
    colour = low**2 / (1 + low**2) / (1 + high**6)
    return shape(sound, np.broadcast_to(colour, (len(sound) // HOP + 1, len(colour))))


def _control_gain(rng: Rng, sound: Sound, *, is_mic: bool) -> list[float]:
    """Gain in dB of each block: quick to turn down, slow to turn up; some microphones have a gate."""
    power = np.add.reduceat(sound**2, np.arange(0, len(sound), _BLOCK)) / _BLOCK
    level_db: Floats = 10 * np.log10(power + 1e-10)
    hold = rng.uniform(0, 0.9) * is_mic
    floor_db = np.quantile(level_db, 0.2) + 6 if rng.random() < 0.3 else -99
    gains_db, gain_db = [], 0.0
    for now_db in level_db:
        wanted_db = hold * np.clip(-23 - now_db, -14, 16) if now_db > -60 else gain_db
        gain_db += (0.35 if wanted_db < gain_db else 0.025) * (wanted_db - gain_db)
        gains_db.append(gain_db - 16 * (now_db < floor_db and is_mic))
    return gains_db
