"""Streams of competitive play: long tension, then a burst, and what people make of it.

Friends on voice chat, announcers and a game of its own sounds are on the desktop. Tables: words.txt.
Invariant: moments and decoys lie at least 8 s apart, and a seed gives one stream.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tests.sketches.f_arena.parts import tables
from tests.sketches.f_arena.picture import draw_pictures
from tests.sketches.f_arena.record import recognise, record
from tests.sketches.f_arena.stage import Stream
from tests.sketches.f_arena.times import Draw, play_decoy, play_moment, play_ordinary
from tests.sketches.guide import kept_apart
from tests.sketches.sketch import Sketch, Span

SIGNS = ("voice", "words", "laugh", "desktop", "picture", "chat")
GAP_S = 8.2


class _Beat(NamedTuple):
    """A moment or a decoy where it lies, and when the one before it ended.

    Attributes:
        span: of a decoy; of a moment what an editor would cut.
    """

    span: Span
    floor_s: float
    draw: Draw

    @property
    def is_moment(self) -> bool:
        return bool(self.draw.signs)


def make(seed: int, duration_s: float = 600.0) -> Sketch:
    """Return the stream of this seed; 3 to 10 moments in ten minutes.

    Raises:
        ValueError: There is no room for a moment; 60 s are enough.
    """
    stream = Stream(np.random.default_rng([seed, 0xF]), duration_s)
    beats, told = _plan(stream), list[Span]()
    for beat in beats:
        if beat.is_moment:
            told.append(play_moment(stream, beat.span, beat.floor_s, beat.draw))
        else:
            play_decoy(stream, beat.span, beat.draw)
    lures = [beat.span for beat in beats if not beat.is_moment]
    moments, decoys = kept_apart(told, lures, decoy_s=3.0, later_first=True, spare_s=0.001)
    play_ordinary(stream)
    record(stream)
    return Sketch(
        duration_s=duration_s,
        mic=stream.mic,
        desktop=stream.desktop,
        frames=functools.partial(draw_pictures, stream.shown, stream.camera, seed),
        segs=recognise(stream),
        chat=tuple(line for line in sorted(stream.chat) if stream.chatty and line[0] < duration_s),
        num_viewers=stream.num_viewers,
        moments=tuple(moments),
        decoys=tuple(decoys),
    )


def _plan(stream: Stream) -> list[_Beat]:
    """Moments and at least as many decoys in random order; fewer where they would not fit."""
    rng, beats, at_s = stream.rng, list[_Beat](), 0.0
    rows = [row for row in map(str.split, tables()["decoys"]) if row[0] != "lobby" or stream.friends]
    weights = np.array([float(row[3]) for row in rows])
    wanted = round(rng.integers(3, 11) * stream.duration_s / 600)
    for attempt in range(300):
        num = max(1, wanted - attempt // 20)
        draws = [_draw_moment(stream) for _ in range(num)]
        num_decoys = num + rng.integers(0, 5 if attempt < 10 else 1)
        for pick in rng.choice(len(rows), num_decoys, p=weights / weights.sum()):
            kind, shortest_s, longest_s, _, *options = rows[pick]
            length_s = rng.uniform(float(shortest_s), float(longest_s))
            draws.append(Draw(kind, length_s, options, 0, 0, 0, {}))
        taken_s = sum(draw.length_s for draw in draws)
        slack_s = stream.duration_s - taken_s - GAP_S * (len(draws) + 1)
        if slack_s >= 0:
            break
    else:
        raise ValueError(f"a stream of {stream.duration_s} s is too short")
    rests_s = slack_s * rng.dirichlet([0.9] * (len(draws) + 1))
    for place, rest_s in zip(rng.permutation(len(draws)), rests_s, strict=False):
        start_s, draw = at_s + GAP_S + rest_s, draws[place]
        span = Span(start_s=start_s, end_s=start_s + draw.length_s, kind=draw.kind)
        beats.append(_Beat(span, at_s, draw))
        at_s = span.end_s
    return beats


def _draw_moment(stream: Stream) -> Draw:
    """Cut as close as this editor does, from 6.2 to 39.5 s long."""
    rng, kind = stream.rng, str(stream.rng.choice(stream.kinds))
    row = next(row for row in map(str.split, tables()["kinds"]) if row[0] == kind)
    lead_s, react_s = float(row[1]) * rng.lognormal(0, 0.5), float(row[2]) * rng.lognormal(0, 0.45)
    most_s = rng.lognormal(np.log(16 - 7 * stream.tight), 0.4)
    before_s = max(1.0, min(lead_s + rng.uniform(-0.8, 2.5) * (1.2 - stream.tight), most_s))
    after_s = react_s * rng.uniform(0.8, 1.05) + rng.uniform(0.2, 1.4)
    after_s += (1 - stream.tight) * rng.uniform(0, 2.5)
    after_s = min(30.0, after_s + (rng.uniform(2, 6) if rng.random() < 0.15 else 0))
    before_s = float(np.clip(before_s, 6.2 - after_s, 39.5 - after_s))
    chances = dict(zip(SIGNS, map(float, row[3:]), strict=True))
    return Draw(kind, before_s + after_s, [], lead_s, react_s, before_s, _draw_signs(stream, kind, chances))


def _draw_signs(stream: Stream, kind: str, chances: dict[str, float]) -> dict[str, float]:
    """By chance, and more where a moment would not be noticed."""
    rng = stream.rng
    seen, size = 0.9 if stream.chatty and stream.num_viewers > 12 else 0.2, rng.lognormal(0, 0.3)
    weights = dict(zip(SIGNS, (stream.temper + 0.15, 0.9, 0.9, 0.5, 0.35, seen), strict=True))
    strengths = {sign: float(np.clip(size * rng.lognormal(0, 0.35), 0.3, 2)) for sign in SIGNS}
    signs = {sign: strengths[sign] * (rng.random() < chances[sign]) for sign in SIGNS}
    enough = 0.7 if rng.random() < 0.05 else 1.9
    for name in rng.permutation(["words", "chat", "laugh" if kind == "funny" else "voice", "desktop"]):
        if sum(weights[sign] * signs[sign] for sign in SIGNS) < enough:
            signs[name] = max(signs[name], 1.0)
    return signs
