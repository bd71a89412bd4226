"""The chat: talk that ebbs and flows, bots, and answers that come some seconds after what moved it."""

from __future__ import annotations

import numpy as np

from tests.sketches.i_laps.cast import Cast, line_of

Chat = tuple[tuple[float, str], ...]
_SLOW = ("argue", "raffle", "raid", "bet", "pasta")


def chat_of(
    cast: Cast, bursts: list[tuple[float, str, float]], duration_s: float, rng: np.random.Generator
) -> Chat:
    """Every message, in order of time."""
    if cast.chat_rate == 0:
        return ()
    found: list[tuple[float, str]] = []
    for i, wave in enumerate(rng.lognormal(0, 0.35, int(duration_s / 20) + 1)):
        times = 20 * (i + rng.random(rng.poisson(20 * cast.chat_rate * wave)))
        pools = rng.choice(["talk", "lul", "few", "pasta"], len(times), p=[0.84, 0.09, 0.06, 0.01])
        found += [(at_s, _typed(pool, cast, rng)) for at_s, pool in zip(times, pools, strict=True)]
    bots = np.arange(rng.uniform(10, 200), duration_s, rng.uniform(90, 400))
    found += [(at_s, line_of("chat.bot", cast.language, rng)) for at_s in bots]
    # Now and then the chat laughs at something of its own.
    own = rng.uniform(0, duration_s, rng.poisson(duration_s / 150))
    for at_s, pool, much in [*bursts, *((at_s, "lul", rng.uniform(0.05, 0.25)) for at_s in own.tolist())]:
        count = rng.poisson(much * (cast.chat_rate * rng.uniform(40, 150) + 1.5))
        # A steep rise after the delay of the stream, and a slow fall.
        slow_s = 5.0 if pool in _SLOW else rng.uniform(1.3, 3.5)
        times, favourite = at_s + cast.latency_s + rng.gamma(2.0, slow_s, count), _typed(pool, cast, rng)
        for then_s, draw in zip(times, rng.random(count), strict=True):
            line = favourite if draw < 0.27 else _typed(pool if draw < 0.9 else "talk", cast, rng)
            found.append((then_s, line))
    return tuple(sorted((round(float(at_s), 2), text) for at_s, text in found if at_s < duration_s - 0.01))


def _typed(pool: str, cast: Cast, rng: np.random.Generator) -> str:
    """A line as one of many typists would have it."""
    line, draw = line_of(f"chat.{pool}", cast.language, rng), rng.random()
    if draw < 0.06 and len(line) < 12:
        return " ".join([line] * int(rng.integers(2, 5)))
    if draw < 0.12 and len(line) < 12:
        return line + line[-1] * int(rng.integers(2, 7))
    return line.upper() if draw < 0.18 else line.lower() if draw < 0.26 else line
