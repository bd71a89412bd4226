"""The chat: idle lines in an uneven flow, bots, and answers that come some seconds after what happened."""

from __future__ import annotations

import numpy as np

from tests.sketches.h_scares.lore import Lore
from tests.sketches.h_scares.plan import Persona, Plan

Line = tuple[float, str]


def _slang(rng: np.random.Generator, lore: Lore, topic: str) -> tuple[str, ...]:
    """What this chat says on a topic: some of the lines, each with a weight of its own."""
    lines = lore.lines["chat " + topic]
    weights = rng.lognormal(0, 0.5 if topic == "idle" else 1.0, len(lines))
    weights[rng.random(len(lines)) < 0.3] = 1e-6
    return tuple(rng.choice(lines, size=200, p=weights / weights.sum()).tolist())


def _said(rng: np.random.Generator, lore: Lore, line: str) -> str:
    """A line as one viewer types it."""
    line = lore.filled(rng, line)
    draw = rng.random()
    if draw < 0.05:
        return line.upper()
    if draw < 0.09 and line[-1:].isalpha():
        return line + line[-1] * int(rng.integers(2, 9))
    if draw < 0.12:
        return f"{line} {line}"
    return line


def _idle_times(rng: np.random.Generator, per_s: float, duration_s: float) -> list[float]:
    """An uneven flow: each five seconds busier or quieter than the last, as talk catches on and dies."""
    steps = int(np.ceil(duration_s / 5))
    drift = np.zeros(steps)
    for step in range(1, steps):
        drift[step] = 0.8 * drift[step - 1] + rng.normal(0, 0.35)
    counts = rng.poisson(per_s * 5 * np.exp(drift - 0.15))
    return [float(5 * step + at) for step in range(steps) for at in rng.uniform(0, 5, counts[step])]


def _burst_times(rng: np.random.Generator, persona: Persona, at_s: float, strength: float) -> list[float]:
    """Answers to something: after the delay of the stream and of the fingers, then thinning out."""
    wanted = strength * (rng.uniform(0.4, 2.2) + persona["chat_per_s"] * rng.uniform(12, 38))
    number = min(int(rng.poisson(wanted)), 1 + int(persona["viewers"]) // 2)
    lags = persona["lag_s"] + rng.gamma(2.0, rng.uniform(0.9, 2.6), number)
    return [float(at_s + lag) for lag in lags]


def converse(
    rng: np.random.Generator, persona: Persona, lore: Lore, plan: Plan, duration_s: float
) -> tuple[Line, ...]:
    """The whole chat, in order; empty where the streamer has none."""
    if not persona["chat_per_s"]:
        return ()
    lines: list[Line] = []
    topics = [key.removeprefix("chat ") for key in lore.lines if key.startswith("chat ")]
    slang = {topic: _slang(rng, lore, topic) for topic in topics}
    for at in _idle_times(rng, persona["chat_per_s"], duration_s):
        topic = "meh" if rng.random() < 0.12 else "laugh" if rng.random() < 0.06 else "idle"
        lines.append((at, slang[topic][int(rng.integers(200))]))
    for cue in plan.cues:
        topic, strength = (cue.what, cue.amount) if cue.verb == "chat" else ("laugh", 0.0)
        if cue.verb == "say" and cue.what in ("laugh", "scream", "shout") and rng.random() < 0.5:
            strength = 0.12  # Viewers laugh with a laugh, whatever it is about.
        times = _burst_times(rng, persona, cue.at, strength)
        lines += [(at, slang[topic][int(rng.integers(200))]) for at in times]
    typed = [(at, _said(rng, lore, line)) for at, line in lines]
    every = float(rng.uniform(90, 420))
    bots = np.arange(rng.uniform(0, every), duration_s, every)
    typed += [(float(at), lore.line(rng, "chat bot")) for at in bots]
    return tuple(sorted((round(at, 2), text) for at, text in typed if at < duration_s - 0.01))
