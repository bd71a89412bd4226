"""The desktop's sound: drones, dread, drums of a chase, steps, stings, voices of a game, alerts, music."""

from __future__ import annotations

import numpy as np

from tests.sketches.h_scares import voice
from tests.sketches.h_scares.lore import Lore
from tests.sketches.h_scares.plan import Persona, Plan
from tests.sketches.sketch import RATE_HZ, Sound

BEDS = {"drone": 0.35, "tense": 0.35, "chase": 1.0, "calm": 0.7}


def _band(rng: np.random.Generator, count: int, low: float, high: float) -> Sound:
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / RATE_HZ)
    spectrum *= 1 / (1 + (hz / high) ** 6) * (hz / low) ** 2 / (1 + (hz / low) ** 2)
    sound = np.fft.irfft(spectrum, count)
    return np.asarray(sound / (np.sqrt(np.mean(sound**2)) + 1e-9), np.float32)


def _tones(rng: np.random.Generator, count: int, number: int, low: float, high: float, glide: float) -> Sound:
    """Some tones that do not agree, each with a bend."""
    when = np.arange(count) / RATE_HZ
    bent = when * (1 + (glide - 1) * when / (2 * when[-1]))
    waver = 0.02 * np.sin(2 * np.pi * rng.uniform(4, 7) * when)
    sound = np.zeros(count, np.float32)
    turn = np.arange(4096) / 4096 * 2 * np.pi
    wave = (np.sin(turn) + 0.4 * np.sin(2 * turn)).astype(np.float32) / np.float32(np.sqrt(number))
    for _ in range(number):
        hz = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        sound += wave[((hz * bent + waver + rng.random()) * 4096).astype(np.int64) & 4095]
    return sound


def make_sound(rng: np.random.Generator, layers: str) -> Sound:
    """One take of a sound of the table, at an RMS of 1 over its loud part."""
    out = np.zeros(0, np.float32)
    for kind, *numbers in map(str.split, layers.split(";")):
        given = [float(number) for number in numbers]
        if kind == "pulse":
            gap_s, times = given
            spread = np.zeros(int(gap_s * (times - 1) * RATE_HZ) + len(out), np.float32)
            for turn in range(int(times)):
                _add(spread, turn * gap_s, out, 0)
            out = spread
            continue
        number, glide = (int(given.pop(0)), given.pop()) if kind == "tones" else (0, 1.0)
        low, high, attack, decay, gain = given
        decay *= rng.uniform(0.8, 1.25)
        count = int((attack + 4.5 * decay) * RATE_HZ)
        when = np.arange(count) / RATE_HZ
        shape = np.minimum(when / attack, 1) ** 1.5 * np.exp(-np.maximum(when - attack, 0) / decay)
        layer = _tones(rng, count, number, low, high, glide) if number else _band(rng, count, low, high)
        out = np.pad(out, (0, max(count - len(out), 0)))
        out[:count] += gain * layer * shape
    loudest = np.sort(out**2)[-max(len(out) // 4, 400) :]
    return out / np.float32(np.sqrt(loudest.mean()) + 1e-9)


def _bed(rng: np.random.Generator, lore: Lore, name: str) -> Sound:
    """A loop of some 20 s, the last 2 s blended into the first, at an RMS of 1."""
    count, blend = int(rng.uniform(16, 26)) * RATE_HZ, 2 * RATE_HZ
    whole = count + blend
    when = np.arange(whole) / RATE_HZ
    slow = 2 * np.pi * rng.uniform(0.05, 0.2) * when + rng.uniform(0, 6)
    sway = (1 + 0.5 * np.sin(slow)).astype(np.float32)
    sound: Sound = 0.3 * _tones(rng, whole, 5, 50, 220, 1.0)
    if name == "drone":
        sound = _tones(rng, whole, 4, 40, 160, 1.0) * sway
        sound += float(rng.uniform(0.2, 1.2)) * _band(rng, whole, 60, 600)
        sound += float(rng.uniform(0, 0.6)) * _band(rng, whole, 800, 5000) * np.roll(sway, whole // 3) ** 2
    elif name == "tense":
        sound = _tones(rng, whole, 6, 500, 2200, 1.06) * sway**2 + 0.7 * _band(rng, whole, 200, 1200)
    elif name == "chase":
        _drum(rng, lore, sound)
    elif name == "calm":
        root = rng.uniform(180, 280)
        for at in np.arange(0, whole - RATE_HZ, int(rng.uniform(0.35, 0.7) * RATE_HZ)):
            hz = root * 2 ** (rng.choice([0, 3, 5, 7, 10, 12]) / 12)
            note = when[: min(2 * RATE_HZ, whole - at)]
            sound[at : at + len(note)] += np.sin(2 * np.pi * hz * note) * np.exp(-note / 0.5)
    ramp = np.linspace(0, 1, blend)
    sound[:blend] = sound[:blend] * ramp + sound[count:] * (1 - ramp)
    return np.asarray(sound[:count] / np.sqrt(np.mean(sound[:count] ** 2)), np.float32)


def _drum(rng: np.random.Generator, lore: Lore, sound: Sound) -> None:
    beat = 60 / rng.uniform(135, 175)
    low, high, stab = (make_sound(rng, lore.tables["sounds"][name]) for name in ("heavy", "step", "dead"))
    for index in range(int(len(sound) / RATE_HZ / beat * 2) - 4):
        _add(sound, index * beat / 2, low if index % 2 == 0 else high, 6 if index % 4 == 0 else 0)
        if index % 8 == 0:
            _add(sound, index * beat / 2, stab[: RATE_HZ // 3], 2)


def _speaker(rng: np.random.Generator, lore: Lore, who: str) -> Sound:
    """A line of a game's character, or of the machine that reads a donation's message."""
    if who == "npc":
        mood, melody, text = (
            str(rng.choice(["low", "talk", "talk", "rage"])),
            1.4,
            lore.line(rng, "words diary"),
        )
    else:
        mood, melody = "deadpan", 0.4
        text = " ".join(lore.line(rng, "words tender") for _ in range(2))
    rows = voice.talk(rng, lore, text, mood, float(rng.uniform(85, 230)), melody, 0.95)
    return voice.render(rng, np.array(rows, np.float32), 0.05, 1.1)


def _add(sound: Sound, at_s: float, take: Sound, decibels: float) -> None:
    first = int(at_s * RATE_HZ)
    part = take[: max(len(sound) - first, 0)]
    sound[first : first + len(part)] += part * np.float32(10 ** (decibels / 20))


def _gains(plan: Plan, duration_s: float, bed: str) -> Sound:
    """A bed's gain, 100 a second, sliding from scene to scene."""
    gain = np.zeros(int(np.ceil(duration_s * 100)) + 1, np.float32)
    for at, scene in plan.scenes:
        gain[int(at * 100) :] = scene.level.get(bed, 0.0)
    width = 60 if bed == "chase" else 150
    sums = np.cumsum(np.concatenate([np.full(width, gain[0]), gain]), dtype=np.float64)
    return ((sums[width:] - sums[:-width]) / width).astype(np.float32)


def _walk(rng: np.random.Generator, plan: Plan, duration_s: float) -> list[float]:
    """When the feet fall: in stretches, with stops."""
    times: list[float] = []
    ends = [at for at, _ in plan.scenes[1:]] + [duration_s]
    for (at, scene), end in zip(plan.scenes, ends, strict=True):
        pace, foot = scene.level.get("steps", 0.0), at
        while pace and foot < end:
            foot += (1 if rng.random() < 0.93 else rng.uniform(2, 9)) * rng.uniform(0.93, 1.07) / pace
            times.append(foot)
    return [at for at in times if at < duration_s - 0.5]


def play(
    rng: np.random.Generator, persona: Persona, lore: Lore, plan: Plan, duration_s: float
) -> tuple[Sound, Sound]:
    """The desktop's sound, and the sounds of the streamer's room for the microphone."""
    count = round(duration_s * RATE_HZ)
    desktop, near = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for bed, usual in BEDS.items():
        gain = np.float32(usual) * _gains(plan, duration_s, bed)
        desktop += np.resize(_bed(rng, lore, bed), count) * np.repeat(gain, 160)[:count]
    table = lore.tables["sounds"]
    takes = {
        name: [make_sound(rng, table[name]) for _ in range(1 if name == "alert" else 3)] for name in table
    }
    for at in _walk(rng, plan, duration_s):
        _add(desktop, at, takes["step"][int(rng.integers(3))], float(rng.normal(-17, 2)))
    for cue in plan.cues:
        if cue.verb not in ("game", "room"):
            continue
        of = takes.get(cue.what) or [_speaker(rng, lore, cue.what)]
        take = of[int(rng.integers(len(of)))]
        usual, scary = lore.numbers("loud", cue.what, "-4 0")
        faded = 20 * np.log10(max(cue.amount, 0.03))
        if cue.verb == "game":
            _add(desktop, cue.at, take, usual + scary * persona["sting_db"] + faded)
        else:
            _add(near, cue.at, take, persona["mic_db"] + 4 + faded)
    if persona["music"]:
        desktop += np.resize(_bed(rng, lore, "calm"), count) * np.float32(10 ** (persona["music_db"] / 20))
    desktop *= np.float32(10 ** (persona["game_db"] / 20))
    return np.tanh(desktop, out=desktop), near
