"""Phrases, what the recogniser makes of them, and what the chat writes."""

from __future__ import annotations

import pathlib
import re

import numpy as np

from tests.sketches.g_living.plan import Beat, Persona, Rng
from tests.sketches.g_living.voice import Utterance

TABLE = pathlib.Path(__file__).with_name("words.txt")
Seg = tuple[float, float, str]
# Sections of speech that only English has; other tongues say it with "talk" or "react".
CALM = ("talk", "lead", "past", "quarrel", "check", "raid", "alert", "giveaway", "pet", "cough")
SLIPS = {
    "oh": "a",
    "no": "now",
    "let's": "less",
    "go": "though",
    "clip": "click",
    "he's": "his",
    "i'm": "am",
    "it's": "its",
    "what": "but",
    "god": "got",
    "they": "day",
    "four": "for",
    "raid": "rate",
    "sub": "sob",
    "won": "one",
    "shot": "shop",
    "chat": "check",
    "bits": "beets",
}


class Phrases:
    """The tables of words.txt."""

    def __init__(self) -> None:
        self.tables: dict[str, list[str]] = {}
        self.lately: dict[str, int] = {}
        for line in TABLE.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                rows = self.tables.setdefault(line.strip("[]"), [])
            elif line and not line.startswith("#"):
                rows.append(line)

    def pick(self, rng: Rng, section: str, lang: str) -> str:
        """A phrase of a section in a language, its slots filled."""
        if lang != "en":
            section = "talk" if section in CALM else "react"
        return self.fill(rng, f"{section}.{lang}")

    def fill(self, rng: Rng, table: str) -> str:
        """A phrase of a table by its whole name."""
        rows = self.tables[table]
        at = int(rng.integers(len(rows)))
        if at == self.lately.get(table):  # people seldom say the same twice running
            at = (at + 1) % len(rows)
        self.lately[table] = at
        text = rows[at]

        def slot(found: re.Match[str]) -> str:
            names = self.tables[f"slot.{found[1]}"]
            return names[int(rng.integers(len(names)))]

        return re.sub(r"\{(\w+)\}", slot, text)

    @staticmethod
    def syllables(text: str) -> int:
        """About how many syllables a phrase has."""
        return max(1, len(re.findall(r"[aeiouyáéíóúäöüàèêâãõ]+", text.lower())) - text.count("e ") // 2)


def misheard(rng: Rng, text: str, hearing: float) -> str:
    """The text with words dropped, doubled or taken for others; loud and unclear words more than others."""
    out: list[str] = []
    for word in text.split():
        if rng.random() < hearing:
            out.append(word)
        elif rng.random() < 0.5:
            out.append(SLIPS.get(word, word[:-1] or word))
        elif rng.random() < 0.25:
            out += [word, word]
    return " ".join(out)


def segments(rng: Rng, words: Phrases, who: Persona, said: list[Utterance]) -> tuple[Seg, ...]:
    """What the recogniser writes, in order."""
    heard: list[Seg] = []
    at_s = 0.0
    for line in said:
        if line.start_s - at_s > 12.0 and rng.random() < 0.15:
            from_s = at_s + float(rng.uniform(1, 8))
            heard.append((from_s, from_s + float(rng.uniform(0.6, 2.0)), words.fill(rng, "heard.en")))
        at_s = line.end_s
        laughed = line.style == "laugh" and rng.random() < 0.3
        if laughed or (line.style == "scream" and rng.random() < 0.35):
            heard.append((line.start_s, line.end_s, "Haha." if laughed else "Ah!"))
        clear = who.hearing - 0.25 * max(0.0, line.effort - 0.6) - 0.15 * who.echo
        if not line.heard or rng.random() > 0.8 + 0.19 * clear:
            continue
        text = misheard(rng, line.text, clear)
        if text:
            mark = "!" if line.effort > 0.7 and rng.random() < 0.6 else "." if rng.random() < 0.8 else ","
            heard.append((line.start_s, line.end_s, text[0].upper() + text[1:] + mark))
    return tuple(_joined(rng, who, heard))


def _joined(rng: Rng, who: Persona, heard: list[Seg]) -> list[Seg]:
    """Neighbours put together as the recogniser does, the edges a little off, none over another."""
    most_s = 14.0 if who.joins else 4.0
    out: list[Seg] = []
    for start_s, end_s, text in heard:
        if out and start_s - out[-1][1] < (1.0 if who.joins else 0.25) and end_s - out[-1][0] < most_s:
            out[-1] = (out[-1][0], end_s, f"{out[-1][2]} {text}")
            continue
        begin_s = max(start_s + float(rng.normal(0.0, 0.12)), out[-1][1] if out else 0.0)
        out.append(
            (round(begin_s, 2), round(max(end_s + float(rng.normal(0.05, 0.12)), begin_s + 0.2), 2), text)
        )
    return [
        (a, round(min(b, out[i + 1][0]), 2) if i + 1 < len(out) else round(b, 2), t)
        for i, (a, b, t) in enumerate(out)
    ]


def chat(
    rng: Rng, words: Phrases, who: Persona, beats: list[Beat], duration_s: float
) -> tuple[tuple[float, str], ...]:
    """Messages in order; none where the stream has no chat."""
    if who.chat_rate == 0.0:
        return ()
    log: list[tuple[float, str]] = []
    wander = np.exp(np.cumsum(rng.normal(0, 0.12, int(duration_s // 5) + 2)) * 0.7)
    wander /= wander.mean()
    for index, level in enumerate(wander):
        for _ in range(int(rng.poisson(min(who.chat_rate * level, 12.0) * 5.0))):
            log.append((5.0 * index + 5.0 * float(rng.random()), words.fill(rng, "chat.talk")))
    for _ in range(int(rng.poisson(duration_s / 80.0))):
        log += _burst(rng, words, who, float(rng.random()) * duration_s, 6.0, "chat.talk", 1.2)
    if rng.random() < 0.6:
        every_s = float(rng.uniform(120, 400))
        log += [
            (float(t), words.fill(rng, "chat.bot"))
            for t in np.arange(rng.uniform(0, every_s), duration_s, every_s)
        ]
    for beat in beats:
        log += _answer(rng, words, who, beat)
    return tuple(sorted((round(t, 2), text) for t, text in log if 0.0 <= t < duration_s))


def _answer(rng: Rng, words: Phrases, who: Persona, beat: Beat) -> list[tuple[float, str]]:
    """What the chat makes of a beat."""
    if beat.moment:
        strength = beat.sign("chat")
        at_s = beat.peak_s + who.lag_s
        return _burst(rng, words, who, at_s, beat.react_s - beat.peak_s, f"chat.{beat.kind}", 9.0 * strength)
    long_s = beat.end_s - beat.start_s
    table = {"subtrain": "alert", "question": "ask"}.get(beat.kind, beat.kind)
    times = {"raid": 6.0, "giveaway": 8.0, "spam": 5.0, "question": 4.0, "subtrain": 3.0, "alert": 0.8}
    if beat.kind not in times:
        odd = rng.random() < 0.25
        return _burst(rng, words, who, beat.peak_s + who.lag_s, long_s, "chat.talk", 1.2) if odd else []
    if beat.kind == "spam":  # mostly one thing, pasted by all
        line = words.fill(rng, "chat.spam")
        log = _burst(rng, words, who, beat.start_s, long_s, "chat.spam", times["spam"])
        return [(t, line if rng.random() < 0.8 else text) for t, text in log]
    lag_s = who.lag_s if beat.kind in ("question", "giveaway") else 1.0
    return _burst(
        rng, words, who, beat.start_s + lag_s, long_s, f"chat.{table}", times[beat.kind] * beat.size
    )


def _burst(
    rng: Rng, words: Phrases, who: Persona, at_s: float, long_s: float, table: str, times: float
) -> list[tuple[float, str]]:
    """Messages that come quickly and then trail off; a small chat gives one or two, a large one is capped."""
    mean = min(who.chat_rate * times * long_s * 0.8 + min(times, 6.0) * 0.35, 10.0 * long_s)
    num = int(rng.poisson(mean))
    after = rng.gamma(1.6, max(long_s, 3.0) / 3.2, num)
    log = []
    for delay in after:
        text = words.fill(rng, table if rng.random() < 0.85 else "chat.talk")
        if rng.random() < 0.12:
            text = text.upper() if rng.random() < 0.5 else f"{text} {text}"
        log.append((at_s + float(delay), text))
    return log
