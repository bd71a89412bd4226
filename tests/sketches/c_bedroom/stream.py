"""A small streamer in a bedroom: calm talk, a fan and a keyboard, friends on voice chat, a handful of viewers.

Dogs, doorbells and cups are as loud as joy. One seed gives one stream. Phrases and figures: `words.txt`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.sketches.c_bedroom.sounds import TABLE, Rng, band, effect, gain, heard_s, sing, unit
from tests.sketches.c_bedroom.truth import PAN, Moment
from tests.sketches.guide import kept_apart
from tests.sketches.sketch import FRAMES_PER_S, HEIGHT, RATE_HZ, WIDTH, Sketch, Sound, Span

SIGNS = ("voice", "words", "laughter", "desktop", "picture", "chat")
KINDS = ("hype", "funny", "clutch", "fail", "score", "rage", "wholesome")
# Decoys: those that the microphone hears and those of the desktop, in dB over the calm voice; how often each may come.
MIC_DB = {"dog": 9, "bell": 5, "cup": 10, "cough": 7, "typing": 0, "bump": 11}
DESKTOP_DB = {"alert": -1, "trailer": 1, "fight": -1}
MOST = {"dog": 5, "cup": 1, "cough": 3, "typing": 30, "alert": 1, "trailer": 9, "fight": 40}  # else 2
PEOPLE = ("music", "friends", "poll", "shout")
DECOYS = (*MIC_DB, *DESKTOP_DB, *PEOPLE)
MIN_APART_S = 8.5
# How fast the picture of a game moves at most.
PACE = {"none": 0.02, "cosy": 0.3, "shooter": 0.7, "sports": 0.7}


class Studio:
    """One streamer and one stream as it is gathered. Levels of sounds are dB over the calm voice."""

    def __init__(self, seed: int, duration_s: float) -> None:
        self.rng = rng = np.random.default_rng([seed, 0xC])
        self.duration_s = duration_s
        is_high = rng.random() < 0.45
        self.voice_db, self.game_db = rng.uniform(-30, -16), rng.uniform(-16, 0)
        self.voice = (rng.uniform(170, 235), 1.14) if is_high else (rng.uniform(88, 145), 1.0)
        self.syllables_per_s, self.miss = rng.uniform(3.6, 5.6), rng.uniform(0.06, 0.22)
        self.chattiness, self.typing_per_s = rng.uniform(0.3, 1.0), rng.uniform(0, 0.08)
        self.game = str(rng.choice(["none", "shooter", "sports", "cosy"], p=[0.2, 0.35, 0.2, 0.25]))
        self.friends = [(rng.uniform(90, 240), 1.08) for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3]))]
        self.has_chat = bool(rng.random() >= 0.2)
        self.num_viewers = int(np.exp(rng.uniform(0, 5.3))) if self.has_chat else int(rng.integers(0, 4))
        self.jokes = [str(joke) for joke in rng.choice(TABLE["joke"], 3, replace=False)]
        self.others = TABLE["other"][0].split()
        self.mic, self.desktop = np.zeros((2, round(RATE_HZ * duration_s)), np.float32)
        tracks = np.zeros((5, round(FRAMES_PER_S * duration_s)))
        self.action, self.motion, self.flash, self.jig, self.music = tracks
        self.segs, self.chat = list[tuple[float, float, str]](), list[tuple[float, str]]()
        self.moments = list[Moment]()

    def pick(self, sort: str) -> str:
        choices = TABLE[sort]
        return choices[self.rng.integers(len(choices))].replace("{joke}", self.jokes[self.rng.integers(3)])

    def put(self, track: Sound, at_s: float, sound: Sound, db: float) -> None:
        begin = int(at_s * RATE_HZ)
        part = sound[: max(0, len(track) - begin)]
        track[begin : begin + len(part)] += part * np.float32(gain(self.voice_db + db))

    def say(
        self, at_s: float, sort: str, until_s: float, heat: float = 0, db: float = 0, friend: bool = False
    ) -> float:
        """Say a phrase if it ends before `until_s`; `heat` makes it higher and faster. Returns when it ended."""
        rng, text = self.rng, self.pick(sort)
        num = sum(max(1, round(len(word) / 3.2)) for word in text.split())
        rate = self.syllables_per_s * rng.uniform(0.88, 1.12) * (1 + 0.3 * heat)
        end_s = at_s + float(np.clip(num / rate, 0.6, 5.8))
        if end_s > until_s:
            return at_s
        lengths = rng.uniform(0.6, 1.4, num)
        lengths *= (end_s - at_s) * RATE_HZ / lengths.sum()
        base_hz, tract = self.friends[rng.integers(len(self.friends))] if friend else self.voice
        melody = np.linspace(1.08, 0.92, num) * np.exp(rng.normal(0, 0.06 + 0.05 * heat, num))
        sound = sing(rng, base_hz * (1 + 0.5 * heat) * melody, lengths, tract, 1 - 0.6 * heat, 0.06)
        if friend:
            self.put(self.desktop, at_s, band(sound, 300, 3400), db)
        else:
            self.put(self.mic, at_s, sound, db + rng.normal(0, 1.2))
            self.jig[int(at_s * FRAMES_PER_S) : int(end_s * FRAMES_PER_S)] += 0.3 + heat
            self.hear(at_s, end_s, text)
        return end_s

    def hear(self, begin_s: float, end_s: float, text: str) -> None:
        """What a recogniser makes of it: words go missing or come out as others."""
        spoken = text.split()
        luck, wrong = self.rng.random(len(spoken)) / self.miss, self.rng.choice(self.others, len(spoken))
        heard = [str(np.where(c > 1, a, b)) for a, b, c in zip(spoken, wrong, luck, strict=True) if c > 0.5]
        if heard:
            begin_s = max(begin_s + self.rng.uniform(-0.1, 0.1), self.segs[-1][1] if self.segs else 0.0)
            self.segs.append((begin_s, min(max(end_s, begin_s + 1), self.duration_s), " ".join(heard)))

    def laugh(self, at_s: float, until_s: float, db: float, friend: bool = False) -> float:
        """A giggle or a laugh that dies away; returns when it ended."""
        num = int(min(self.rng.integers(4, 14), (until_s - at_s) * 4.5))
        if num < 3:
            return at_s
        base_hz, tract = self.friends[0] if friend else self.voice
        pitch_hz = base_hz * self.rng.uniform(1.3, 1.9) * np.linspace(1.1, 0.8, num)
        lengths = self.rng.uniform(0.15, 0.22, num) * RATE_HZ
        sound = sing(self.rng, pitch_hz, lengths, tract, 0.8, 0.35)
        turns = np.interp(np.arange(len(sound)), np.cumsum(lengths), np.arange(1, num + 1))
        sound = unit(sound * (np.sin(np.pi * turns) ** 2 * np.linspace(1, 0.4, len(sound))))
        end_s = at_s + len(sound) / RATE_HZ
        self.put(self.desktop if friend else self.mic, at_s, band(sound, 300, 3400) if friend else sound, db)
        if not friend:
            self.jig[int(at_s * FRAMES_PER_S) : int(end_s * FRAMES_PER_S)] += 0.8
            if self.rng.random() < 0.25 and end_s - at_s > 1:
                self.hear(at_s, end_s, "ha ha ha")
        return end_s

    def answer(self, at_s: float, sort: str, share: float) -> None:
        """Chat answers within 2 to 12 s; `share` of the usual audience."""
        num = 1 + self.rng.poisson(share * 0.9 * self.num_viewers**0.5) if self.has_chat else 0
        at = at_s + 2 + 10 * self.rng.beta(1.3, 2.2, num)
        self.chat += [(float(when), self.pick(sort)) for when in at if when < self.duration_s]

    def moment(self, span: Span) -> None:
        """Lead-in, peak and reaction, with a random handful of the signs."""
        rng, odds = self.rng, np.array(TABLE[f"signs {span.kind}"], float) * [1, 1, 1, 1, 1, self.has_chat]
        has = dict.fromkeys(SIGNS, False)
        # Without a person's answer nobody would clip it: the game and its picture alone do not count.
        while sum(has.values()) < 2 or not (has["voice"] or has["words"] or has["laughter"] or has["chat"]):
            has = dict(zip(SIGNS, rng.random(6) < odds, strict=True))
        length_s, strength = span.end_s - span.start_s, rng.uniform(0.5, 1.15)
        peak_s = span.start_s + length_s * rng.uniform(0.2, 0.5)
        shown = Moment(span=span, peak_s=peak_s)
        self.moments.append(shown)
        scream_db = 10 * float(has["voice"] and span.kind != "wholesome" and rng.random() < 0.1)
        at = span.start_s
        for _ in range(rng.integers(1, 3)):
            at = self.say(at + rng.uniform(0, 1.5), "lead" if has["words"] else "calm", peak_s)
        at, is_giddy = peak_s + rng.uniform(0, 0.6), has["laughter"] and rng.random() < 0.5
        while at < span.end_s - 0.8:
            left = (1 - (at - peak_s) / (span.end_s - peak_s)) * strength
            if has["laughter"] and (is_giddy or rng.random() < 0.5):
                begin, at = at, self.laugh(at, span.end_s, rng.uniform(-5, 1) + 6 * left)
                shown.add(begin, at)
            heat = left if has["voice"] else rng.uniform(0, 0.15)
            db = (8.5 * left + scream_db * (left > 0.6 * strength)) * has["voice"]
            if has["voice"] or has["words"] or rng.random() < 0.4:
                begin, at = at, self.say(at, span.kind if has["words"] else "cheer", span.end_s, heat, db)
                shown.say(begin, at, heat)
            at, is_giddy = at + 0.15 + rng.exponential(0.5 if has["voice"] else 1.4), False
        if has["desktop"] and self.friends and (self.game == "none" or rng.random() < 0.5):
            begin = peak_s + rng.uniform(0.2, 0.8)
            shown.add(begin, self.banter("cheer", begin, span.end_s, strength))
        elif has["desktop"]:
            name = "crowd" if self.game == "sports" else TABLE[f"plays {span.kind}"][0]
            sound = effect(rng, name)
            self.put(self.desktop, peak_s, sound, self.game_db * 0.5 + 8 * strength)
            shown.add(peak_s, peak_s + heard_s(name, len(sound) / RATE_HZ))
        if has["picture"]:
            first, peak, end = (int(s * FRAMES_PER_S) for s in (span.start_s, peak_s, peak_s + 4))
            pan = rng.uniform(0.3, 1.0) * strength
            self.motion[first:end] += pan
            num_lit = int(rng.integers(2, 12))
            self.flash[peak : peak + num_lit] += rng.uniform(20, 90)
            shown.add(peak_s, peak_s + num_lit / FRAMES_PER_S)
            if pan >= PAN * PACE[self.game]:
                shown.add(span.start_s, peak_s + 4)
        if has["chat"]:
            self.answer(peak_s, f"chat{span.kind}", strength)

    def banter(self, sort: str, begin_s: float, until_s: float, heat: float) -> float:
        """The friends shout and laugh. Returns when the last of it ended."""
        at = last_s = begin_s
        until_s = min(until_s, begin_s + self.rng.uniform(3, 10))
        while at < until_s - 1:
            end_s = self.say(at, sort, until_s, heat, self.rng.uniform(-4, 2) + 5 * heat, friend=True)
            last_s, at = end_s if end_s > at else last_s, end_s + 0.3
            end_s = self.laugh(at, until_s, 2 * heat, friend=True) if self.rng.random() < 0.4 else at
            last_s, at = end_s if end_s > at else last_s, end_s
        return last_s

    def decoy(self, span: Span) -> None:
        """Loud or busy, and nothing to clip."""
        rng, kind, most = self.rng, span.kind, MOST.get(span.kind, 2)
        frames = slice(int(span.start_s * FRAMES_PER_S), int(span.end_s * FRAMES_PER_S))
        track, usual_db = self.mic if kind in MIC_DB else self.desktop, {**MIC_DB, **DESKTOP_DB}.get(kind, 0)
        for _ in range(rng.integers(most // 3, most + 1) + 1 if kind not in PEOPLE else 0):
            sound = effect(rng, kind)
            last_s = max(span.start_s, span.end_s - 1 - len(sound) / RATE_HZ)
            self.put(track, rng.uniform(span.start_s, last_s), sound, usual_db + rng.normal(0, 3))
        if span.kind in ("fight", "trailer"):
            self.action[frames] += 0.7
            self.motion[frames] += rng.uniform(0.4, 1.2)
            self.flash[frames] += 60 * (rng.random(len(self.flash[frames])) < 0.06)
        if kind == "poll" or rng.random() < 0.3:
            self.answer(span.start_s, "chatdull", rng.uniform(0.3, 1.6))
        if kind == "music":
            self.music[frames] = 1
        elif span.kind == "poll":
            self.say(span.start_s, "dull", span.end_s)
        elif span.kind == "friends" and self.friends:
            self.banter("friend", span.start_s, span.end_s, rng.uniform(0, 0.6))
        elif rng.random() < 0.7 or kind in PEOPLE:
            is_shout = span.kind in ("shout", "friends")
            heat, db = (rng.uniform(0.2, 0.8), rng.uniform(5, 11)) if is_shout else (0.1, rng.uniform(0, 4))
            at = self.say(span.start_s + (0.2 if is_shout else 2.0), "dull", span.end_s, heat, db)
            self.say(at + 0.4, "dull", span.end_s, heat, db)

    def chatter(self, begin_s: float, end_s: float) -> None:
        """Ordinary time: stretches of talk and of silence, friends between, a chuckle now and then."""
        rng, at = self.rng, begin_s + self.rng.uniform(0, 2)
        pause_s = float(rng.choice([0.4, 1, 3, 12])) / self.chattiness
        while at < end_s - 1:
            lively = rng.uniform(0.2, 0.9) * (rng.random() < 0.15)
            friend = bool(self.friends) and rng.random() < 0.35
            at = self.say(at, "friend" if friend else "calm", end_s, lively, 9 * lively - 3 * friend, friend)
            if rng.random() < 0.05:
                at = self.laugh(at + 0.2, end_s, rng.uniform(-7, 2))
            at += 0.2 + rng.exponential(pause_s)
        for when in rng.uniform(begin_s, end_s, rng.poisson(self.typing_per_s * max(0, end_s - begin_s))):
            self.put(self.mic, when, effect(rng, "typing"), rng.uniform(-16, -4))

    def play(self) -> None:
        """The game that comes and goes, the music, and what is done to the desktop's sound."""
        rng, num = self.rng, len(self.action)
        knots = np.arange(0, self.duration_s + 20, 9.0) + rng.uniform(0, 5)
        idle = np.interp(np.arange(num) / FRAMES_PER_S, knots, rng.beta(0.7, 1.2, len(knots)))
        self.action = (self.action + idle) * (self.game != "none")
        self.motion += idle * PACE[self.game]
        at = np.arange(len(self.desktop)) / RATE_HZ
        bed = band(rng.standard_normal(20 * RATE_HZ), 60, 6000, rng.uniform(0.5, 1.1))
        level = np.interp(at, np.arange(num) / FRAMES_PER_S, self.action).astype(np.float32)
        self.desktop += np.resize(bed, len(at)) * level * np.float32(gain(self.voice_db + self.game_db - 4))
        name = {"shooter": "fight", "sports": "crowd"}.get(self.game, "cup")
        bank = [effect(rng, name) for _ in range(12)]
        num_hits = rng.poisson(self.duration_s * 0.5 * (self.game != "none"))
        for when in rng.uniform(0, self.duration_s, num_hits):
            db = 20 * np.log10(self.action[min(int(when * FRAMES_PER_S), num - 1)] + 0.03)
            self.put(self.desktop, when, bank[rng.integers(12)], self.game_db + db + rng.normal(0, 3))
        beats = rng.choice([0, 3, 5, 7, 10, 12], (16, 3)) - 12 * np.array([2, 0, 0])
        note_s = np.arange(int(RATE_HZ * rng.uniform(0.25, 0.6))) / RATE_HZ
        waves = np.sin(2 * np.pi * 330 * 2 ** (beats[:, :, None] / 12) * note_s) * np.exp(-3 * note_s)
        loop = unit(waves.sum(axis=1).ravel()) * np.float32(gain(self.voice_db + rng.uniform(-2, 5)))
        under = gain(-16) * (rng.random() < 0.35)
        level = np.interp(at, np.arange(num) / FRAMES_PER_S, np.maximum(self.music, under)).astype(np.float32)
        self.desktop += np.resize(loop, len(at)) * level

    def record(self) -> Sound:
        """The microphone as it is recorded: the room, the fan, the speakers, a gate or an automatic level."""
        rng, mic = self.rng, self.mic.copy()
        for late in (371, 797, 1511):
            mic[late:] += self.mic[:-late] * np.float32(rng.uniform(0, 0.25))
        mic[1:] -= mic[:-1] * np.float32(rng.uniform(0, 0.6))
        hum = np.sin(2 * np.pi * rng.choice([50, 60, 117]) * np.arange(20 * RATE_HZ) / RATE_HZ)
        hum *= rng.uniform(0, 0.8)
        fan = band(rng.standard_normal(20 * RATE_HZ), 40, 7800, rng.uniform(0.3, 1)) + hum
        fan_db = self.voice_db - rng.uniform(16, 42)
        mic += np.resize(fan, len(mic)).astype(np.float32) * np.float32(gain(fan_db))
        mic[160:] += self.desktop[:-160] * np.float32(gain(rng.choice([-60.0, -38.0, -18.0])))
        blocks = np.pad(mic, (0, -len(mic) % 1600)).reshape(-1, 1600)
        level = np.sqrt(np.convolve(np.mean(blocks**2, axis=1), np.ones(5) / 5)[: len(blocks)]) + 1e-6
        ride = np.clip(level / gain(fan_db + 9), 0.03, 1) if rng.random() < 0.25 else np.ones(len(level))
        if rng.random() < 0.3:
            ride *= (gain(self.voice_db) / np.maximum(level, gain(self.voice_db - 10))) ** 0.4
        mic *= np.interp(np.arange(len(mic)) / 1600, np.arange(len(ride)) + 0.5, ride).astype(np.float32)
        return np.tanh(mic) * np.float32(0.98)


def plan(rng: Rng, duration_s: float) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Moments and decoys, apart from each other, in order."""
    share = duration_s / 600
    num = max(1, round(int(rng.integers(3, 11)) * share))
    lengths = np.clip(rng.lognormal(2.6, 0.45, num), 6, max(6, min(40, duration_s / 3)))
    events = [(str(rng.choice(KINDS)), float(length)) for length in lengths]
    for kind in rng.choice(list(DECOYS), round(int(rng.integers(6, 14)) * share)):
        events.append((str(kind), float(rng.uniform(15, 35) if kind == "music" else rng.uniform(4, 12))))
    while len(events) > 1 and sum(length + MIN_APART_S for _, length in events) > 0.8 * duration_s:
        events.pop()
    events = [events[i] for i in rng.permutation(len(events))]
    free_s = duration_s - MIN_APART_S * (len(events) + 1) - sum(length for _, length in events)
    gaps = MIN_APART_S + free_s * rng.dirichlet(np.ones(len(events) + 1))
    starts = np.cumsum(gaps[:-1]) + np.cumsum([0.0] + [length for _, length in events[:-1]])
    spans = [Span(start_s=a, end_s=a + b, kind=k) for a, (k, b) in zip(starts.tolist(), events, strict=True)]
    return tuple(s for s in spans if s.kind in KINDS), tuple(s for s in spans if s.kind in DECOYS)


def draw(studio: Studio, seed: int) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """The game (or the room) with the webcam in a corner; a still card while music plays."""
    rng = np.random.default_rng([seed, 0xF])
    coarse = rng.uniform(20, 200, (12, 20, 30)).repeat(12, axis=1).repeat(12, axis=2)
    scenes = (coarse + rng.normal(0, 8, coarse.shape)).astype(np.float32)
    way = np.cumsum(studio.motion * 6) + rng.normal(0, 0.3, len(studio.motion))
    rows, columns = np.mgrid[0:30, 0:40]
    scene = 0
    for now, (flash, jig) in enumerate(zip(studio.flash, studio.jig, strict=True)):
        scene = int(rng.integers(12)) if rng.random() < 0.004 + 0.01 * studio.motion[now] else scene
        left, top = int(way[now]) % 200, int(way[now] * 0.4) % 150
        picture = scenes[scene, top : top + HEIGHT, left : left + WIDTH] + flash
        down, right = rng.normal(0, 0.3 + jig, 2)
        head = ((rows - 16 - down) / 11) ** 2 + ((columns - 20 - right) / 8) ** 2
        picture[-30:, -40:] = np.where(head < 1, 170, 60) + rng.normal(0, 3, rows.shape)
        if studio.music[now]:
            picture[:] = 40
            picture[30:60, 40 + now % 40 : 80 + now % 40] = 190
        yield np.clip(picture, 0, 255).astype(np.uint8)


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream of a small streamer; the same for the same seed."""
    studio = Studio(seed, duration_s)
    moments, decoys = plan(studio.rng, duration_s)
    at = 0.0
    for span in sorted(moments + decoys, key=lambda span: span.start_s):
        studio.chatter(at, span.start_s - 0.3)
        (studio.moment if span.kind in KINDS else studio.decoy)(span)
        at = span.end_s + 0.3
    studio.chatter(at, duration_s - 0.5)
    if studio.has_chat:
        num = studio.rng.poisson(duration_s / 60 * 0.8 * studio.num_viewers**0.6)
        studio.chat += [(float(t), studio.pick("chatcalm")) for t in studio.rng.uniform(0, duration_s, num)]
    studio.play()
    # Decoys lie clear of moments as they are.
    told, _ = kept_apart([moment.told() for moment in studio.moments], [])
    return Sketch(
        duration_s=duration_s,
        mic=studio.record(),
        desktop=np.tanh(studio.desktop) * np.float32(0.98),
        frames=lambda: draw(studio, seed),
        segs=tuple(studio.segs),
        chat=tuple(sorted(studio.chat)),
        num_viewers=studio.num_viewers,
        moments=told,
        decoys=decoys,
    )
