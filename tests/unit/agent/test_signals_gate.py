"""The local guess at what may be worth keeping."""

from __future__ import annotations

import numpy as np
import pytest

from agent.model.media import SignalSample
from agent.signals.gate import Gate, fused_score
from protos.timebase import SECOND_NS

STEP_NS = SECOND_NS // 2
CALM = {"mic_loudness_db": -45.0, "desktop_loudness_db": -30.0, "voice": 0.1, "motion": 0.01}
EXCITED = {"mic_loudness_db": -20.0, "desktop_loudness_db": -12.0, "voice": 0.9, "motion": 0.08}


def candidates_of(steps, num_signals=4):
    """Run the gate over one mapping of values for each half second; returns [(candidate, known_at_ns)]."""
    gate = Gate(num_signals)
    noise = np.random.default_rng(5)
    found = []
    for index, values in enumerate(steps):
        at_ns = (index + 1) * STEP_NS
        for name, value in values.items():
            wobble = noise.normal(0, 1.0 if name.endswith("_db") else 0.002)
            for candidate in gate.feed(SignalSample(name=name, at_ns=at_ns, value=value + wobble)):
                found.append((candidate, at_ns))
    return found + [(candidate, None) for candidate in gate.flush()]


def test_a_calm_stream_has_no_candidate():
    assert candidates_of([CALM] * 1200) == []


def test_loud_voice_and_motion_together_are_a_candidate():
    ((candidate, _),) = candidates_of([CALM] * 120 + [EXCITED] * 10 + [CALM] * 40)

    assert candidate.start_ns <= 60 * SECOND_NS < 65 * SECOND_NS <= candidate.end_ns
    assert candidate.lanes == ("loudness", "motion", "voice")


def test_a_candidate_is_known_within_three_seconds_of_its_end():
    ((_, known_at_ns),) = candidates_of([CALM] * 120 + [EXCITED] * 10 + [CALM] * 40)

    assert known_at_ns - 65 * SECOND_NS <= 3 * SECOND_NS


def test_a_candidate_is_known_in_time_when_a_signal_has_gone_missing():
    calm = {name: value for name, value in CALM.items() if name != "motion"}
    excited = {name: value for name, value in EXCITED.items() if name != "motion"}

    ((_, known_at_ns),) = candidates_of([CALM] * 100 + [calm] * 20 + [excited] * 10 + [calm] * 40)

    assert known_at_ns - 65 * SECOND_NS <= 3 * SECOND_NS


@pytest.mark.parametrize("num_steps", [6, 10, 20, 40])
@pytest.mark.parametrize("quiet_after", [CALM, CALM | {"desktop_loudness_db": -27.0, "voice": 0.2}])
def test_events_of_any_length_are_known_within_three_seconds_of_their_end(num_steps, quiet_after):
    found = candidates_of([CALM] * 120 + [EXCITED] * num_steps + [quiet_after] * 40)

    assert found[0][1] - (60 * SECOND_NS + num_steps * STEP_NS) <= 3 * SECOND_NS


def test_a_signal_that_comes_back_is_waited_for_again():
    calm = {name: value for name, value in CALM.items() if name != "motion"}

    ((candidate, _),) = candidates_of([CALM] * 60 + [calm] * 20 + [CALM] * 60 + [EXCITED] * 10 + [CALM] * 40)

    assert "motion" in candidate.lanes


def test_a_loud_advert_alone_is_not_a_candidate():
    advert = CALM | {"desktop_loudness_db": -8.0}

    assert candidates_of([CALM] * 120 + [advert] * 60 + [CALM] * 40) == []


def test_a_stream_that_stays_loud_is_the_new_normal():
    found = candidates_of([CALM] * 120 + [EXCITED] * 600)

    assert all(candidate.start_ns < 130 * SECOND_NS for candidate, _ in found)


def test_a_candidate_is_never_longer_than_a_minute():
    found = candidates_of([CALM] * 120 + [EXCITED] * 100)

    assert all(candidate.end_ns - candidate.start_ns <= 60 * SECOND_NS for candidate, _ in found)


def test_a_stream_without_a_microphone_is_judged_by_the_rest():
    calm = {name: CALM[name] for name in ("desktop_loudness_db", "motion")}
    excited = {name: EXCITED[name] for name in ("desktop_loudness_db", "motion")}

    assert len(candidates_of([calm] * 120 + [excited] * 10 + [calm] * 40, num_signals=2)) == 1


def test_a_span_that_runs_when_the_session_ends_is_kept():
    ((candidate, known_at_ns),) = candidates_of([CALM] * 120 + [EXCITED] * 3)

    assert known_at_ns is None
    assert candidate.end_ns > 61 * SECOND_NS


def test_two_loud_sounds_are_one_reason():
    score, lanes = fused_score(
        {"mic_loudness_db": 4.0, "desktop_loudness_db": 4.0, "voice": 0.0, "motion": 0.0}
    )

    assert lanes == ("loudness",)
    assert score < 1.5
