"""Streams of ranked matches in shooters, battle royales and arena games."""

from __future__ import annotations

import numpy as np

from tests.sketches.l_ranked.picture import Show
from tests.sketches.l_ranked.plan import Plan, draw_plan
from tests.sketches.l_ranked.sound import Desk
from tests.sketches.l_ranked.talk import Mic
from tests.sketches.l_ranked.truth import find_spans
from tests.sketches.l_ranked.who import Phrases, Who, table
from tests.sketches.sketch import RATE_HZ, Sketch


def _typed(rng: np.random.Generator, text: str) -> str:
    """As somebody types it: again, longer, in other letters."""
    roll = rng.random()
    if roll < 0.1 and len(text) < 14:
        return " ".join([text] * int(rng.integers(2, 5)))
    if roll < 0.16 and text[-1].isalpha() and len(text) < 10:
        return text + text[-1] * int(rng.integers(1, 6))
    return text.lower() if roll < 0.24 else text.upper() if roll < 0.28 else text


def _make_chat(
    rng: np.random.Generator, who: Who, phrases: Phrases, plan: Plan, duration_s: float
) -> tuple[tuple[float, str], ...]:
    """All messages in order of time."""
    if not who.chat_rate:
        return ()
    lines: list[tuple[float, str]] = []
    topics = table("talk.chat")
    shares = [row[0] for row in topics.values()]
    # The chat's own tides: it wakes and dozes over half minutes.
    tide = np.repeat(rng.gamma(5, 0.2, int(duration_s / 30) + 1), 30)
    for second in range(int(np.ceil(duration_s))):
        for at in second + rng.random(rng.poisson(who.chat_rate * tide[second])):
            lines.append((at, _typed(rng, phrases.pick(str(rng.choice(list(topics), p=shares))))))
    if who.viewers > 40:
        for at in np.arange(rng.uniform(10, 200), duration_s, rng.uniform(120, 320)):
            lines.append((float(at), phrases.pick("c_bot")))
    for cue in plan.cues:
        if cue.lane != "chat":
            continue
        n = rng.poisson(
            cue.level * cue.length * who.chat_rate**0.82 * rng.uniform(1.0, 4.2) + 0.4 * cue.level
        )
        times = cue.at + who.lag_s + 0.8 + rng.gamma(2.0, max(cue.length, 4) / 5, n)
        copied = phrases.pick(cue.what)
        for at in times:
            topic = rng.choice([cue.what, cue.text or "c_emote", "c_base"], p=[0.72, 0.2, 0.08])
            # In a crowd many copy the line above.
            text = (
                copied
                if who.chat_rate > 0.8 and rng.random() < 0.12
                else _typed(rng, phrases.pick(str(topic)))
            )
            lines.append((float(at), text))
    return tuple((round(float(at), 2), text) for at, text in sorted(lines) if 0 <= at < duration_s)


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream by one streamer."""
    rngs = [np.random.default_rng([seed, k]) for k in range(8)]
    num = round(RATE_HZ * duration_s)
    who = Who(rngs[0])
    plan = draw_plan(rngs[1], who, duration_s)
    desk = Desk(rngs[2], who, Phrases(who.lang, rngs[3]))
    desktop = desk.render(plan, num)
    mic = Mic(rngs[4], who, Phrases(who.lang, rngs[5]), plan, num)
    mic.talk()
    segs = mic.heard()
    moments, decoys = find_spans(plan.events, who, mic.laid + desk.laid, duration_s)
    show = Show(rngs[6], who, plan, mic.speaking)
    return Sketch(
        duration_s=duration_s,
        mic=mic.finish(desktop),
        desktop=desktop,
        frames=show.frames,
        segs=segs,
        chat=_make_chat(rngs[7], who, Phrases(who.lang, rngs[7]), plan, duration_s),
        num_viewers=who.viewers,
        moments=moments,
        decoys=decoys,
    )
