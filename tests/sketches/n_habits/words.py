"""What the streamer says, line by line, what a recogniser makes of it, and what the chat writes."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from tests.sketches.n_habits.habits import Deed, Plan, Rng, Streamer, Track, nums, spread, table, texts
from tests.sketches.sketch import FRAMES_PER_S

STEP_S = 0.5
STIRS = [f"chat.{kind}" for kind in ("funny", "question", "ordinary", "chat_spam", "small_joke", "wholesome")]
Source = tuple[Track, str]  # messages a second in each step, and the pool they come from
Seg = tuple[float, float, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One utterance: when, in which manner, how loud, and its words (none for a laugh or a cough)."""

    start_s: float
    end_s: float
    mode: str
    effort: float
    text: str
    syllables: int


class Lexicon:
    """One streamer's stock of phrases: a part of all there is, some of it used again and again."""

    def __init__(self, rng: Rng, game: str) -> None:
        self.rng = rng
        self.slots = {name: texts()[f"slot.{name}"] for name in ("name", "food", "num")}
        for part in " | ".join(texts()[f"slot.{game}"]).split(" ;"):
            name, words = part.split(": ")
            self.slots[name] = tuple(words.split(" | "))
        self.stock: dict[str, tuple[list[str], list[float]]] = {}

    def say(self, pool: str) -> str:
        if pool not in self.stock:
            options = self.rng.permutation(list(texts()[pool])).tolist()
            options = options[: max(int(len(options) * self.rng.uniform(0.45, 1)), 3)]
            self.stock[pool] = options, self.rng.dirichlet(np.full(len(options), 1.2)).cumsum().tolist()
        options, odds = self.stock[pool]
        text = options[min(int(np.searchsorted(odds, self.rng.random())), len(options) - 1)]
        return re.sub(r"\{(\w+)\}", lambda m: str(self.rng.choice(self.slots[m[1]])), text)


class Talker:
    """Lays out the lines of one stream."""

    def __init__(self, seed: int, who: Streamer, plan: Plan) -> None:
        self.rng = np.random.default_rng([seed, 3])
        self.who, self.plan, self.traits = who, plan, who.traits
        self.words = Lexicon(self.rng, who.game)
        self.lines: list[Line] = []
        self.acts: list[list[Line]] = []  # the lines of each deed

    def _add(self, at: float, mode: str, effort: float, text: str, until: float) -> float:
        """Lays one line down, if there is room for it; gives back its end."""
        rng = self.rng
        num = sum(max(len(re.findall("[aeiouy]+", word.rstrip("e"))), 1) for word in text.lower().split())
        if mode in table("wordless"):
            low, high = nums(table("wordless")[mode][0])
            length = spread(rng, low, high)
            text = "ha" * int(rng.integers(2, 5)) if mode == "laugh" and rng.random() < 0.25 else ""
        else:
            slow = {"scream": 0.35, "sing": 0.5, "shout": 0.8, "hush": 0.9}.get(mode, 1.0)
            length = (num + 0.6) / (self.who.voice["pace"] * slow * rng.uniform(0.85, 1.2))
            length = float(np.clip(length, 0.7, 2.6) if mode == "scream" else np.clip(length, 0.25, 6.8))
        if at + length > min(until, self.plan.duration_s - 0.3):
            return at + 1.0
        self.lines.append(Line(at, at + length, mode, effort, text, num))
        return at + length

    def _free(self) -> float:
        """From when there is silence again."""
        return self.lines[-1].end_s + 0.1 if self.lines else 0.3

    def _index(self, at: float) -> int:
        return min(int(at * FRAMES_PER_S), len(self.plan.state) - 1)

    def _pause(self, at: float) -> float:
        """The silence between two lines of ordinary talk, longer with quiet people and in busy play."""
        mean = 2.6 / (self.traits["talk"] * self.plan.chatty[self._index(at)] + 0.05) - 1.2
        return float(self.rng.exponential(np.clip(mean, 0.35, 26)) + 0.1)

    def _ordinary(self, at: float, until: float) -> None:
        rng, traits = self.rng, self.traits
        while (at := at + self._pause(at)) < until:
            talks = self.plan.state[self._index(at)] in (2, 3)
            for _ in range(int(rng.geometric(0.5))):
                idle = 0.75 if talks else 0.25 * traits["reply"] * (self.who.chat_hz > 0)
                pool = "say.idle" if rng.random() < idle else "say.play"
                pool = "say.filler" if rng.random() < traits["filler"] else pool
                effort = float(rng.normal(0, 0.06) + rng.exponential(0.04) * traits["temper"])
                mode = str(rng.choice(["talk", "hush", "sigh", "laugh"], p=[0.93, 0.02, 0.02, 0.03]))
                if rng.random() < 0.04 * traits["temper"]:  # small outbursts that are nothing at all
                    effort = rng.uniform(0.15, 0.6)
                    pool = str(rng.choice(["say.rage", "say.fail", "say.hype"]))
                at = self._add(at, mode, effort, self.words.say(pool), until) + rng.uniform(0.05, 0.4)

    def _act(self, deed: Deed) -> None:
        """The lines of a moment or decoy: the build-up, perhaps a silence, the outburst, the dying away."""
        rng, voice, told, way = self.rng, deed.signs["voice"], deed.signs["words"], deed.way.traits
        build, react = deed.event_s - deed.begin_s, deed.over_s - deed.event_s
        pool = f"say.{deed.span.kind}" if f"say.{deed.span.kind}" in texts() else "say.play"
        outburst = deed.event_s + deed.lags_s["voice"] + way["stun"] * min(voice, 1)
        at = max(deed.begin_s + rng.uniform(0, 1.5), self._free())
        while at < outburst - 0.5:
            rise = 0.4 * way["ramp"] * voice * max(deed.effort, 0) * (at - deed.begin_s) / max(build, 1)
            effort = -0.3 if rng.random() < way["hush"] * voice else rise
            early = "say.build" if deed.is_moment and rng.random() < told * 0.7 else "say.play"
            at = self._add(at, "talk", effort, self.words.say(early), outburst) + self._pause(at) * 0.7
        at = max(outburst if voice >= 0.2 else deed.event_s + deed.lags_s["words"], self._free())
        turn = 0
        while at < deed.over_s:
            left = float(np.exp(-max(at - outburst, 0) / (way["fade"] * react)))
            leads = voice >= 0.2 and rng.random() < left + 0.3 * (turn == 0)
            mode = deed.way.modes[turn % len(deed.way.modes)] if leads else "talk"
            spoken = pool if rng.random() < told else str(rng.choice(["say.play", "say.filler"]))
            strong = deed.effort * (0.4 + 0.6 * voice) * left * rng.uniform(0.8, 1.15)
            effort = strong - 0.3 * (mode == "hush") if leads else 0.15 * left * voice
            effort = max(effort, 0.5) if mode in ("scream", "shout") else effort
            if mode == "silent":
                at += rng.uniform(0.6, 3)
            else:
                at = self._add(at, mode, effort, self.words.say(spoken), deed.over_s + 1.5)
            turn += 1
            at += rng.uniform(0.03, 0.5) if voice * left + 0.4 * told > 0.4 else self._pause(at)

    def talk(self) -> list[Line]:
        at = 0.3
        for deed in self.plan.deeds:
            self._ordinary(at, deed.begin_s - 0.2)
            num = len(self.lines)
            self._act(deed)
            self.acts.append(self.lines[num:])
            at = max(deed.over_s + 0.3, self._free())
        self._ordinary(at, self.plan.duration_s - 1)
        return self.lines


def _misheard(rng: Rng, line: Line, error: float, stock: list[str]) -> str:
    """The words of a line with some wrong and some lost, more of them where it is loud or sung."""
    wrong = error * (1 + 1.5 * max(line.effort, 0) + 2 * (line.mode in ("scream", "sing")))
    said = [str(rng.choice(stock)) if rng.random() < wrong else word for word in line.text.split()]
    return " ".join([word for word in said if rng.random() > wrong * 0.4] or said[:1])


def hear(seed: int, who: Streamer, lines: list[Line], duration_s: float) -> tuple[Seg, ...]:
    """The segments of a recogniser: lines joined where they lie close, some missed, some heard in mere noise."""
    rng, traits = np.random.default_rng([seed, 4]), who.traits
    stock = [word for phrase in texts()["say.play"] for word in phrase.split() if "{" not in word]
    segs: list[Seg] = []
    for line in lines:
        missed = traits["drop"] * (1 + 2 * max(line.effort, 0)) + 0.2 * (line.mode == "hush")
        if not line.text or rng.random() < missed:
            continue
        text = _misheard(rng, line, traits["error"], stock)
        if traits["neat"]:
            text = text[:1].upper() + text[1:] + ("!" if line.effort > 0.4 and rng.random() < 0.6 else ".")
        start, end = np.array([line.start_s, max(line.end_s, line.start_s + 0.7)]) + rng.normal(0, 0.07, 2)
        if segs and start - segs[-1][1] < traits["join"] and end - segs[-1][0] < 7:
            segs[-1] = (segs[-1][0], end, f"{segs[-1][2]} {text}")
            continue
        start = max(start, segs[-1][1] + 0.02 if segs else 0.0)
        segs.append((start, max(end, start + 0.6), text))
    num_ghosts = int(rng.poisson(duration_s / 600 * rng.exponential(2)))
    for at in rng.uniform(0, max(duration_s - 2.5, 0.1), num_ghosts):
        if all(end < at - 0.1 or start > at + 2.1 for start, end, _ in segs):
            segs.append((at, at + 2.0, str(rng.choice(texts()["say.hallucinated"]))))
    return tuple((round(float(a), 2), round(float(min(b, duration_s)), 2), t) for a, b, t in sorted(segs))


class Crowd:
    """The viewers of one stream and their habits of writing."""

    def __init__(self, seed: int, who: Streamer, plan: Plan) -> None:
        self.rng = np.random.default_rng([seed, 5])
        self.who, self.plan, self.traits = who, plan, who.traits
        self.words = Lexicon(self.rng, who.game)
        self.own = str(self.rng.choice(["zorb", "mossy", "tim", "hexa", "kiwi", "grum", "nyx"]))
        self.times = np.arange(0, plan.duration_s, STEP_S)

    def _write(self, pool: str) -> str:
        """One message in this chat's hand: stretched, shouted, repeated, with emotes of its own."""
        rng, traits, moved = self.rng, self.traits, pool != "chat.ordinary"
        text = self.words.say(pool)
        if moved and rng.random() < traits["own_emotes"]:
            text = self.own + pool.split(".")[1].split("_")[0].capitalize()
        elif text.isascii() and not text.startswith("!"):
            if rng.random() < traits["stretch"] and text[-1].isalpha():
                text += text[-1] * int(rng.integers(1, 7))
            if moved and rng.random() < traits["shout"]:
                text = text.upper()
        times = int(rng.integers(2, 5)) if moved and len(text) < 14 and rng.random() < 0.12 else 1
        return " ".join([text] * times)

    def _flood(self, deed: Deed) -> Source:
        """The course of a chat's answer: a lag, a quick rise, a slower fall."""
        rng, hz = self.rng, self.who.chat_hz
        lag = self.traits["lag"] + deed.lags_s["chat"] + rng.normal(0, 0.4)
        since = np.maximum(self.times - deed.event_s - max(lag, 0.6), 0)
        settle = self.traits["settle"] * rng.uniform(0.6, 1.6) * (0.6 + (deed.over_s - deed.event_s) / 20)
        # the few of a tiny chat do answer; where all write at once, a chat lets through only so much
        base = max(hz, 0.1) if hz < 2 else 1 + hz / 2
        size = base * self.traits["heat"] * deed.signs["chat"] ** 1.3 * np.exp(rng.normal(0, 0.3))
        pool = f"chat.{deed.span.kind}"
        course = size * (1 - np.exp(-since / 1.2)) * np.exp(-since / settle)
        return course, pool if pool in texts() else "chat.ordinary"

    def _stirs(self, lines: list[Line]) -> list[Source]:
        """Small stirs in ordinary time: after some loud line, or for no cause that can be found."""
        rng, length = self.rng, self.plan.duration_s
        loud = [line.start_s for line in lines if line.effort > 0.25 and rng.random() < 0.15]
        sources = []
        for at in [*loud, *rng.uniform(0, length, int(rng.poisson(length / 90)))]:
            since = self.times - at - self.traits["lag"]
            course = (since > 0) * np.exp(-np.maximum(since, 0) / 4) * max(self.who.chat_hz, 0.03)
            sources.append((course * rng.exponential(0.8), str(rng.choice(STIRS))))
        return sources

    def _usual(self) -> str:
        """The pool of a message of ordinary time; bots write at their own pace, however many people do."""
        bots = min(self.traits["bots"] / self.who.chat_hz, 0.2)
        odds = np.array([0.76, 0.08, bots, 0.015, 0.145])
        pool = self.rng.choice(5, p=odds / odds.sum())
        return ["chat.ordinary", "chat.question", "chat.bot", "chat.pasta", str(self.rng.choice(STIRS))][pool]

    def write(self, lines: list[Line]) -> tuple[tuple[float, str], ...]:
        if not self.who.chat_hz:
            return ()
        rng, last = self.rng, self.plan.duration_s - 0.01
        knots = np.arange(0, self.plan.duration_s + 40, 20)
        drift = np.exp(np.interp(self.times, knots, rng.normal(0, 0.35, len(knots))))
        sources = [(self.who.chat_hz * drift, ""), *self._stirs(lines)]
        sources += [self._flood(deed) for deed in self.plan.deeds if deed.signs["chat"] > 0.02]
        out: list[tuple[float, str]] = []
        for rate, pool in sources:
            for start in self.times.repeat(rng.poisson(np.minimum(rate, 30) * STEP_S)):
                at = round(float(min(start + rng.uniform(0, STEP_S), last)), 2)
                out.append((at, self._write(pool or self._usual())))
        return tuple(sorted(out, key=lambda message: message[0]))
