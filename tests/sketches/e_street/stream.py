"""Streams by a sound engineer who goes outdoors: streets, kitchens, workshops, music, chess, talk, seldom games.

Gain control, wind, rooms and hand-held cameras hide much of the level; a moment is often laughter or another way of
speaking. An editor's cut, from the sentence that sets a moment up to the last breath of what answers it, has its
place in the plan; the moment itself is shorter.
Invariant: moments and decoys lie at least 8 s apart, and a seed gives one stream.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tests.sketches.e_street.parts import Rng, rows
from tests.sketches.e_street.picture import draw_pictures
from tests.sketches.e_street.record import recognise, record, write_chat
from tests.sketches.e_street.stage import Stage
from tests.sketches.e_street.times import fill_scenery, play_cue, play_moment, play_ordinary
from tests.sketches.guide import kept_apart
from tests.sketches.sketch import FRAMES_PER_S, RATE_HZ, Sketch, Span

APART_S = 8.6


class _Part(NamedTuple):
    """A moment or a decoy; a cut is how far it starts before the lead (or within it) and ends after the answer."""

    kind: str
    is_moment: bool
    cut_in_s: float
    lead_s: float
    answer_s: float
    cut_out_s: float

    @property
    def span_s(self) -> float:
        """How long it is when cut."""
        return self.lead_s + self.answer_s - self.cut_in_s + self.cut_out_s

    @property
    def room_s(self) -> float:
        """What it takes from the stream, with the distance to the next."""
        return max(0, -self.cut_in_s) + self.lead_s + self.answer_s + max(0, self.cut_out_s) + APART_S

    def scaled(self, share: float) -> _Part:
        """The same, each of its times shorter by a share."""
        times_s = (self.cut_in_s, self.lead_s, self.answer_s, self.cut_out_s)
        return _Part(self.kind, self.is_moment, *(share * time_s for time_s in times_s))


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """Return the stream of this seed; 3 to 10 moments in ten minutes, none where it is shorter than 45 s."""
    rng = np.random.default_rng([seed, 5305])
    stage = Stage(rng, duration_s)
    parts, left_s = _plan(rng, stage.genre, duration_s)
    rests_s = left_s * rng.dirichlet(np.ones(len(parts) + 1))
    told, spans = list[Span](), list[Span]()
    free_s, done_s = 2.0, 0.0
    for rest_s, part in zip(rests_s, parts, strict=False):
        start_s = free_s + rest_s + max(0.0, -part.cut_in_s)
        play_ordinary(stage, done_s, start_s - 0.3)
        done_s = start_s + part.lead_s + part.answer_s
        if part.is_moment:
            told.append(play_moment(stage, part.kind, start_s, part.lead_s, part.answer_s))
        else:
            for cue in rows("decoys")[part.kind][3:]:
                play_cue(stage, cue, start_s, done_s)
            spans.append(Span(start_s=start_s, end_s=done_s, kind=part.kind))
        free_s = done_s + max(0.0, part.cut_out_s) + APART_S
    moments, decoys = kept_apart(told, spans, decoy_s=3.0, spare_s=0.001)
    play_ordinary(stage, done_s, duration_s)
    fill_scenery(stage)
    segs, chat = recognise(stage), write_chat(stage)
    mic, desktop = record(stage, "mic"), record(stage, "desktop")
    num_pictures = round(duration_s * FRAMES_PER_S)
    loud = np.resize(np.abs(mic), (num_pictures, RATE_HZ // FRAMES_PER_S)).mean(axis=1)
    return Sketch(
        duration_s=duration_s,
        mic=mic,
        desktop=desktop,
        frames=functools.partial(draw_pictures, seed, stage.shown, stage.camera, loud),
        segs=segs,
        chat=chat,
        num_viewers=stage.num_viewers,
        moments=tuple(moments),
        decoys=tuple(decoys),
    )


def _plan(rng: Rng, genre: str, duration_s: float) -> tuple[list[_Part], float]:
    """Moments and decoys in their order, and the time left."""
    parts: list[_Part] = []
    moments = rows("moments")
    decoys = {kind: row for kind, row in rows("decoys").items() if row[1] == "*" or genre in row[1]}
    num_moments = max(1, round(int(rng.integers(3, 11)) * duration_s / 600)) if duration_s >= 45 else 0
    style = rng.normal(0, 0.6)
    num_decoys = int(rng.integers(num_moments, num_moments + 5)) if num_moments else 0
    for number in range(num_moments + num_decoys):
        is_moment = number < num_moments
        choice = moments if is_moment else decoys
        weights = np.array([float(row[0]) for row in choice.values()])
        if not is_moment:  # a decoy seldom comes twice
            drawn = [part.kind for part in parts]
            weights *= [0.3 ** drawn.count(kind) for kind in choice]
        kind = str(rng.choice(list(choice), p=weights / weights.sum()))
        if is_moment:
            parts.append(_draw_moment(rng, kind, choice[kind], style))
        else:
            parts.append(_Part(kind, False, 0.0, _range(rng, choice[kind][2]), 0.0, 0.0))

    def left_s() -> float:
        return duration_s - 4 - sum(part.room_s for part in parts)

    while left_s() < 0 and len(parts) > 2 * num_moments:
        parts.pop()
    for _ in range(40):
        for place, part in enumerate(parts):
            if left_s() < 0 and part.span_s > 6.6:
                parts[place] = part.scaled(0.92)
    return [parts[place] for place in rng.permutation(len(parts))], max(0.0, left_s())


def _draw_moment(rng: Rng, kind: str, row: list[str], style: float) -> _Part:
    """Cut from 6 to 39.5 s long; a style below 0 cuts wide."""
    lead_s, answer_s = _range(rng, row[1]), _range(rng, row[2])
    off_s = rng.normal(style - 0.6, 0.7) + rng.choice([0, 0, 0, 2, -3])
    cut_in_s = max(-5.0, min(0.45 * lead_s, off_s))
    off_s = rng.normal(0.9 - style, 0.7) + rng.choice([0, 0, 0, -3, 3])
    cut_out_s = max(-0.5 * answer_s, min(5.0, off_s))
    cut_out_s += max(0.0, 6 - (lead_s + answer_s - cut_in_s + cut_out_s))
    part = _Part(kind, True, cut_in_s, lead_s, answer_s, cut_out_s)
    return part.scaled(min(1.0, 39.5 / part.span_s))


def _range(rng: Rng, text: str) -> float:
    """A number out of a text such as 4-16, the low ones oftener."""
    low, high = map(float, text.split("-"))
    return low + (high - low) * float(rng.beta(1.3, 2.0))
