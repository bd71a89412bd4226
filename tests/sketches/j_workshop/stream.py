"""Streams of people who make things before a camera: cooks, bakers, solderers, painters, builders."""

import numpy as np

from tests.sketches.guide import kept_apart
from tests.sketches.j_workshop.plan import lay_out
from tests.sketches.j_workshop.reel import Maker, Reel
from tests.sketches.j_workshop.view import View
from tests.sketches.j_workshop.words import Rng, pick
from tests.sketches.sketch import FRAMES_PER_S, Sketch, Span

_Segs = list[tuple[float, float, str]]
_LONGEST_SEG_S = 7.0


def _tidied(rng: Rng, segs: _Segs, duration_s: float) -> _Segs:
    """In order, none overlapping, short neighbours at times put together, and words heard in mere noise."""
    ghosts = float(rng.choice([0.0, 0.0, 0.1, 0.4]))
    for at in rng.uniform(0.0, duration_s, rng.poisson(ghosts * duration_s / 60.0)):
        segs.append((float(at), float(at) + 1.5, pick(rng, "ghost").capitalize() + "."))
    out: _Segs = []
    for from_s, to_s, text in sorted(segs):
        start = max(from_s, out[-1][1] if out else 0.0)
        end = min(to_s, duration_s, start + _LONGEST_SEG_S)
        if end - start < 0.3:
            continue
        if out and start - out[-1][1] < 0.5 and end - out[-1][0] < _LONGEST_SEG_S and rng.random() < 0.6:
            out[-1] = (out[-1][0], end, f"{out[-1][2]} {text}")
        else:
            out.append((start, end, text))
    return [(round(start, 2), round(end, 2), text) for start, end, text in out]


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """One stream by one streamer."""
    maker = Maker(np.random.default_rng([seed, 1]))
    events = lay_out(np.random.default_rng([seed, 2]), maker.traits, duration_s)
    reel = Reel(np.random.default_rng([seed, 3]), maker, duration_s)
    reel.work()
    told: tuple[list[Span], list[Span]] = ([], [])
    for event in events:
        told[not event.is_moment].append(reel.play(event))
    moments, decoys = kept_apart(*told)
    reel.talk()
    mic, desktop = reel.sounds()
    chat = sorted((round(at, 2), text) for at, text in reel.chat if 0.0 <= at < duration_s - 0.01)
    curves = reel.curves
    ats = [at for at, _ in chat]
    curves["messages"][:] = np.searchsorted(ats, np.arange(curves["messages"].size) / FRAMES_PER_S)
    curves["hands"] *= 1.0 - 0.9 * np.minimum(1.0, curves["still"])
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=View(seed, curves).frames,
        segs=tuple(_tidied(np.random.default_rng([seed, 4]), reel.segs, duration_s)),
        chat=tuple(chat),
        num_viewers=maker.crowd.viewers,
        moments=moments,
        decoys=decoys,
    )
