"""A maker of gaming streams of every sort: each seed is another streamer with a game and habits of its own."""

from __future__ import annotations

import numpy as np

from tests.sketches.n_habits.habits import draw_streamer, make_plan
from tests.sketches.n_habits.picture import Painter
from tests.sketches.n_habits.sound import Mixer
from tests.sketches.n_habits.truth import find_signs, find_spans
from tests.sketches.n_habits.words import Crowd, Talker, hear
from tests.sketches.sketch import Sketch


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream: who streams is drawn first, then what comes to pass, and from that all that is heard and seen."""
    who = draw_streamer(np.random.default_rng([seed, 1]))
    plan = make_plan(seed, who, duration_s)
    talker = Talker(seed, who, plan)
    lines = talker.talk()
    mixer = Mixer(seed, who, plan, lines)
    desktop = mixer.desktop()
    parts = zip(plan.deeds, talker.acts, mixer.laid, Painter(seed, who, plan, lines).laid, strict=True)
    moments, decoys = find_spans(plan.deeds, [find_signs(who, plan, *part) for part in parts], duration_s)
    return Sketch(
        duration_s=duration_s,
        mic=mixer.microphone(desktop),
        desktop=desktop,
        frames=lambda: Painter(seed, who, plan, lines).paint(),
        segs=hear(seed, who, lines, duration_s),
        chat=Crowd(seed, who, plan).write(lines),
        num_viewers=who.num_viewers,
        moments=moments,
        decoys=decoys,
    )
