"""Trees and nets, what they look at, and the lanes and features that came with them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from coordinator.highlight import decoys, likely, nets, trees
from coordinator.highlight.columns import NAMES, columns
from coordinator.highlight.features import FEATURES, measure
from coordinator.highlight.lanes import Lane, build_lanes
from coordinator.model.highlight import SIGNAL_RATE_HZ, SessionSignals, Track, Utterance
from coordinator.model.speech import SAMPLE_RATE_HZ

DURATION_S = 300
NUM_STEPS = DURATION_S * SIGNAL_RATE_HZ


def stump(*, missing_right: int) -> trees.TreesFile:
    """One tree of one node: above 2 is likely."""
    return trees.TreesFile(
        version=1, made_on="2026-11-26", origin="by hand", columns=("words.now",), bias=0.0,
        column=[[0]], threshold=[[2.0]], missing_right=[[missing_right]], leaf=[[-3.0, 3.0]],
    )  # fmt: skip


@pytest.mark.parametrize(("missing_right", "is_likely"), [(1, True), (0, False)])
def test_what_was_not_measured_goes_the_way_the_trees_learned_for_it(missing_right, is_likely):
    said = np.array([1.0, 2.0, 2.5, np.nan])

    odds = trees.odds(trees.trees_of(stump(missing_right=missing_right)), {"words.now": said})

    assert (odds > 0).tolist() == [False, False, True, is_likely]


def drawn_columns(num_steps: int = 200) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(9)
    return {name: rng.normal(0.0, 3.0, num_steps) for name in NAMES}


def test_what_is_shipped_says_what_it_was_fitted_to_and_looks_at_what_there_is():
    file = likely.shipped_file()

    assert trees.shipped_trees().columns == nets.shipped_nets().columns == NAMES
    assert file.made_on and "held" not in file.origin
    assert file.report["num_streams"] >= 250
    assert 0.3 < file.report["threshold"] < 0.8
    assert trees.shipped_trees().leaf.shape[1] == trees.shipped_trees().column.shape[1] + 1


def test_the_net_looks_three_seconds_and_a_half_ahead_and_no_further():
    said = drawn_columns()
    changed = {name: np.where(np.arange(200) >= 107, 9.0, curve) for name, curve in said.items()}

    before, after = (nets.odds(nets.shipped_nets(), one) for one in (said, changed))

    np.testing.assert_allclose(after[:100], before[:100], atol=1e-5)
    assert abs(after[100] - before[100]) > 1e-4


@pytest.mark.parametrize("num_steps", [1, 5, 40])
def test_the_net_has_an_opinion_of_what_is_short_and_of_what_was_not_measured(num_steps):
    nothing = {name: np.full(num_steps, np.nan) for name in NAMES}

    odds = nets.odds(nets.shipped_nets(), nothing)

    assert odds.shape == (num_steps,) and np.isfinite(odds).all()


def test_numbers_come_back_from_the_file_as_they_were_but_for_a_thousandth():
    numbers = np.random.default_rng(3).normal(0.0, 1.0, (7, 4)).astype(np.float32)
    file = nets.NetsFile(
        version=1, made_on="2026-11-27", origin="by hand", columns=("words.now",), windows=1,
        middle=[0.0], spread=[1.0], weights=[{"in": nets.layer_of(numbers)}],
    )  # fmt: skip

    np.testing.assert_allclose(nets.nets_of(file).weights[0]["in"], numbers, rtol=1e-3)


def tracks(lane: str, seed: int) -> list[Track]:
    rng = np.random.default_rng(seed)
    return [
        Track(
            name=f"{lane}_{name}",
            values=np.abs(rng.normal(0.3, 0.1, NUM_STEPS)) - (30.0 if name.endswith("_db") else 0.0),
            present=np.ones(NUM_STEPS, dtype=bool),
        )
        for name in FEATURES
    ]


def cut(signals: SessionSignals, end_s: float) -> SessionSignals:
    last = int(end_s * SIGNAL_RATE_HZ)
    return dataclasses.replace(
        signals,
        duration_s=end_s,
        tracks=[
            Track(name=one.name, values=one.values[:last], present=one.present[:last])
            for one in signals.tracks
        ],
        utterances=[one for one in signals.utterances if one.end_s <= end_s],
    )


def test_columns_look_no_further_ahead_than_six_seconds():
    said = [
        Utterance(start_s=at_s, end_s=at_s + 2.0, text="oh wow look at that") for at_s in range(4, 290, 9)
    ]
    signals = SessionSignals(
        duration_s=DURATION_S, tracks=[*tracks("mic", 1), *tracks("desktop", 2)], utterances=said
    )
    early = cut(signals, 200.0)
    known = int(194.0 * SIGNAL_RATE_HZ)

    whole, part = (columns(build_lanes(one), one.utterances) for one in (signals, early))

    for name, curve in part.items():
        np.testing.assert_allclose(curve[:known], whole[name][:known], rtol=1e-6, atol=1e-6, err_msg=name)


def test_what_was_not_measured_is_not_zero_to_the_trees():
    signals = SessionSignals(duration_s=DURATION_S, tracks=tracks("mix", 3))

    found = columns(build_lanes(signals), signals.utterances)

    assert np.isfinite(found["near_loud.now"]).any()  # a recording's one lane is heard as a microphone
    assert not np.isfinite(found["far_loud.now"]).any()
    assert not np.isfinite(found["chat.now"]).any()


def sound(pulses_s: list[float], *, seed: int = 5) -> np.ndarray:
    """Two seconds of a voice's tone, cut into pulses of 0.1 s."""
    at_s = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = sum(np.sin(2 * np.pi * 220.0 * harmonic * at_s) / harmonic for harmonic in range(1, 12))
    open_ = np.zeros(at_s.size)
    for pulse_s in pulses_s:
        open_[(at_s >= pulse_s) & (at_s < pulse_s + 0.1)] = 1.0
    noise = np.random.default_rng(seed).normal(0.0, 0.002, at_s.size)
    return (0.2 * tone * open_ + noise).astype(np.float32)


def row(samples: np.ndarray, name: str) -> float:
    return float(np.nanmean(measure(samples).values[FEATURES.index(name)]))


def test_pulses_five_a_second_are_regular_and_scattered_ones_are_less():
    regular = sound(list(np.arange(0.0, 1.9, 0.2)))
    scattered = sound([0.0, 0.13, 0.5, 0.62, 0.95, 1.21, 1.33, 1.7])

    assert row(regular, "regularity") > 0.8 > row(scattered, "regularity") + 0.2


def test_thunder_is_a_rumble_and_hiss_is_none():
    rng = np.random.default_rng(6)
    hiss = rng.normal(0.0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
    thunder = np.convolve(hiss, np.ones(200) / 200, "same").astype(np.float32)

    assert row(thunder, "rumble_db") > -3.0 > row(hiss, "rumble_db")


def test_a_shot_stands_out_of_its_half_second_and_a_roar_does_not():
    roar = np.random.default_rng(7).normal(0.0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
    shot = roar * np.where(np.arange(SAMPLE_RATE_HZ) % 8_000 < 800, 1.0, 0.01).astype(np.float32)

    assert row(shot, "burst_db") > 6.0 > 1.0 > row(roar, "burst_db")


def laughing(*, words: bool) -> SessionSignals:
    """Somebody talks for five minutes and laughs from 200 s to 206 s."""
    regularity, voicing = np.full(NUM_STEPS, 0.1), np.full(NUM_STEPS, 0.5)
    regularity[400:412] = 0.6
    values = {"regularity": regularity, "voicing": voicing}
    talk = [Utterance(start_s=at_s, end_s=at_s + 4.0, text="we go on here") for at_s in range(0, 190, 5)]
    return SessionSignals(
        duration_s=DURATION_S,
        tracks=[
            Track(name=f"mic_{name}", values=curve, present=np.ones(NUM_STEPS, dtype=bool))
            for name, curve in values.items()
        ],
        utterances=talk if words else (),
    )


def test_laughter_is_a_voice_without_words_in_regular_pulses():
    lanes = {lane.name: lane for lane in build_lanes(laughing(words=True)).lanes}

    assert lanes["laughter"].activation[402:410].min() > 0.9
    assert lanes["laughter"].activation[:380].max() < 0.1


def test_where_nobody_writes_words_down_laughter_is_not_told_from_speech():
    assert "laughter" not in {lane.name for lane in build_lanes(laughing(words=False)).lanes}


def lane(name: str, level: float, *, is_there: bool = True) -> Lane:
    curve = np.full(40, level)
    return Lane(name=name, activation=curve, present=np.full(40, is_there), measure=curve)


@pytest.mark.parametrize(
    ("lanes", "is_believed"),
    [
        ([lane("voice", 1.0), lane("motion", 0.0)], False),  # the picture would have shown it
        ([lane("voice", 1.0), lane("motion", 0.6)], True),
        ([lane("voice", 1.0), lane("words", 0.3), lane("motion", 0.0)], True),
        ([lane("voice", 1.0)], True),  # a microphone alone
        ([lane("voice", 1.0), lane("chat", 0.0, is_there=False)], True),  # nobody was there to write
        ([lane("voice", 0.1), lane("motion", 0.0)], True),  # nobody shouts
    ],
)
def test_a_shout_that_nothing_seconds_counts_less(lanes, is_believed):
    assert (decoys.lone_voice(lanes, 0, 40) == 1.0) is is_believed


def test_what_is_set_right_keeps_its_order():
    told = likely.likely(drawn_columns())
    order = np.argsort(told.sure)

    assert (np.diff(told.right[order]) >= 0).all()
    for curve in (told.sure, told.right):
        assert curve.shape == (200,) and curve.min() >= 0.0 and curve.max() <= 1.0
