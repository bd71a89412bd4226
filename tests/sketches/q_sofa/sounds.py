"""Single sounds of games, alerts, kitchens and rooms, each made to a length; about 1 at their loudest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tests.sketches.sketch import RATE_HZ, Sound

Floats = npt.NDArray[np.float64]


def _time(length_s: float) -> Floats:
    return np.arange(max(round(length_s * RATE_HZ), 8)) / RATE_HZ


def noise(rng: np.random.Generator, length_s: float, low_hz: float, high_hz: float) -> Floats:
    """Noise between two frequencies with soft edges, RMS about 0.3."""
    count = len(_time(length_s))
    size = 1 << max(3, (count - 1).bit_length())
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ) + 1.0
    shape = 1 / (1 + (hz / high_hz) ** 4) / (1 + (low_hz / hz) ** 4)
    spectrum = np.fft.rfft(rng.standard_normal(size)) * np.sqrt(shape)
    out = np.fft.irfft(spectrum, size)[:count]
    return np.asarray(0.3 * out / (out.std() + 1e-9))


def _tone(hz: float, length_s: float, parts: int = 4, decay: float = 0.0) -> Floats:
    t = _time(length_s)
    out = np.zeros_like(t)
    for k in range(1, parts + 1):
        if hz * k < 7500:
            out += np.sin(2 * np.pi * hz * k * t) / k**1.3
    return np.asarray(out * np.exp(-decay * t) * np.clip(t * 200, 0, 1))


def tune(
    rng: np.random.Generator, length_s: float, notes: tuple[float, ...], step_s: float, root: float
) -> Floats:
    """Notes in half tones above the root one after another; the last is held."""
    out = np.zeros(len(_time(length_s)))
    for k, note in enumerate(notes):
        at = round(k * step_s * RATE_HZ)
        rest = length_s - k * step_s
        if rest > 0.02:
            sound = _tone(
                root * 2 ** (note / 12), rest if k == len(notes) - 1 else min(rest, 2 * step_s), 4, 2.2
            )
            part = sound[: len(out) - at]
            out[at : at + len(part)] += 0.5 * part
    return out


def shot(rng: np.random.Generator, length_s: float) -> Floats:
    """One shot of a gun."""
    t = _time(length_s)
    crack = noise(rng, length_s, 300, 5000) * np.exp(-t * 28) + noise(rng, length_s, 40, 300) * np.exp(
        -t * 14
    )
    return np.asarray(1.4 * crack)


def boom(rng: np.random.Generator, length_s: float) -> Floats:
    """Something bursts: a deep blow and rubble after it."""
    t = _time(length_s)
    deep = np.sin(2 * np.pi * 55 * np.exp(-t) * t) * np.exp(-t * 3)
    return np.asarray(deep * 0.6 + 1.6 * noise(rng, length_s, 30, 1400) * np.exp(-t * 3.2))


def _gong(
    steps: tuple[float, ...], step_s: float, root: float
) -> Callable[[np.random.Generator, float], Floats]:
    def play(rng: np.random.Generator, length_s: float) -> Floats:
        return tune(rng, length_s, steps, step_s, root)

    return play


def alarm(rng: np.random.Generator, length_s: float) -> Floats:
    """A siren of two tones."""
    t = _time(length_s)
    hz = np.where((t * 1.6) % 1 < 0.5, 620.0, 830.0)
    return np.asarray(0.5 * np.sign(np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)) * np.clip(t, 0.3, 1))


def timer(rng: np.random.Generator, length_s: float) -> Floats:
    """A clock that ticks ever faster."""
    out = np.zeros(len(_time(length_s)))
    t = 0.0
    while t < length_s - 0.06:
        tick = _tone(1900, 0.05, 2, 60)
        at = round(t * RATE_HZ)
        out[at : at + len(tick)] += 0.8 * tick[: len(out) - at]
        t += 0.75 - 0.5 * t / length_s
    return out


def drum(rng: np.random.Generator, length_s: float) -> Floats:
    """A roll of drums that grows."""
    t = _time(length_s)
    return np.asarray(
        noise(rng, length_s, 60, 900) * (0.4 + 0.6 * ((t * 17) % 1 < 0.4)) * np.linspace(0.5, 1.8, len(t))
    )


def boing(rng: np.random.Generator, length_s: float) -> Floats:
    """A silly sound of a thing that flies off."""
    t = _time(length_s)
    hz = 240 + 420 * t / length_s + 70 * np.sin(2 * np.pi * 9 * t)
    return np.asarray(0.6 * np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ) * np.exp(-t * 1.2))


def splash(rng: np.random.Generator, length_s: float) -> Floats:
    """Something falls into water."""
    t = _time(length_s)
    return np.asarray(1.6 * noise(rng, length_s, 500, 5500) * np.exp(-t * 3) * np.clip(t * 30, 0, 1))


def _cluster(
    low_hz: float, high_hz: float, rate: float, decay: float
) -> Callable[[np.random.Generator, float], Floats]:
    """Many short blows at random times, thinning out: crockery, applause, coins, clicks."""

    def play(rng: np.random.Generator, length_s: float) -> Floats:
        out = np.zeros(len(_time(length_s)))
        for at_s in np.sort(rng.uniform(0, length_s, max(2, int(rate * length_s)))):
            loud = np.exp(-decay * at_s / length_s) * rng.uniform(0.4, 1.0)
            hit = noise(rng, 0.06, low_hz, high_hz) * np.exp(-_time(0.06) * 60)
            at = round(at_s * RATE_HZ)
            out[at : at + len(hit)] += 2.2 * loud * hit[: len(out) - at]
        return out

    return play


def bark(rng: np.random.Generator, length_s: float) -> Floats:
    """Barks, in twos and threes."""
    out = np.zeros(len(_time(length_s)))
    t = 0.0
    while t < length_s - 0.2:
        x = _time(0.17)
        hz = rng.uniform(380, 520) * (1 + 0.5 * np.sin(np.pi * x / 0.17))
        voice = np.tanh(3 * np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)) + noise(rng, 0.17, 500, 3000)
        at = round(t * RATE_HZ)
        out[at : at + len(x)] += (0.6 * voice * np.hanning(len(x)))[: len(out) - at]
        t += rng.uniform(0.25, 0.4) if rng.random() < 0.6 else rng.uniform(0.7, 1.6)
    return out


def sneeze(rng: np.random.Generator, length_s: float) -> Floats:
    """Sneezes or coughs."""
    t = _time(length_s)
    bursts = np.clip(np.sin(2 * np.pi * t * 1.3), 0, 1) ** 3
    return np.asarray(1.6 * noise(rng, length_s, 400, 4000) * bursts)


def _motor(hz: float, low_hz: float, high_hz: float) -> Callable[[np.random.Generator, float], Floats]:
    """A machine that hums and hisses for as long as it runs."""

    def play(rng: np.random.Generator, length_s: float) -> Floats:
        t = _time(length_s)
        hum = np.sign(np.sin(2 * np.pi * hz * (1 + 0.02 * np.sin(t)) * t))
        return np.asarray((0.2 * hum + noise(rng, length_s, low_hz, high_hz)) * np.clip(t * 4, 0, 1))

    return play


def loop(rng: np.random.Generator, length_s: float, fast: float = 1.0, drums: float = 0.6) -> Floats:
    """Music: four chords in turn, a bass, a beat."""
    beat = 60 / (rng.uniform(85, 128) * fast)
    root = rng.uniform(98, 147)
    out = np.zeros(len(_time(length_s)))
    minor = rng.random() < 0.5
    chords = [
        (0, 3 if minor else 4, 7),
        (5, 8 if minor else 9, 12),
        (-4, 0, 3) if minor else (-3, 0, 4),
        (7, 10, 14),
    ]
    kick = np.sin(2 * np.pi * 60 * _time(0.2)) * np.exp(-_time(0.2) * 22)
    hat = noise(rng, 0.05, 3000, 7000) * np.exp(-_time(0.05) * 70)
    k = 0
    while (k + 1) * beat < length_s:
        at = round(k * beat * RATE_HZ)
        chord = chords[(k // 4) % 4]
        parts = [(0.16 * _tone(root * 2 ** (n / 12), beat, 3, 2.0), at) for n in chord if k % 2 == 0]
        parts += [(0.25 * _tone(root / 2 * 2 ** (chord[0] / 12), beat * 0.8, 3, 3.0), at)]
        lead = chord[int(rng.integers(0, 3))] + 12
        parts += [(0.12 * _tone(root * 2 ** (lead / 12), beat / 2, 3, 5.0), at + round(beat / 2 * RATE_HZ))]
        parts += [(drums * kick, at), (drums * hat, at + round(beat / 2 * RATE_HZ))]
        for sound, start in parts:
            piece = sound[: max(0, len(out) - start)]
            out[start : start + len(piece)] += piece
        k += 1
    return out


def film(rng: np.random.Generator, length_s: float) -> Floats:
    """A film in the game: strings, blows, a rumble."""
    out = 0.8 * loop(rng, length_s, 0.8, 0.2) + 0.5 * noise(rng, length_s, 40, 400)
    for at_s in rng.uniform(0, length_s - 1.5, max(2, int(length_s / 2.5))):
        blow = boom(rng, 1.4)
        at = round(at_s * RATE_HZ)
        out[at : at + len(blow)] += 0.9 * blow[: len(out) - at]
    return np.asarray(out)


def _jingle(rng: np.random.Generator, length_s: float) -> Floats:
    return 1.3 * loop(rng, length_s, 1.15, 0.9)


def _drop(rng: np.random.Generator, length_s: float) -> Floats:
    return 1.3 * loop(rng, length_s, 1.1, 1.2)


SOUNDS: dict[str, Callable[[np.random.Generator, float], Floats]] = {
    "shot": shot,
    "boom": boom,
    "alarm": alarm,
    "timer": timer,
    "drum": drum,
    "boing": boing,
    "splash": splash,
    "kill": _gong((0, 7), 0.09, 880),
    "win": _gong((0, 4, 7, 12), 0.16, 392),
    "lose": _gong((7, 3, 0, -5), 0.28, 262),
    "fanfare": _gong((0, 0, 7, 4, 7, 12), 0.2, 349),
    "chime": _gong((12, 16, 19), 0.14, 523),
    "right": _gong((0, 5), 0.13, 659),
    "wrong": _motor(110, 80, 500),
    "door": boom,
    "coins": _cluster(2500, 7000, 16, 1.5),
    "clicks": _cluster(1500, 5000, 1.6, 0.0),
    "crash": _cluster(1200, 6500, 26, 2.5),
    "slam": boom,
    "tock": _cluster(400, 2500, 5, 3.0),
    "cheer": _cluster(700, 4500, 22, 1.5),
    "horn": _motor(370, 300, 1500),
    "ring": _gong((0, 4, 0, 4, 0, 4), 0.2, 784),
    "buzzer": _motor(180, 200, 900),
    "bark": bark,
    "sneeze": sneeze,
    "mixer": _motor(140, 300, 4000),
    "drill": _motor(65, 100, 2500),
    "film": film,
    "jingle": _jingle,
    "drop": _drop,
}


def make_sound(rng: np.random.Generator, name: str, length_s: float) -> Sound:
    """The sound of that name and length, faded at its very end."""
    out = SOUNDS[name](rng, length_s)
    fade = min(400, len(out))
    out[-fade:] *= np.linspace(1, 0, fade)
    return out.astype(np.float32)
