"""The streamer on the microphone: lines and cries in their places, what a recogniser makes of them, the room."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.sketches.h_scares import voice
from tests.sketches.h_scares.lore import Cue, Lore, Scene, pick, weighted
from tests.sketches.h_scares.plan import Persona, Plan
from tests.sketches.sketch import RATE_HZ, Sound

Seg = tuple[float, float, str]


@dataclasses.dataclass(slots=True)
class Booth:
    """Lays what is said on the microphone, one after another."""

    persona: Persona
    lore: Lore
    rng: np.random.Generator
    mic: Sound
    pets: tuple[str, ...]  # what this streamer puts before many a line
    free_s: float = 0.5
    said: list[tuple[float, float, str, str]] = dataclasses.field(default_factory=list)
    acted: dict[Cue, int] = dataclasses.field(default_factory=dict)  # which of `said` answers a cue

    def tempered(self, mood: str) -> str:
        """The mood as this temperament shows it: some hardly react, some shout at everything."""
        draw = self.rng.random()
        if self.persona["react"] < 0.5 and draw > self.persona["react"] + 0.45:
            return self.lore.tables["calmer"].get(mood, mood)
        if self.persona["react"] > 0.75 and draw < self.persona["react"] - 0.72:
            return self.lore.tables["louder"].get(mood, mood)
        return mood

    def compose(self, mood: str, topic: str) -> tuple[Sound, str]:
        """The sound of a line or a cry at its level, and its words."""
        who, text = self.persona, ""
        pitch = who["pitch_hz"] * float(self.rng.uniform(0.95, 1.05))
        if mood in self.lore.tables["gestures"]:
            rows, level, rough = voice.gesture(self.rng, self.lore, mood, pitch)
            soft = 0.8
        else:
            lately = {said for *_, said in self.said[-15:]}
            drawn = [self.lore.line(self.rng, "words " + topic) for _ in range(3)]
            text = next((line for line in drawn if line not in lately), drawn[0])
            if self.rng.random() < who["pet_share"]:
                text = f"{pick(self.rng, self.pets)} {text}"
            rows = voice.talk(self.rng, self.lore, text, mood, pitch, who["melody"], who["rate"])
            *_, level, _, rough, soft = self.lore.numbers("moods", mood)
        table = np.array(rows, np.float32)
        table[:, 3] += who["breath"] * table[:, 2]
        table[:, 5:] *= who["tract"]
        sound = voice.render(self.rng, table, rough + who["gruff"], soft)
        decibels = who["mic_db"] + who["squeeze"] * level + float(self.rng.normal(0, 1.2))
        return sound * np.float32(10 ** (decibels / 20)), text

    def lay(self, at_s: float, mood: str, topic: str, until_s: float, tries: int = 1) -> None:
        """Says it at that time or once the last is done; nothing, where all tries would run past `until_s`."""
        start = max(at_s, self.free_s)
        for _ in range(tries):
            sound, text = self.compose(mood, topic)
            end = start + len(sound) / RATE_HZ
            if end < min(until_s, len(self.mic) / RATE_HZ - 0.2):
                first = int(start * RATE_HZ)
                self.mic[first : first + len(sound)] += sound
                self.said.append((start, end, mood, text))
                self.free_s = end + 0.06
                break

    def cut(self, at_s: float) -> None:
        """Fright cuts a sentence short."""
        if self.said and self.said[-1][0] + 0.3 < at_s < self.said[-1][1]:
            self.mic[int(at_s * RATE_HZ) : int(self.free_s * RATE_HZ) + 1] = 0
            self.said[-1] = (self.said[-1][0], at_s, *self.said[-1][2:])
            self.free_s = at_s + 0.06

    def fill(self, until_s: float, scenes: tuple[tuple[float, Scene], ...]) -> None:
        """Ordinary talk up to the next cue, by the scenes it passes."""
        starts = [at for at, _ in scenes]
        while self.free_s < until_s - 0.8:
            scene = scenes[max(int(np.searchsorted(starts, self.free_s, side="right")) - 1, 0)][1]
            share = min(scene.level["talk"] * self.persona["talk"], 0.93)
            mood = self.tempered(weighted(self.rng, scene.mood))
            began = self.free_s
            if self.rng.random() < 0.05:
                mood = pick(self.rng, ("chuckle", "sigh", "pant", "groan", "chuckle", "gasp", "laugh"))
            self.lay(began, mood, weighted(self.rng, scene.topic), until_s - 0.2)
            # Talk comes in runs: mostly short pauses, now and then a long silence.
            pause = (self.free_s - began + 0.8) * (1 - share) / share
            long = 0.3 + self.rng.exponential(2.1 * pause)
            wait = float(self.rng.uniform(0.1, 0.5) if self.rng.random() < 0.55 else long)
            self.free_s = min(self.free_s + wait, until_s)


def perform(rng: np.random.Generator, persona: Persona, lore: Lore, plan: Plan, mic: Sound) -> Booth:
    """The whole stream's talk, laid on the microphone."""
    pets = tuple(pick(rng, lore.lines["words pets"]) for _ in range(int(rng.integers(1, 4))))
    booth = Booth(persona, lore, rng, mic, pets)
    cues = [cue for cue in plan.cues if cue.verb == "say"]
    limits = [cue.at + 1.5 for cue in cues[1:]] + [np.inf]
    for cue, limit in zip(cues, limits, strict=False):
        booth.fill(cue.at, plan.scenes)
        mood = booth.tempered(cue.what)
        if mood in ("scream", "yelp", "gasp"):
            booth.cut(cue.at)
        number = len(booth.said)
        booth.lay(cue.at, mood, cue.topic, limit, tries=4)
        if len(booth.said) > number:
            booth.acted[cue] = number
    booth.fill(len(mic) / RATE_HZ, plan.scenes)
    return booth


def room(rng: np.random.Generator, booth: Booth) -> None:
    """The noise of the room and of hands on the keys; a gate shuts out what is not near speech."""
    persona, mic, count = booth.persona, booth.mic, len(booth.mic)
    mic[700:] += np.float32(persona["echo"]) * mic[:-700].copy()
    mic[1100:] += np.float32(persona["echo"]) * mic[:-1100].copy()
    hiss = rng.standard_normal(9 * RATE_HZ).astype(np.float32)
    hum = 0.8 * np.sin(2 * np.pi * 50 * np.arange(len(hiss)) / RATE_HZ, dtype=np.float32)
    dull = np.convolve(hiss, np.full(12, 0.2, np.float32), "same") + 0.4 * hiss + hum
    floor = np.resize((dull * 10 ** (persona["noise_db"] / 20)).astype(np.float32), count)
    click = np.exp(-np.arange(320) / 50).astype(np.float32)
    for at in rng.integers(0, max(count - 400, 1), int(count / RATE_HZ * persona["keys_per_s"])):
        loud = 10 ** (persona["mic_db"] / 20) * rng.uniform(0.03, 0.3)
        floor[at : at + 320] += (loud * click[: count - at]) * hiss[at % 9000 : at % 9000 + 320][: count - at]
    if persona["gated"]:
        open_at = np.zeros(count // 160 + 1, np.float32)
        for start, end, *_ in booth.said:
            open_at[int(start * 100) : int(end * 100) + 25] = 1
        floor *= np.repeat(open_at, 160)[:count]
    mic += floor


def recognise(rng: np.random.Generator, persona: Persona, lore: Lore, booth: Booth) -> tuple[Seg, ...]:
    """What a recogniser heard: pieces of 1 to 7 s; wrong words, more where it is loud; cries mostly lost."""
    pieces: list[list[tuple[float, float, str]]] = []
    for start, end, mood, text in booth.said:
        words = _misheard(rng, persona, lore, mood, text)
        if not words:
            continue
        joined = pieces and start - pieces[-1][-1][1] < 0.45 and end - pieces[-1][0][0] < 6.5
        if joined and rng.random() < 0.8:
            pieces[-1].append((start, end, words))
        else:
            pieces.append([(start, end, words)])
    segs: list[Seg] = []
    for piece in pieces:
        start = max(piece[0][0] + float(rng.normal(0, 0.06)), segs[-1][1] if segs else 0.0)
        end = max(piece[-1][1] + float(rng.uniform(-0.05, 0.2)), start + 0.3)
        segs.append((round(start, 2), round(min(end, len(booth.mic) / RATE_HZ), 2), _written(persona, piece)))
    return tuple(seg for seg in segs if seg[0] < seg[1])


def _misheard(rng: np.random.Generator, persona: Persona, lore: Lore, mood: str, text: str) -> str:
    if not text:
        return lore.tables["heard"].get(mood, "") if rng.random() < 0.45 else ""
    if mood == "whisper" and rng.random() < 0.3:
        return pick(rng, lore.lines["words invented"]) if rng.random() < 0.4 else ""
    errors = persona["errors"] * lore.numbers("mishears", mood, "1")[0]
    words = []
    for word in text.split():
        draw = rng.random()
        if draw > errors:
            words.append(word)
        elif draw < 0.6 * errors:
            words.append(pick(rng, lore.lines["words misheard"]))
    return " ".join(words)


def _written(persona: Persona, piece: list[Seg]) -> str:
    if not persona["punctuated"]:
        return " ".join(text for *_, text in piece)
    sentences = [text[:1].upper() + text[1:] for *_, text in piece]
    return " ".join(s if s.endswith((".", "!")) else s + "." for s in sentences)
