"""What is said, what a recogniser makes of it, and what the chat writes."""

from __future__ import annotations

import functools
import pathlib
import re

import numpy as np

from tests.sketches.m_reacts.people import Burst, Floats, Line, Persona, Rng, Script


@functools.lru_cache(maxsize=1)
def lists() -> dict[str, list[str]]:
    """The word lists: sections in brackets, entries parted by ` / ` or by lines."""
    text = pathlib.Path(__file__).with_name("words.txt").read_text(encoding="utf-8")
    parts = re.split(r"^\[(\w+)\]\n", text, flags=re.M)[1:]
    return {
        name: [x.strip() for x in re.split(r"\n| / ", body) if x.strip()]
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


class Teller:
    """Draws lines without soon repeating them, with the habits of one streamer."""

    def __init__(self, rng: Rng, who: Persona) -> None:
        self.rng, self.who = rng, who
        self.decks: dict[str, list[str]] = {}
        words = lists()
        self.own = {
            k: [str(x) for x in rng.choice(words[k], n)] for k, n in (("you", 1), ("ex", 3), ("filler", 2))
        }
        self.own["name"] = [str(x) for x in rng.choice(words["name"], 14, replace=False)]
        self.own["emote"] = [who.emote + str(x) for x in rng.choice(words["suffix"], 4, replace=False)]
        self.own["emote"] += [str(x) for x in rng.choice(words["emote"], 7, replace=False)]

    def draw(self, section: str) -> str:
        """One entry of a section with its slots filled."""
        if section in self.own:
            text = self.own[section][int(self.rng.integers(len(self.own[section])))]
        else:
            if not self.decks.get(section):
                whole = lists()[section]
                self.decks[section] = [whole[int(k)] for k in self.rng.permutation(len(whole))]
            text = self.decks[section].pop()
        return re.sub(r"\{(\w+)\}", lambda m: self.draw(m[1]), text)

    def in_order(self, section: str) -> list[str]:
        """Most entries of a section, as they follow one another."""
        return [
            re.sub(r"\{(\w+)\}", lambda m: self.draw(m[1]), x)
            for x in lists()[section]
            if self.rng.random() < 0.8
        ]

    def say(self, section: str) -> str:
        """A line as this streamer would say it."""
        text = self.draw(section)
        if self.rng.random() < self.who.fillers and len(text.split()) > 3:
            words = text.split()
            words.insert(int(self.rng.integers(0, len(words) - 1)), self.draw("filler"))
            text = " ".join(words)
        return text


def _misheard(rng: Rng, text: str, rate: float) -> str:
    confusions = dict(pair.split("=") for pair in lists()["confuse"])
    out: list[str] = []
    for word in text.split():
        bare = word.strip("?,.!")
        if rng.random() >= rate:
            out.append(word)
        elif bare in confusions:
            out.append(confusions[bare])
        elif rng.random() < 0.5:
            out.append(str(rng.choice(lists()["stray"])))
        elif rng.random() < 0.3 and len(bare) > 3:
            out.append(bare[: len(bare) // 2 + 1])
    return " ".join(out)


def recognise(rng: Rng, who: Persona, lines: list[Line]) -> tuple[tuple[float, float, str], ...]:
    """Pieces of some 1 to 7 s of what the microphone caught, with errors; shouts are heard worse."""
    out: list[tuple[float, float, str]] = []
    for line in sorted((x for x in lines if x.who in ("me", "room")), key=lambda x: x.at):
        hard = (
            1.0
            + 1.5 * max(line.energy - 0.5, 0)
            + (line.who == "room")
            + 0.6 * (line.mood in ("sing", "crack", "cry"))
        )
        if rng.random() < 0.012 * hard:
            continue
        text = _misheard(rng, line.text, who.errors * hard)
        if not text:
            continue
        if not who.plain:
            text = (
                text[0].upper() + text[1:] + ("" if text[-1] in "?!." else "!" if line.energy > 0.7 else ".")
            )
            text = re.sub(r"\bi\b", "I", text)
        else:
            text = re.sub(r"[?,.!]", "", text)
        a = line.at + rng.normal(0, 0.08)
        b = line.end + rng.normal(0.05, 0.1)
        a = max(a, out[-1][1] if out else 0.0)
        if (
            out
            and a - out[-1][1] < 0.5
            and (out[-1][1] - out[-1][0] < 1.3 or b - a < 1.0)
            and b - out[-1][0] < 7
        ):
            out[-1] = (out[-1][0], round(float(max(b, a + 0.2)), 2), f"{out[-1][2]} {text}")
        else:
            out.append((round(float(a), 2), round(float(max(b, a + 0.3)), 2), text))
    return tuple(out)


def _write(rng: Rng, teller: Teller, topic: str, before: list[str], copied: float) -> str:
    if before and rng.random() < copied:
        return before[int(rng.integers(max(len(before) - 6, 0), len(before)))]
    text = teller.draw(topic)
    shape = rng.random()
    if shape < 0.08:
        return text.upper()
    if shape < 0.14 and topic not in ("reply", "command", "question"):
        return text + text[-1] * int(rng.integers(1, 7))
    if shape < 0.26:
        return f"{text} {teller.draw('emote')}"
    return " ".join([text] * int(rng.integers(2, 4))) if shape < 0.31 and len(text) < 12 else text


def chatter(
    rng: Rng, who: Persona, teller: Teller, script: Script, duration: float
) -> tuple[tuple[float, str], ...]:
    """The chat of the whole stream: its own life, the answers to what happens, the bots."""
    if who.chat_rate == 0:
        return ()
    t = np.arange(0, duration, 0.1)
    knots = np.arange(0, duration + 30, 15)
    quiet = who.chat_rate * np.exp(np.interp(t, knots, rng.normal(0, 0.3, len(knots))))
    bursts = list(script.bursts)
    for at in np.cumsum(rng.exponential(100, 12)):  # the chat's own waves, out of nothing
        topic = str(rng.choice(["laugh", "hype", "talk", "banter", "votes", "emote"]))
        bursts.append(Burst(float(at), float(rng.uniform(0.8, 3)), float(rng.uniform(3, 9)), topic))
    rates = [quiet] + [_wave(t, b) * who.chat_rate for b in bursts]
    found: list[tuple[float, str]] = []
    small = lists()["small_talk"]
    for k, rate in enumerate(rates):
        before: list[str] = []
        topic = bursts[k - 1].topic if k else ""
        copied = bursts[k - 1].copied if k else 0.06
        for step in np.repeat(np.arange(len(t)), rng.poisson(rate * 0.1)):
            kind = topic if k and rng.random() < 0.85 else small[int(rng.integers(len(small)))]
            text = _write(rng, teller, kind, before, copied)
            before.append(text)
            found.append((round(float(t[step] + rng.uniform(0, 0.1)), 2), text))
    every = float(rng.uniform(150, 400))
    bot = [teller.draw("bot") for _ in range(2)]
    found += [
        (round(float(at), 2), bot[k % 2])
        for k, at in enumerate(np.arange(rng.uniform(5, every), duration, every))
    ]
    found += [(round(c.at + 0.3, 2), teller.draw("notice")) for c in script.desk if c.kind == "alert"]
    return tuple(sorted((float(np.clip(at, 0, duration - 0.01)), text) for at, text in found))


def _wave(t: Floats, b: Burst) -> Floats:
    """Up within a second or two, down over `fade` seconds."""
    x = np.maximum(t - b.at, 0)
    return np.asarray(b.gain * (1 - np.exp(-x / 0.9)) * np.exp(-x / b.fade) * 1.4)
