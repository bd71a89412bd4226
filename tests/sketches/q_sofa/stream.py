"""Streams of somebody whose evenings are mixed: ranked shooters, co-op in a call, a sofa, a quiz."""

from __future__ import annotations

import functools

from tests.sketches.q_sofa.chat import make_chat, make_segs
from tests.sketches.q_sofa.mix import make_tracks
from tests.sketches.q_sofa.picture import make_frames
from tests.sketches.q_sofa.plan import make_plan
from tests.sketches.sketch import Sketch, Span


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """The stream of a seed; the same seed and length give the same stream."""
    plan = make_plan(seed, duration_s)
    tracks = make_tracks(plan)
    spans = [
        (e.is_moment, Span(start_s=e.span_s[0], end_s=min(e.span_s[1], duration_s), kind=e.kind))
        for e in plan.events
    ]
    return Sketch(
        duration_s=duration_s,
        mic=tracks.mic,
        desktop=tracks.desktop,
        frames=functools.partial(make_frames, plan),
        segs=make_segs(plan),
        chat=make_chat(plan),
        num_viewers=plan.who.viewers,
        moments=tuple(span for good, span in spans if good),
        decoys=tuple(span for good, span in spans if not good),
    )
