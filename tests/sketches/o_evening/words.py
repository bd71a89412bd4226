"""Words: what is said, what a recogniser makes of it, and what the chat writes."""

from __future__ import annotations

import math
import re

import numpy as np

from tests.sketches.o_evening.bank import Bank
from tests.sketches.o_evening.who import Event, Line, Plan

SEG_S = 6.5
SWEARS = re.compile(r"\b(fuck\w*|shit\w*|bitch|ass|damn)\b")
SHORT = 14


def _heard(line: Line, plan: Plan, bank: Bank, rng: np.random.Generator) -> list[str]:
    """The recogniser's words for one line; worse when shouted or sung; laughter at times as ha ha."""
    who = plan.who
    if line.kind == "laugh":
        return ["ha"] * int(rng.integers(2, 6)) if rng.random() < 0.3 else []
    if not line.text or (line.kind == "scream" and rng.random() < 0.45):
        return []
    wrong = who["word_errors"] * (1 + max(0.0, line.loud) / 9 + (line.kind == "sing"))
    swaps = dict(x.split("=") for x in bank.sections["misheard"])
    out: list[str] = []
    for said in re.sub(r"([a-z])\1{2,}", r"\1", line.text).split():
        word, plain = said, said.strip(",.?!").lower()
        if plain in swaps and rng.random() < 2 * wrong:
            word = swaps[plain]
        elif rng.random() < wrong:
            word = bank.pick(rng, "wrong") if rng.random() < 0.55 else ""
        out += [SWEARS.sub("[ __ ]", word) if who.has("censored") else word] if word else []
    return out


def _finish(words: list[str], punctuated: bool) -> str:
    text = " ".join(words)
    if not punctuated:
        return re.sub(r"[,.?!]", "", text).lower()
    text = text[:1].upper() + text[1:]
    return text if text[-1] in ".?!" else text + "."


def segments(plan: Plan, bank: Bank, rng: np.random.Generator) -> tuple[tuple[float, float, str], ...]:
    """Pieces of some 1 to 7 s: lines that follow closely are joined, long ones are split."""
    pieces: list[tuple[float, float, list[str]]] = []
    for line in plan.lines:
        words = _heard(line, plan, bank, rng)
        if not words:
            continue
        a, b = line.start_s, min(line.end_s, plan.duration_s)
        if pieces and a - pieces[-1][1] < rng.uniform(0, 0.6) and b - pieces[-1][0] < rng.uniform(3, SEG_S):
            a, _, before = pieces.pop()
            words = [*before, *words]
        parts = max(1, math.ceil((b - a) / SEG_S))
        cut = [round(k * len(words) / parts) for k in range(parts + 1)]
        for k in range(parts):
            if words[cut[k] : cut[k + 1]]:
                x, y = a + (b - a) * k / parts, a + (b - a) * (k + 1) / parts
                pieces.append((x, y, words[cut[k] : cut[k + 1]]))
    for _ in range(int(rng.poisson(plan.duration_s / 500))):
        at = float(rng.uniform(0, max(plan.duration_s - 2, 0.1)))
        pieces.append((at, at + 1.5, [str(rng.choice(["Thank you.", "you", "Okay.", "Bye."]))]))
    out: list[tuple[float, float, str]] = []
    pieces.sort(key=lambda p: p[0])
    for k, (x, y, words) in enumerate(pieces):
        start = max(x - float(rng.uniform(0, 0.2)), out[-1][1] if out else 0.0)
        following = pieces[k + 1][0] - 0.2 if k + 1 < len(pieces) else plan.duration_s
        end = min(max(y + float(rng.uniform(-0.1, 0.3)), start + 1.0), max(following, y), plan.duration_s)
        if end - start > 0.2:
            out.append((round(start, 2), round(end, 2), _finish(words, plan.who.has("punctuated"))))
    return tuple(out)


def _typed(text: str, rng: np.random.Generator) -> str:
    """As a viewer types it: capitals, drawn-out letters, a repeated emote, a slip of the finger."""
    roll = rng.random() * (1 if len(text) < SHORT else 1.6)
    if " " not in text and roll < 0.2:
        return " ".join([text] * int(rng.integers(2, 6)))
    if roll < 0.27:
        return text.upper()
    if roll < 0.38 and text[-1:].isalpha() and len(text) < SHORT:
        return text + text[-1] * int(rng.integers(1, 7))
    if roll < 0.43 and len(text) > 5:
        k = int(rng.integers(1, len(text) - 2))
        return text[:k] + text[k + 1] + text[k] + text[k + 2 :]
    return text.lower() if roll < 0.6 and " " in text else text


def _answers(plan: Plan, wave: Event, bank: Bank, rng: np.random.Generator) -> list[tuple[float, str]]:
    """A wave: the stream's delay, then typing; many write the same; it thins out over some ten seconds."""
    per_s = plan.who.chat_per_min / 60
    count = int(rng.poisson(wave.size * (per_s * rng.uniform(14, 55) + rng.uniform(0.2, 2.2))))
    shared = bank.pick(rng, "chat." + wave.name)
    same = float(rng.uniform(0.1, 0.5)) if wave.name != "pasta" else 0.9
    out = []
    lags = plan.who["latency_s"] + rng.gamma(1.8, 1.1, count)
    lags += rng.exponential(2.5, count) * (rng.random(count) < 0.6)
    for lag in lags:
        text = shared if rng.random() < same else bank.pick(rng, "chat." + wave.name)
        out.append((wave.at_s + float(lag), text if wave.name in ("pasta", "join") else _typed(text, rng)))
    return out


def chatter(plan: Plan, bank: Bank, rng: np.random.Generator) -> tuple[tuple[float, str], ...]:
    """The chat of the evening: talk that swells and ebbs, bots, commands, and answers to what happens."""
    who, d = plan.who, plan.duration_s
    if not who.chat_per_min:
        return ()
    out: list[tuple[float, str]] = []
    kinds = ["idle", who.genre, "question", "emotes", "fun", "hello"]
    swell = np.exp(np.cumsum(rng.normal(0, 0.22, int(d / 10) + 1)))
    swell = np.clip(swell / swell.mean(), 0.3, 2.5)
    for k, rate in enumerate(swell):
        times = 10 * k + rng.uniform(0, 10, rng.poisson(who.chat_per_min / 6 * rate * 0.8))
        for t in times:
            section = str(rng.choice(kinds, p=[0.34, 0.22, 0.12, 0.18, 0.08, 0.06]))
            text = _typed(bank.pick(rng, "chat." + section), rng)
            if rng.random() < 0.08:
                text = f"@{bank.pick(rng, 'names')} {text}"
            out.append((float(t), text))
            if rng.random() < 0.012:
                command = bank.pick(rng, "commands").split(" => ")
                out += [(float(t) + 0.8, command[0]), (float(t) + 1.6, command[1])]
    every = float(rng.uniform(200, 900))
    out += [(float(t), bank.pick(rng, "bot")) for t in np.arange(rng.uniform(10, every), d, every)]
    for wave in plan.waves:
        out += _answers(plan, wave, bank, rng)
    return tuple((round(t, 2), text) for t, text in sorted(out) if 0 <= t < d)
