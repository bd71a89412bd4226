"""Noises of a workshop or a kitchen, the alerts of a stream, and the music behind it."""

import numpy as np

from tests.sketches.j_workshop.words import TABLES, Curve, Rng
from tests.sketches.sketch import RATE_HZ, Sound

_TEXTURE_LEN = 1 << 18
_SCALES = ((0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 11))
_TURNS = ((0, 5, 3, 4), (0, 3, 5, 4), (1, 4, 0, 5), (0, 2, 5, 6), (5, 3, 0, 4))


def _secs(num: int) -> Curve:
    return np.arange(num) / RATE_HZ


def _harmonics(phase: Curve, levels: tuple[float, ...]) -> Curve:
    """A tone by the levels of its harmonics."""
    out = np.zeros_like(phase)
    for k, level in enumerate(levels, 1):
        out += level * np.sin(k * phase)
    return out


class Palette:
    """Coloured noises of one streamer's room, made once and cut from."""

    def __init__(self, rng: Rng) -> None:
        hz = np.fft.rfftfreq(_TEXTURE_LEN, 1.0 / RATE_HZ)
        spectrum = np.fft.rfft(rng.standard_normal(_TEXTURE_LEN))
        self._textures: dict[str, Sound] = {}
        for name, numbers in TABLES["colours"].items():
            low, high, fall = (float(number) for number in numbers)
            band = np.maximum(hz, 20.0) ** -fall / (1.0 + (low / (hz + 1.0)) ** 4) / (1.0 + (hz / high) ** 6)
            sound = np.fft.irfft(spectrum * band).astype(np.float32)
            self._textures[name] = sound / np.float32(sound.std())

    def cut(self, rng: Rng, colour: str, num: int) -> Sound:
        """num samples of a colour, from anywhere; long cuts come round."""
        start = int(rng.integers(_TEXTURE_LEN // 2))
        return np.resize(self._textures[colour][start:], num)

    def wave(self, rng: Rng, num: int, hz: float) -> Sound:
        """A slow noise about 0 that takes a new value hz times a second."""
        knots = rng.standard_normal(int(num / RATE_HZ * hz) + 3)
        return np.interp(_secs(num) * hz, np.arange(knots.size), knots).astype(np.float32)


def _ring(rng: Rng, pal: Palette, pitch: float, ring_s: float, click: float) -> Sound:
    """One blow on something: its modes ringing out, and the click of the contact."""
    num = int(RATE_HZ * min(1.2, ring_s * 6.0 + 0.03))
    at = _secs(num)
    out = np.zeros(num)
    for k, ratio in enumerate((1.0, 1.58, 2.41, 3.3, 4.7)):
        hz = pitch * ratio * rng.uniform(0.93, 1.07)
        if hz < 7500.0:
            out += np.sin(2 * np.pi * hz * at + k) * np.exp(-at / (ring_s / (1.0 + 0.6 * k))) / (1.0 + k)
    out *= 1.0 - click
    out += 1.3 * click * pal.cut(rng, "pink", num) * np.exp(-at / (0.25 * ring_s + 0.004))
    return np.asarray(out / np.abs(out).max(), np.float32)


def _hits(rng: Rng, pal: Palette, num: int, numbers: list[float]) -> Sound:
    rate, pitch, ring_s, click, runs = numbers
    blows = [_ring(rng, pal, pitch * rng.lognormal(0.0, 0.12), ring_s, click) for _ in range(5)]
    out = np.zeros(num + 2 * RATE_HZ, np.float32)
    at, left = 0.0, int(rng.integers(4, 14))
    pace = rate * rng.lognormal(0.0, 0.12)
    while at < num / RATE_HZ:
        blow = blows[int(rng.integers(5))]
        out[int(at * RATE_HZ) :][: blow.size] += np.float32(rng.lognormal(-0.1, 0.3)) * blow
        at += rng.lognormal(0.0, 0.07) / pace if runs else rng.exponential(1.0 / rate) + 0.015
        left -= 1
        if runs and left < 0:
            at += rng.uniform(0.6, 2.5)
            left = int(rng.integers(4, 14))
    # A blow peaks at 1; 2.5 times that, a row of them is about as loud as talk, whose RMS is 1.
    return out[:num] * np.float32(2.5)


def _motor(rng: Rng, pal: Palette, num: int, numbers: list[float]) -> Sound:
    pitch, share, wobble = numbers
    load = 1.0 + wobble * pal.wave(rng, num, 1.5)
    ramp = np.clip(_secs(num) / 0.5, 0.0, 1.0) * np.clip((num / RATE_HZ - _secs(num)) / 0.4, 0.0, 1.0)
    phase = np.cumsum(pitch * load * (0.5 + 0.5 * ramp)) * (2 * np.pi / RATE_HZ)
    tone = (1.0 - share) * _harmonics(phase, (1.0, 0.6, 0.45, 0.3))
    sound = tone + share * (0.6 * pal.cut(rng, "hiss", num) + 0.6 * pal.cut(rng, "mid", num))
    return (sound * ramp * load).astype(np.float32)


def _grain(rng: Rng, pal: Palette, num: int, colour: str, numbers: list[float]) -> Sound:
    mod_hz, depth, attack_s, fall = numbers
    rise = np.clip(_secs(num) / attack_s, 0.0, 1.0)
    tail = np.clip((num - np.arange(num)) / max(1.0, fall * num), 0.0, 1.0) ** 1.5
    swing = np.exp(depth * pal.wave(rng, num, mod_hz))
    return np.asarray(pal.cut(rng, colour, num) * rise * tail * swing, np.float32)


def tones(pitches: list[float], each_s: float, gap_s: float, repeats: int, ring: float = 0.0) -> Sound:
    """A beeper's or an alert's notes, played over and over; ring > 0 lets each fade like a bell."""
    num = int((each_s + gap_s) * RATE_HZ)
    at = _secs(num)
    env = np.minimum(1.0, at / 0.004) * np.clip((each_s - at) / 0.01, 0.0, 1.0) * np.exp(-ring * at)
    notes = [env * _harmonics(2 * np.pi * pitch * at, (1.0, 0.3)) for pitch in pitches]
    return np.tile(np.concatenate(notes), repeats).astype(np.float32)


def noise(rng: Rng, pal: Palette, name: str, length_s: float) -> Sound:
    """A named noise for about length_s; talk would have RMS 1."""
    recipe, level, *rest = TABLES["noise"][name]
    num = int(length_s * RATE_HZ)
    if recipe == "tones":
        pitches, each, gap, repeats = rest
        sound = tones([float(p) for p in pitches.split(",")], float(each), float(gap), int(repeats))
    elif recipe == "grain":
        sound = _grain(rng, pal, num, rest[0], [float(x) for x in rest[1:]])
    else:
        sound = (_motor if recipe == "motor" else _hits)(rng, pal, num, [float(x) for x in rest])
    return sound * np.float32(10.0 ** (float(level) / 20.0))


def alert(rng: Rng, root_hz: float, big: bool) -> Sound:
    """The jingle of a follow or a gift, RMS about 0.5; a big one is a fanfare."""
    steps = (0, 4, 7, 12, 7, 12, 16, 19, 24) if big else (0, 7, 12)
    pitches = [root_hz * 2.0 ** (step / 12.0) for step in steps]
    return tones(pitches, 0.16 if big else 0.12, 0.02, 2 if big else 1, 6.0)


class Music:
    """Songs behind the talk: each a loop of eight bars in layers that come and go."""

    def __init__(self, rng: Rng, pal: Palette, drums: float, bright: float) -> None:
        self._rng, self._pal, self._drums, self._bright = rng, pal, drums, bright

    def _note(self, hz: float, length_s: float, fade: float) -> Sound:
        at = _secs(int(length_s * RATE_HZ))
        tone = _harmonics(2 * np.pi * hz * at, (1.0, self._bright / 2.0, self._bright**2 / 3.0))
        ends = np.minimum(1.0, at / 0.004) * np.clip((length_s - at) / 0.03, 0.0, 1.0)
        return np.asarray(tone * ends * np.exp(-at * fade), np.float32)

    def _layers(self, beat_s: float) -> list[Sound]:
        """Chords, tune and drums of one song."""
        rng, pal = self._rng, self._pal
        scale, root = _SCALES[int(rng.integers(2))], rng.uniform(120.0, 210.0)
        turn = _TURNS[int(rng.integers(len(_TURNS)))]
        size = int(32 * beat_s * RATE_HZ)
        layers = [np.zeros(size + 4 * RATE_HZ, np.float32) for _ in range(3)]

        def put(layer: int, beat: float, sound: Sound, gain: float) -> None:
            layers[layer][int(beat * beat_s * RATE_HZ) :][: sound.size] += sound * np.float32(gain)

        def pitch(degree: int, octave: int) -> float:
            return float(root * 2.0 ** (octave + degree // 7 + scale[degree % 7] / 12.0))

        for bar in range(8):
            degree = turn[bar % 4]
            for third in (0, 2, 4):
                put(0, bar * 4 + 0.03 * third, self._note(pitch(degree + third, 0), 3.8 * beat_s, 0.5), 0.22)
            put(0, bar * 4, self._note(pitch(degree, -1), 1.8 * beat_s, 1.2), 0.4)
            for step in range(8):
                if rng.random() < 0.42:
                    tune = self._note(pitch(degree + int(rng.choice([0, 1, 2, 4, 6])), 1), beat_s, 3.0)
                    put(1, bar * 4 + step / 2, tune, 0.3 * rng.uniform(0.5, 1.0))
        kick = _ring(rng, pal, 58.0, 0.09, 0.1)
        snare, hat = _ring(rng, pal, 190.0, 0.05, 0.8), _ring(rng, pal, 5200.0, 0.02, 0.7)
        for beat in range(32):
            put(2, beat, *((snare, 0.5) if beat % 2 else (kick, 0.9)))
            put(2, beat + 0.5 + 0.06 * self._drums, hat, 0.22)
        return [layer[:size] for layer in layers]

    def play(self, duration_s: float) -> Sound:
        """Songs one after another, a breath between them, RMS about 1 where all layers play."""
        rng = self._rng
        out = np.zeros(round(duration_s * RATE_HZ), np.float32)
        at = 0
        while at < out.size:
            chords, tune, drums = self._layers(60.0 / rng.uniform(68.0, 128.0))
            for turn in range(int(rng.integers(5, 9))):
                room = out[at : at + chords.size]
                loop = (
                    chords + tune * np.float32(rng.random() < 0.7) + drums * np.float32(turn and self._drums)
                )
                room += (loop * np.float32(3.0))[: room.size]
                at += chords.size
            at += int(rng.uniform(0.3, 2.5) * RATE_HZ)
        return out
