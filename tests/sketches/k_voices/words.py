"""What a recogniser makes of the streamer's lines, and what the viewers write."""

from __future__ import annotations

import functools

import numpy as np

from tests.sketches.k_voices.plan import Plan
from tests.sketches.k_voices.script import Cast, script
from tests.sketches.k_voices.voice import Line

Seg = tuple[float, float, str]


@functools.cache
def _alike() -> dict[str, list[str]]:
    """The words of the script by their first two letters."""
    alike: dict[str, list[str]] = {}
    for word in sorted({word for lines in script().say.values() for line in lines for word in line.split()}):
        alike.setdefault(word[:2], []).append(word)
    return alike


def _heard(line: Line, error_rate: float, rng: np.random.Generator) -> list[str]:
    """The words with a recogniser's slips, more of them where the voice is strained."""
    rate = error_rate * (1.8 if line.effort > 0.75 else 1.0)
    words, alike = [], _alike()
    for word in line.text.split():
        dice = rng.random()
        if dice > rate:
            words.append(word)
        elif dice > 0.45 * rate:
            words.append(str(rng.choice(alike.get(word[:2], [word]))))
    return words


def make_segs(plan: Plan, seed: int, leaks: bool) -> list[Seg]:
    """The streamer's lines as pieces of up to seven seconds; some microphones hear a loud friend as well."""
    rng = np.random.default_rng([seed, 3])
    error_rate, tidy = float(rng.uniform(0.01, 0.22)), rng.random() < 0.5
    pieces: list[tuple[float, float, list[str]]] = []
    for line in plan.lines:
        own = line.who == 0 or (leaks and line.effort > 0.6 and rng.random() < 0.25)
        free = not pieces or line.at_s >= pieces[-1][1]
        if not own or not free:
            continue
        words = _heard(line, error_rate if line.who == 0 else 0.4, rng)
        if line.how == "laugh" and rng.random() < 0.2:
            words = ["ha"] * int(rng.integers(2, 6))
        if not words:
            continue
        end = line.at_s + line.length_s
        if pieces and line.at_s - pieces[-1][1] < 0.7 and end - pieces[-1][0] < 7 and rng.random() < 0.7:
            pieces[-1] = (pieces[-1][0], end, pieces[-1][2] + words)
        else:
            pieces.append((line.at_s, end, words))
    segs: list[Seg] = []
    for start, end, words in pieces:
        text = " ".join(words)
        if tidy:
            text = text[0].upper() + text[1:] + ("?" if words[0] in ("who", "what", "where", "why") else ".")
        early = max(start - abs(float(rng.normal(0, 0.08))), segs[-1][1] if segs else 0.0)
        segs.append((round(early, 2), round(max(end, early + 0.3), 2), text))
    return segs


def _message(cast: Cast, own: str, topic: str, rng: np.random.Generator) -> str:
    """One message: as listed, or with an emote of this channel, longer, louder or mistyped."""
    text = cast.fill(str(rng.choice(script().chat[topic])), rng)
    dice = rng.random()
    if topic in ("laugh", "no", "hype", "heart", "fail", "scare", "sub", "raid"):
        if dice < 0.25:
            emote = own + {"laugh": "Lol", "heart": "Love", "hype": "Hype", "raid": "Wave"}.get(topic, "Rip")
            return " ".join([emote] * int(rng.integers(1, 5)))
        return text + text[-1] * int(rng.integers(1, 7)) if dice < 0.45 else text
    cut = int(rng.integers(1, len(text) + 1))
    return text[:cut] + text[cut + 1 :] if dice < 0.06 else text


def make_chat(cast: Cast, plan: Plan, seed: int, duration_s: float) -> list[tuple[float, str]]:
    """Small talk that swells and ebbs, a bot now and then, and waves some seconds after what set them off."""
    if cast.chat_per_s == 0:
        return []
    rng = np.random.default_rng([seed, 4])
    written: list[tuple[float, str]] = []
    rate, lag_s, own = cast.chat_per_s, float(rng.uniform(2, 7)), str(rng.choice(script().fillings["emote"]))
    swell = np.exp(np.cumsum(rng.normal(0, 0.2, int(duration_s / 10) + 1)).clip(-0.7, 0.7))
    for i, level in enumerate(swell):
        for at in rng.uniform(10 * i, 10 * i + 10, rng.poisson(5 * rate * level)):
            topic = rng.choice(["talk", "question", "laugh", "sus", "hype"], p=(0.74, 0.08, 0.12, 0.04, 0.02))
            written.append((float(at), str(topic)))
    period = float(rng.uniform(150, 400))
    written += [(float(at), "bot") for at in np.arange(rng.uniform(0, period), duration_s, period)]
    for wave in plan.cues["chat"]:
        eager = float(rng.lognormal(0, 0.35)) * wave.strength
        count = rng.poisson(eager * (1.2 + 14 * rate**0.85) if rate > 0.05 else eager * 1.4)
        first = wave.at_s + lag_s * float(rng.uniform(0.75, 1.3))
        # Emotes come at once, typed words later; the wave dies away over some seconds.
        for late in rng.gamma(1.6, 2.2, count):
            topic = wave.name if rng.random() < 0.85 else "talk"
            written.append((first + float(late), topic))
    kept = sorted((round(at, 2), topic) for at, topic in written if 0 <= at < duration_s)
    return [(at, _message(cast, own, topic, rng)) for at, topic in kept]
