"""What the chat writes: its usual trickle, bots and spam, and its late answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.sketches.p_variety.script import Sign, Streamer
from tests.sketches.p_variety.words import CHATTED, Deck

SOONEST_S, LATEST_S = 2.0, 10.0
MOST = 160


def _styled(text: str, rng: np.random.Generator) -> str:
    """The line as somebody types it: now and then repeated, loud or with a slip."""
    luck = rng.random()
    if luck < 0.12 and len(text) < 10:
        return " ".join([text] * int(rng.integers(2, 5)))
    if luck < 0.2:
        return text.upper()
    if luck < 0.26 and len(text) > 3:
        at = int(rng.integers(1, len(text) - 1))
        return text[:at] + text[at + 1 :]
    return text


def make_chat(
    who: Streamer, signs: Sequence[Sign], duration_s: float, seed: int
) -> tuple[tuple[float, str], ...]:
    """The chat in order; nothing where the streamer has none."""
    if not who.has_chat:
        return ()
    rng = np.random.default_rng([seed, 41])
    deck = Deck(who.game, np.random.default_rng([seed, 42]), CHATTED)
    rows: list[tuple[float, str]] = []
    per_s = min(5.0, 0.010 * who.viewers**0.62)
    for at_s in rng.uniform(0, duration_s, rng.poisson(per_s * duration_s)):
        rows.append((float(at_s), _styled(deck.draw("spam" if rng.random() < 0.06 else "idle"), rng)))
    bursts = [(s.at_s, s.name, s.strength) for s in signs if s.what == "chat"]
    for at_s in rng.uniform(0, duration_s, rng.poisson(duration_s / 250)):
        bursts.append(
            (float(at_s), str(rng.choice(["funny", "spam", "idle"])), float(rng.uniform(0.1, 0.45)))
        )
    eager = float(rng.uniform(0.5, 1.3))
    for at_s, topic, strength in bursts:
        count = min(MOST, rng.poisson(eager * strength * (0.6 + 0.25 * who.viewers**0.7)))
        for late_s in SOONEST_S + rng.gamma(2.0, 1.3, count):
            text = deck.draw(topic if rng.random() < 0.9 else "idle")
            rows.append((at_s + min(LATEST_S, float(late_s)), _styled(text, rng)))
    at_s = float(rng.uniform(20, 200))
    while at_s < duration_s:
        rows.append((at_s, deck.draw("bot")))
        at_s += float(rng.uniform(150, 300))
    return tuple(sorted((round(a, 2), text) for a, text in rows if a < duration_s))
