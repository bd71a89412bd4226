"""The microphone and the desktop of a stream, mixed from voices, effects, music and beds of noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.sketches.n_habits.habits import Deed, Plan, Rng, Streamer, Track, draw, nums, spread, table, tick
from tests.sketches.n_habits.truth import Laid
from tests.sketches.n_habits.voice import Throat, add, smooth
from tests.sketches.n_habits.words import Line
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sound

BLOCK = 4 * RATE_HZ
LASTING = ("routine_fight", "cutscene", "teammates", "replay")


def _gain(decibel: float) -> float:
    return float(10 ** (decibel / 20))


def _unit(sound: Track) -> Sound:
    return np.asarray(sound / np.sqrt(np.square(sound).mean() + 1e-12), np.float32)


def _band(rng: Rng, size: int, low: float, high: float) -> Track:
    """Noise between two frequencies, soft at both ends; its end fits to its beginning."""
    freqs = np.fft.rfftfreq(size, 1 / RATE_HZ)
    shape = 1 / (1 + (low / np.maximum(freqs, 1)) ** 4) / (1 + (freqs / high) ** 4)
    return _unit(np.fft.irfft(shape * np.exp(2j * np.pi * rng.random(len(freqs))), size)).astype(np.float64)


def _effect(rng: Rng, row: list[str]) -> Sound:
    short, long, low, high, down, up, bottom, top, noise, attack, most = nums(" ".join(row))
    size = 2 * int(spread(rng, short, long) * RATE_HZ / 2)
    part = np.arange(size) / size
    phase = 2 * np.pi * np.cumsum(spread(rng, low, high) * 2 ** (rng.uniform(down, up) * part) / RATE_HZ)
    tone = np.sin(phase + rng.uniform(0, 3) * np.sin(phase * rng.choice([0.5, 1, 2, 1.41])))
    fall = np.exp(-rng.uniform(3, 6) * np.maximum(part - attack, 0)) * np.minimum((1 - part) * 12, 1)
    one = (1 - noise) * 1.4 * tone + noise * _band(rng, size, bottom, top)
    one *= np.minimum(part / attack, 1) * fall
    gap, repeats = int(RATE_HZ * spread(rng, 0.07, 0.3)), int(rng.integers(1, int(most) + 1))
    sound = np.zeros(size + gap * (repeats - 1))
    for turn in range(repeats):
        sound[turn * gap : turn * gap + size] += one * rng.uniform(0.6, 1)
    return sound.astype(np.float32)


def _note(pitch_hz: float, length_s: float, bright: float, decay: float) -> Track:
    time = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    harmonics = [k for k in range(1, 6) if k * pitch_hz < 7000]
    tone = np.sum([bright ** (k - 1) * np.sin(2 * np.pi * pitch_hz * k * time) for k in harmonics], axis=0)
    ends = np.minimum(time * 150, 1) * np.minimum((length_s - time) * 60, 1)
    return np.asarray(tone * np.exp(-decay * time) * ends)


def _jingle(rng: Rng, steps: list[float]) -> Sound:
    keep = steps[: int(rng.integers(3, len(steps) + 1))]
    each, root, bright = spread(rng, 0.08, 0.3), spread(rng, 250, 800), rng.uniform(0.1, 0.7)
    sound = np.zeros(int((each * (len(keep) + 2) + 0.6) * RATE_HZ) + 2)
    for turn, step in enumerate(keep):
        note = _note(root * 2 ** (step / 12), each * 2 + 0.5 * (turn == len(keep) - 1), bright, 3)
        sound[int(turn * each * RATE_HZ) :][: len(note)] += 0.5 * note
    return sound.astype(np.float32)


def tune(rng: Rng, pace: float) -> Sound:
    """A loop of music: chords, perhaps a bass, a melody and drums, in a key and beat of its own."""
    beat = 60 / (spread(rng, 65, 115) * pace)
    bars = 8 if beat < 0.6 and rng.random() < 0.5 else 4
    loop = np.zeros(int(bars * 4 * beat * RATE_HZ))
    scale = [[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10]][int(rng.integers(2))]
    root, bright = spread(rng, 90, 180), rng.uniform(0.1, 0.75)
    has_bass, has_melody, has_drums = rng.random(3) < (0.75, 0.6, 0.35 + 0.4 * (pace > 1))

    def put(at_beat: float, sound: Track) -> None:
        loop[(int(at_beat * beat * RATE_HZ) + np.arange(len(sound))) % len(loop)] += sound

    def hertz(degree: int, octave: float) -> float:
        return float(root * octave * 2 ** (scale[degree % 7] / 12))

    fall = np.exp(-np.arange(2400) / 600)
    kick = 0.9 * fall * np.sin(2 * np.pi * np.cumsum(np.geomspace(140, 42, 2400)) / RATE_HZ)
    snare = 0.4 * fall * _band(rng, 2400, 900, 6000)
    for bar in range(0, bars * 4, 4):
        degree = int(rng.choice([0, 3, 4, 5]))
        for offset in (0, 2, 4):
            put(bar, 0.3 * _note(hertz(degree + offset, 2), 4 * beat, bright, 0.6))
        for turn in range(4):
            if has_bass:
                put(bar + turn, 0.5 * _note(hertz(degree, 0.5), beat, 0.4, 2))
            if has_drums:
                put(bar + turn, snare if turn % 2 else kick)
            if has_melody and rng.random() < 0.8:
                pitch = hertz(int(rng.integers(7)), 4)
                put(bar + turn + rng.choice([0, 0.5]), 0.3 * _note(pitch, beat, bright, 3))
    return _unit(loop)


def bed(rng: Rng, kind: str) -> Sound:
    """Some seconds of steady sound that can be looped."""
    size = RATE_HZ * int(rng.integers(9, 16))
    low, high = nums(table("bed")[kind][0])
    sound = _band(rng, size, low, high * spread(rng, 0.6, 1.6))
    if kind in ("crowd", "room", "wind"):  # many voices at once, or gusts
        knots = np.exp(rng.normal(0, 0.5, 6 if kind == "wind" else 42))
        sound *= np.interp(np.arange(size), np.linspace(0, size, len(knots)), np.append(knots[:-1], knots[0]))
    if kind == "drone":
        turns = rng.integers(40, 120, 4) * (size // RATE_HZ)
        sound += np.sum([np.sin(2 * np.pi * n * np.arange(size) / size) for n in turns], axis=0) * 0.6
    return _unit(sound)


class Bank:
    """The effects of one stream, a few variants of each family, made when first asked for."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.made: dict[str, list[Sound]] = {}
        self.throats = [Throat(draw(rng, "draw.voice")) for _ in range(3)]

    def _make(self, family: str) -> Sound:
        rng = self.rng
        if family in (
            "voices",
            "npc",
        ):  # fellows in a voice chat shout now and then, figures of the game do not
            loud = float(rng.uniform(0, 1)) if family == "voices" else 0.1
            mode = str(rng.choice(["talk", "talk", "laugh", "scream"])) if family == "voices" else "talk"
            length = spread(rng, 0.5, 4.5 if mode == "talk" else 2)
            return 0.3 * self.throats[int(rng.integers(3))].render(rng, mode, length, loud, int(length * 5))
        if family in table("jingle"):
            return _jingle(rng, nums(table("jingle")[family][0]))
        return _effect(rng, table("effect")[family])

    def sound(self, family: str) -> Sound:
        variants = self.made.setdefault(family, [])
        if len(variants) < (9 if family in ("voices", "npc") else 4):
            variants.append(self._make(family))
            return variants[-1]
        return variants[int(self.rng.integers(len(variants)))]


class Mixer:
    """Makes both sounds of one stream."""

    def __init__(self, seed: int, who: Streamer, plan: Plan, lines: list[Line]) -> None:
        self.rng = np.random.default_rng([seed, 6])
        self.who, self.plan, self.lines, self.traits = who, plan, lines, who.traits
        self.bank = Bank(self.rng)
        self.size = round(RATE_HZ * plan.duration_s)
        self.laid: list[list[Laid]] = []  # the sounds of each deed
        self.at = np.arange(len(plan.busy)) * (RATE_HZ / FRAMES_PER_S)
        self.spoken = np.zeros(len(plan.busy))
        for line in lines:
            self.spoken[tick(line.start_s) : tick(line.end_s) + 2] = 1

    def _curve(self, where: npt.NDArray[np.int64], track: Track) -> Sound:
        return np.interp(where, self.at, track).astype(np.float32)

    def _deed_sounds(self, desk: Sound, deed: Deed) -> list[Laid]:
        """What the game or the alerts of the stream sound like at an event; gives what was laid down."""
        rng, game, react = self.rng, deed.signs["game"], deed.over_s - deed.event_s
        families = [family for family in deed.way.sfx if family != "song"]
        laid: list[Laid] = []
        if game < 0.08 or not families:
            return laid
        if deed.span.kind in LASTING:
            num = int(rng.poisson(react * rng.uniform(0.4, 1.6)))
            times = rng.uniform(deed.event_s - 1, deed.over_s, num)
        else:
            wide = min(deed.way.traits["sudden"], deed.event_s - deed.begin_s)
            more = rng.uniform(-wide, 0.3 * react, int(rng.poisson(game * 1.5)))
            times = deed.event_s + np.concatenate([[0], more])
        for turn, at in enumerate(times + deed.lags_s["game"]):
            size = game * rng.uniform(0.9, 2.4) * (1 if turn == 0 else 0.7)
            family = families[turn % len(families)]
            sound = self.bank.sound(family)
            add(desk, sound, float(at), size)
            laid.append(Laid(family, float(at), float(at) + len(sound) / RATE_HZ, size))
        return laid

    def _play_sounds(self, desk: Sound) -> None:
        """The effects of ordinary play, stray alerts and bangs, fellows in a voice chat."""
        rng, length = self.rng, self.plan.duration_s
        counts = np.minimum(rng.poisson(self.who.sfx_hz * self.plan.busy / FRAMES_PER_S), 2)
        odds = rng.dirichlet(np.full(len(self.who.sfx), 1.5))
        for index in np.flatnonzero(counts).repeat(counts[counts > 0]):
            family = str(rng.choice(self.who.sfx, p=odds))
            at = (index + rng.random()) / FRAMES_PER_S
            add(desk, self.bank.sound(family), at, 0.45 * np.exp(rng.normal(0, 0.5)))
        for at in rng.uniform(0, length, int(rng.poisson(self.traits["strays"] * length / 60))):
            family = str(rng.choice(["alert", "boom", "coin", "blip", "win", "crowd"]))
            add(desk, self.bank.sound(family), at, rng.uniform(0.3, 1.2))
        for at in rng.uniform(0, length, int(rng.poisson(self.traits["friends"] * length / 30))):
            add(desk, self.bank.sound("voices"), at, rng.uniform(0.5, 1.1))

    def _music_gains(self) -> list[Track]:
        """How loud each of three tunes is: calm, busy and menu, or the streamer's own music throughout."""
        state = self.plan.state
        shares = np.array([[1, 0.1, 0, 0.5, 0.7], [0, 1, 0, 0, 0.2], [0, 0, 1, 0.4, 0]])[:, state]
        if self.traits["own_music"]:
            shares = np.array([[1.0], [0.0], [0.0]]).repeat(len(state), 1)
        for deed in self.plan.deeds:
            begin, event, over = deed.ticks
            if "song" in deed.way.sfx:
                shares[:, event:over] = shares[:, event:over] * 1.5 + [[2 * deed.signs["game"]], [0], [0]]
            elif deed.is_moment:  # some games fall still before the blow
                shares[:, begin:event] *= 1 - 0.8 * deed.way.traits["hush"] * min(deed.signs["game"], 1)
        return [self.traits["music"] * smooth(row, 9) for row in shares]

    def desktop(self) -> Sound:
        rng, plan = self.rng, self.plan
        desk = np.zeros(self.size, np.float32)
        self._play_sounds(desk)
        self.laid = [self._deed_sounds(desk, deed) for deed in plan.deeds]
        gains = self._music_gains()
        layers = [(tune(rng, pace), gain) for pace, gain in zip((0.9, 1.4, 1.0), gains, strict=True)]
        near = self.traits["bed"] * (0.5 + np.minimum(plan.busy, 2)) * (plan.state != 2)
        if self.who.bed not in ("none", "engine"):
            layers.append((bed(rng, self.who.bed), near))
        turns = 55 + 120 * rng.uniform(0.5, 1.5) * np.clip(smooth(plan.busy, 15), 0, 2)
        phase, level = 0.0, (1 - self.traits["duck"] * self.spoken) * 1.6 * _gain(self.traits["desk_db"])
        for first in range(0, self.size, BLOCK):
            block = desk[first : first + BLOCK]
            where = np.arange(first, first + len(block))
            for loop, gain in layers:
                if gain[first // 1600 : (first + BLOCK) // 1600 + 2].any():
                    block += np.take(loop, where, mode="wrap") * self._curve(where, gain)
            if self.who.bed == "engine":
                turn = phase + np.cumsum(np.interp(where, self.at, turns) / RATE_HZ)
                phase = float(turn[-1] % 2)
                tone = (turn % 1) + 0.7 * (turn * 0.5 % 1) + 0.3 * (turn * 3 % 1) - 1
                block += 2 * tone.astype(np.float32) * self._curve(where, near)
            block *= self._curve(where, level)
            np.tanh(block, out=block)
        return desk

    def _voice(self, mic: Sound) -> None:
        rng, throat, level = self.rng, Throat(self.who.voice), _gain(self.traits["mic_db"])
        breaths = [throat.render(rng, "gasp", 0.35) for _ in range(3)]
        for line in self.lines:
            sound = throat.render(rng, line.mode, line.end_s - line.start_s, line.effort, line.syllables)
            against_talk = float(table("wordless").get(line.mode, ["", "0"])[1])
            loud = self.traits["louder_db"] * line.effort + against_talk + rng.normal(0, 1.2)
            add(mic, sound, line.start_s, level * _gain(loud))
            if rng.random() < self.traits["breathy"]:
                add(mic, breaths[int(rng.integers(3))], line.start_s - 0.4, level * _gain(-16))

    def _keys(self, mic: Sound) -> None:
        """Strokes of keys and the mouse, quicker in busy play."""
        rng, level = self.rng, _gain(self.traits["mic_db"]) * self.traits["keys"]
        fall = np.exp(-np.arange(320) / 32)
        strokes = [(rng.standard_normal(320) * fall).astype(np.float32) for _ in range(6)]
        counts = rng.poisson(np.minimum(0.15 + 0.6 * self.plan.busy, 1.2) * 0.5 * (self.plan.state != 4))
        for index in np.flatnonzero(counts * (level > 0)):
            at = (index + rng.random()) / FRAMES_PER_S
            add(mic, strokes[int(rng.integers(6))], at, level * rng.uniform(0.3, 1.5))

    def microphone(self, desk: Sound) -> Sound:
        traits, level = self.traits, _gain(self.traits["mic_db"])
        mic = np.zeros(self.size, np.float32)
        self._voice(mic)
        self._keys(mic)
        for delay, share in ((210, 0.5), (460, 0.35), (750, 0.22)):
            if traits["room"]:
                mic[delay:] += np.float32(share * traits["room"]) * mic[:-delay]
        hiss = bed(self.rng, "hiss")
        cycle = 2 * np.pi * 50 * np.arange(len(hiss)) / RATE_HZ
        hiss += (2 * traits["hum"] * (np.sin(cycle) + 0.4 * np.sin(3 * cycle))).astype(np.float32)
        opened = _gain(traits["hiss_db"]) * (1 - traits["gate"] * (1 - self.spoken))
        leak = np.float32(0.5 * traits["leak"] * level / _gain(traits["desk_db"]))
        ceiling = np.float32(min(traits["squash"] * 10 * level + 0.1, 0.99))
        for first in range(0, self.size, BLOCK):
            block = mic[first : first + BLOCK]
            where = np.arange(first, first + len(block))
            block += np.take(hiss, where, mode="wrap") * self._curve(where, opened)
            if leak and first:
                block += leak * (desk[where - 90] + desk[where - 91])
            block /= ceiling
            np.tanh(block, out=block)
            block *= ceiling
        return mic
