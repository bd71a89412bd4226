"""An ordinary evening of a variety streamer who plays alone before a camera.

Each seed is one of five sorts of game: adventure, roguelike, ball sport, platformer, survival.

What makes the streamer glad, angry, startled and amused is in `moments`, what only looks like it in `decoys`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.sketches.p_variety.audience import make_chat
from tests.sketches.p_variety.desktop import heats, make_desktop
from tests.sketches.p_variety.microphone import make_mic
from tests.sketches.p_variety.picture import make_frames
from tests.sketches.p_variety.plan import make_plan
from tests.sketches.p_variety.script import Sign, draw_streamer
from tests.sketches.p_variety.words import misheard
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sketch


def _segs(signs: Sequence[Sign], duration_s: float, seed: int) -> tuple[tuple[float, float, str], ...]:
    """What a recogniser makes of the voice: lines with wrong words, laughter and screams at times too."""
    rng = np.random.default_rng([seed, 51])
    rows: list[tuple[float, float, str]] = []
    for sign in signs:
        text = ""
        if sign.what == "say":
            text = misheard(sign.text, rng)
        elif sign.what == "laugh" and sign.for_s > 1.0 and rng.random() < 0.3:
            text = " ".join(["Ha"] * int(rng.integers(2, 6))) + "."
        elif sign.what == "cry" and sign.name == "scream" and rng.random() < 0.5:
            text = "Ah!"
        if text:
            start_s = max(0.0, sign.at_s + float(rng.normal(0, 0.06)), rows[-1][1] if rows else 0.0)
            end_s = min(duration_s, max(start_s + 0.1, sign.end_s + float(rng.normal(0, 0.08))))
            if start_s < end_s:
                rows.append((round(start_s, 3), round(end_s, 3), text))
    return tuple(rows)


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """The stream of a seed."""
    who = draw_streamer(seed)
    plan = make_plan(who, duration_s, seed)
    heat = heats(plan.signs, plan.calm)
    desktop = make_desktop(who, plan.signs, heat, round(RATE_HZ * duration_s), seed)
    return Sketch(
        duration_s=duration_s,
        mic=make_mic(who, plan.signs, desktop, heat, seed),
        desktop=desktop,
        frames=make_frames(who, plan.signs, heat, round(FRAMES_PER_S * duration_s), seed),
        segs=_segs(plan.signs, duration_s, seed),
        chat=make_chat(who, plan.signs, duration_s, seed),
        num_viewers=who.viewers,
        moments=plan.spans(True),
        decoys=plan.spans(False),
    )
