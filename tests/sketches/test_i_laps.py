"""What is special to the streams of laps and splits."""

from __future__ import annotations

import functools

import numpy as np

from tests.sketches.i_laps.cast import Cast, Speaker
from tests.sketches.i_laps.play import Stage
from tests.sketches.i_laps.recipes import plan, recipes
from tests.sketches.i_laps.stream import make
from tests.sketches.i_laps.truth import spans_of
from tests.sketches.i_laps.voice import Score
from tests.sketches.sketch import RATE_HZ, Sketch

_short = functools.cache(functools.partial(make, duration_s=75.0))


def _loudness(manner: str) -> float:
    score = Score(6.0, Speaker(110.0, 1.0, 1.0, 0.1, 5.0, 1.0), np.random.default_rng(1))
    end_s = score.say(0.5, "come on we got it we got it", manner)
    return float(np.sqrt(np.mean(score.play(6 * RATE_HZ)[: int(end_s * RATE_HZ)] ** 2)))


def test_manners_are_ordered_by_loudness() -> None:
    sizes = [_loudness(manner) for manner in ("whisper", "mutter", "talk", "raised", "shout", "scream")]
    assert sizes == sorted(sizes)
    assert sizes[4] > 2 * sizes[2]


def test_every_kind_occurs_over_some_seeds() -> None:
    casts = [Cast(np.random.default_rng([seed, 0])) for seed in range(40)]
    beats = [beat for cast in casts for beat in plan(cast, 600.0, np.random.default_rng(cast.num_viewers))]
    kinds = {beat.recipe.kind for beat in beats}
    assert kinds >= {recipe.kind for pool in ("moments", "decoys") for recipe in recipes(pool)}
    assert 0 < sum(cast.chat_rate == 0 for cast in casts) < 14


def test_calm_words_before_an_event_are_not_of_its_moment() -> None:
    for seed in range(12):
        cast = Cast(np.random.default_rng([seed, 0]))
        beats = plan(cast, 600.0, np.random.default_rng([seed, 1]))
        stage, at_s = Stage(cast, 600.0, seed), 0.0
        for beat in beats:
            stage.idle(at_s, beat.start_s)
            stage.beat(beat)
            at_s = beat.end_s
        moments, _ = spans_of(beats, stage, 600.0)
        told = [(beat, acts) for beat, acts in zip(beats, stage.acts, strict=True) if beat.recipe.is_moment]
        for moment, (beat, acts) in zip(moments, told, strict=True):
            assert moment.start_s > beat.event_s - 8
            # Where the voice and the game are as ever before the event, it begins with the event.
            calm = {act.manner for act in acts if act.start_s < beat.event_s} <= {"talk", "mutter"}
            if calm and not beat.recipe.effect:
                assert moment.start_s >= beat.event_s


def test_the_chat_answers_after_the_event() -> None:
    def count(sketch: Sketch, since_s: float, until_s: float) -> int:
        return sum(since_s <= at_s < until_s for at_s, _ in sketch.chat)

    spans = [(sketch, span) for sketch in map(_short, range(5)) for span in sketch.moments]
    before = sum(count(sketch, span.start_s - 10, span.start_s) for sketch, span in spans)
    assert sum(count(sketch, span.end_s - 4, span.end_s + 6) for sketch, span in spans) > 1.3 * before
