"""Which chunk is worth a look at once."""

from __future__ import annotations

import pytest

from coordinator.highlight.promise import is_promising
from coordinator.model.highlight import Utterance
from coordinator.model.sessions import FeatureRow
from protos.timebase import SECOND_NS

_CALM = {"mic_loudness_db": [-40.0] * 20, "mic_regularity": [0.1] * 20, "mic_voicing": [0.9] * 20}


def chunk(values: list[float | None], name: str = "mic_loudness_db") -> FeatureRow:
    return FeatureRow(lane=1, seq=0, start_ns=0, step_ns=SECOND_NS // 2, tracks={name: values})


def laughing_for(steps: int) -> FeatureRow:
    regularity = [0.1] * 8 + [0.6] * steps + [0.1] * (12 - steps)
    return FeatureRow(
        lane=1,
        seq=6,
        start_ns=0,
        step_ns=SECOND_NS // 2,
        tracks={**_CALM, "mic_regularity": list(regularity)},
    )


def calm_minute() -> list[FeatureRow]:
    return [FeatureRow(lane=1, seq=0, start_ns=0, step_ns=SECOND_NS // 2, tracks=dict(_CALM))] * 6


@pytest.mark.parametrize(
    ("name", "usual", "values", "rises"),
    [
        ("mic_loudness_db", -40.0, [-40.0] * 20, False),
        ("mic_loudness_db", -40.0, [-40.0] * 10 + [-34.0] * 3 + [-40.0] * 7, True),
        ("mic_loudness_db", -40.0, [-40.0] * 10 + [-20.0] * 2 + [-40.0] * 8, False),  # a knock on the table
        ("desktop_floor_db", -60.0, [-54.0] * 20, True),
        ("mic_pitch_st", 10.0, [30.0] * 20, False),  # says nothing by itself
        ("motion", 0.1, [0.2] * 20, True),
        ("motion", 0.001, [0.01] * 20, False),  # a still picture's noise
        ("mic_loudness_db", -40.0, [None] * 20, False),
    ],
)
def test_a_chunk_rises_that_stays_above_the_minute_before(
    name: str, usual: float, values: list[float | None], rises: bool
):
    assert is_promising(chunk(values, name), [chunk([usual] * 20, name)] * 6, None) is rises


def test_a_rise_that_began_in_the_chunk_before_counts_on():
    before = [chunk([-40.0] * 20)] * 5 + [chunk([-40.0] * 18 + [-30.0] * 2)]

    assert is_promising(chunk([-30.0] + [-40.0] * 19), before, None)


def test_a_chunk_too_short_to_be_measured_promises_nothing():
    last = FeatureRow(lane=1, seq=7, start_ns=0, step_ns=SECOND_NS // 2, tracks={name: [] for name in _CALM})

    assert not is_promising(last, calm_minute(), [])


def test_what_has_nothing_before_it_rises():
    assert is_promising(chunk([-40.0] * 20), [], None)


def test_laughter_promises_though_it_is_no_louder_than_the_minute_before():
    assert is_promising(laughing_for(4), calm_minute(), [])
    assert not is_promising(laughing_for(0), calm_minute(), [])


def test_words_whose_syllables_are_alike_are_no_laughter():
    counting = [Utterance(start_s=3.0, end_s=8.0, text="one two three four five six seven")]

    assert not is_promising(laughing_for(4), calm_minute(), counting)


def test_where_nobody_listens_for_words_pulses_are_not_taken_for_laughter():
    assert not is_promising(laughing_for(4), calm_minute(), None)


def test_words_of_the_lexicon_promise():
    told = [Utterance(start_s=1.0, end_s=2.0, text="oh my god that was insane")]

    assert is_promising(laughing_for(0), calm_minute(), told)
    assert not is_promising(
        laughing_for(0), calm_minute(), [Utterance(start_s=1.0, end_s=2.0, text="turn left here")]
    )
