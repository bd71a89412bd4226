"""How far what is said is what people say in moments."""

from __future__ import annotations

import numpy as np
import pytest

from coordinator.highlight.columns import columns
from coordinator.highlight.lanes import build_lanes
from coordinator.highlight.said import SaidFile, parts_of, said_curve, shipped_said, telling
from coordinator.highlight.shipped import read_shipped
from coordinator.model.highlight import SIGNAL_RATE_HZ, SessionSignals, Track, Utterance

WEIGHTS = {"no": 0.5, "way": 0.5, "no way": 1.0, "okay": -1.0}


def said(text: str, start_s: float = 10.0, end_s: float = 12.0) -> Utterance:
    return Utterance(start_s=start_s, end_s=end_s, text=text)


def test_a_text_is_its_words_and_each_two_that_follow_one_another():
    assert parts_of("No WAY, no way! It\u2019s 3") == {
        "no", "way", "it's", "no way", "way no", "way it's",
    }  # fmt: skip
    assert parts_of("\u2026!?") == frozenset()


def test_what_is_known_adds_up_and_many_words_do_not_weigh_more_by_their_number():
    assert telling("no way", WEIGHTS) == pytest.approx(2.0 / np.sqrt(4))
    assert telling("no way no way no way", WEIGHTS) == pytest.approx(2.0 / np.sqrt(5))  # "way no" is new
    assert telling("okay", WEIGHTS) < 0 == telling("", WEIGHTS) == telling("something else", WEIGHTS)


def test_it_is_said_while_it_is_said():
    level = said_curve([said("no way"), said("okay", 19.8, 25.0)], 2 * 20, WEIGHTS)

    assert level is not None and level.shape == (40,)
    assert (level[20:24] > 0).all() and (level[24:39] == 0).all() and (level[:20] == 0).all()
    assert level[39] < 0  # what lies beyond the last step is left out


def test_words_of_another_language_say_nothing():
    german = [
        said("wir sind jetzt gleich soweit und gehen weiter zum haus", 1.0, 3.0),
        said("da hinten steht noch einer hinter dem baum", 4.0, 6.0),
    ]

    assert said_curve(german, 40, WEIGHTS) is None
    assert said_curve([], 40, WEIGHTS) is None


def test_where_nobody_is_written_down_it_was_not_measured():
    steps = 120 * SIGNAL_RATE_HZ
    track = Track(name="mic_loudness_db", values=np.full(steps, -30.0), present=np.ones(steps, dtype=bool))
    silent = SessionSignals(duration_s=120.0, tracks=[track])
    spoken = SessionSignals(duration_s=120.0, tracks=[track], utterances=[said("no way you are kidding me")])

    without, by_default, by_own = (
        columns(build_lanes(silent), silent.utterances),
        columns(build_lanes(spoken), spoken.utterances),
        columns(build_lanes(spoken), spoken.utterances, said={}),
    )

    assert not np.isfinite(without["said.now"]).any()
    assert by_default["said.now"][22] > 0 == by_own["said.now"][22]


def test_what_is_shipped_was_counted_and_not_on_what_judges():
    file = read_shipped("said.json", SaidFile)

    assert file.made_on and "held" not in file.origin and "g_living" not in file.origin
    assert 1_000 < len(file.weights) < 30_000
    assert all(0.1 <= abs(weight) < 6 for weight in file.weights.values())
    assert telling("oh my god are you kidding me", shipped_said()) > 0.5
    assert telling("welcome in raiders thank you for the follow", shipped_said()) < 0
