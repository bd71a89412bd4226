"""What bench `highlights` counts: overlap, precision, decoys; and that it keeps its promise on two short streams."""

from __future__ import annotations

import json

import numpy as np
import pytest

from coordinator.highlight import nets
from coordinator.model.highlight import ChatLine, SessionSignals, Track, Utterance
from tests.bench import highlights_score as score
from tests.bench.highlights import FIGURES, variants
from tests.bench.highlights_boost import Shape, grow, predict
from tests.bench.highlights_fit import FITTED, FRESH, SET_RIGHT
from tests.bench.highlights_makers import JUDGES, SYNTHETIC
from tests.bench.highlights_naive import NAIVE
from tests.bench.highlights_nets import Course, Lesson, fit_nets, slopes_of, started
from tests.bench.highlights_said import Talk, weights_of
from tests.bench.highlights_score import Guess, Judged
from tests.bench.run import measure
from tests.synthetic.family import HELD_SEEDS
from tests.synthetic.model import Span


def span(start_s: float, end_s: float, kind: str = "hype") -> Span:
    return Span(start_s=start_s, end_s=end_s, kind=kind)


def guess(start_s: float, end_s: float, value: float) -> Guess:
    return Guess(start_s=start_s, end_s=end_s, score=value)


def one(*guesses: Guess, wanted: tuple[Span, ...], decoys: tuple[Span, ...] = ()) -> Judged:
    return Judged(guesses=guesses, wanted=wanted, decoys=decoys)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (guess(10, 20, 1), 1.0),
        (guess(10, 30, 1), 0.5),
        (guess(15, 25, 1), 1 / 3),
        (guess(20, 30, 1), 0.0),  # they touch
        (guess(90, 99, 1), 0.0),
    ],
)
def test_overlap_is_what_both_share_over_what_both_cover(found: Guess, expected: float) -> None:
    assert score.overlap(found, span(10, 20)) == pytest.approx(expected)


def test_a_span_that_is_found_twice_counts_once() -> None:
    judged = [one(guess(10, 20, 0.9), guess(11, 20, 0.8), wanted=(span(10, 20), span(50, 60)))]

    assert score.precision_recall(judged, 0.0) == (0.5, 0.5)
    assert score.average_precision(judged) == 0.5


def test_average_precision_falls_with_what_is_wrong_above_what_is_right() -> None:
    first = [one(guess(10, 20, 0.9), guess(70, 80, 0.5), wanted=(span(10, 20),))]
    last = [one(guess(70, 80, 0.9), guess(10, 20, 0.5), wanted=(span(10, 20),))]

    assert (score.average_precision(first), score.average_precision(last)) == (1.0, 0.5)
    assert (score.recall_at_count(first), score.recall_at_count(last)) == (1.0, 0.0)


def test_the_threshold_with_the_best_f1_is_found() -> None:
    judged = [
        one(guess(10, 20, 0.9), guess(30, 40, 0.6), guess(70, 80, 0.3), wanted=(span(10, 20), span(30, 40)))
    ]

    assert score.best_threshold(judged) == 0.6
    assert score.f1(*score.precision_recall(judged, 0.6)) == 1.0


def test_a_decoy_is_hit_by_what_covers_it_and_touches_nothing_wanted() -> None:
    decoys = (span(100, 110, "raid"), span(200, 230, "music"), span(20, 26, "advert"))
    judged = [
        one(
            guess(95, 112, 0.9),  # over the raid
            guess(190, 204, 0.8),  # at the music's edge
            guess(12, 26, 0.7),  # over the advert, but it found something
            wanted=(span(10, 20),),
            decoys=decoys,
        )
    ]

    assert score.decoys_hit(judged, 0.0) == {"raid": (1, 1), "music": (0, 1), "advert": (0, 1)}
    assert score.decoys_hit(judged, 0.95)["raid"] == (0, 1)


def test_an_interval_holds_the_figure_it_is_of() -> None:
    judged = [
        one(guess(10, 20, 0.9), guess(70, 80, index / 40), wanted=(span(10, 20), span(30, 40)))
        for index in range(20)
    ]
    low, high = score.f1_interval(judged, 0.2)

    assert low <= score.f1(*score.precision_recall(judged, 0.2)) <= high
    assert score.average_precision_interval(judged)[0] <= score.average_precision(judged)


def some_signals() -> SessionSignals:
    names = ("mic_loudness_db", "desktop_loudness_db", "motion")
    loud = np.full(600, -40.0)
    loud[400:420] = -12.0
    return SessionSignals(
        duration_s=300.0,
        tracks=[Track(name=name, values=loud, present=np.ones(600, dtype=bool)) for name in names],
        utterances=[Utterance(start_s=198, end_s=204, text="omg no way")],
        chat=[ChatLine(at_s=207 + index / 10, text="wow") for index in range(30)],
    )


def test_a_variant_leaves_the_detector_with_the_lanes_it_names() -> None:
    kept = {name: keep(some_signals()) for name, keep in variants().items()}

    assert [track.name for track in kept["only_mic"].tracks] == ["mic_loudness_db"]
    assert not kept["only_mic"].utterances and not kept["only_mic"].chat
    assert len(kept["without_chat"].tracks) == 3 and not kept["without_chat"].chat
    assert kept["only_chat"].chat and not kept["only_chat"].tracks


@pytest.mark.parametrize("name", NAIVE)
def test_the_usual_recipes_find_what_is_plain(name: str) -> None:
    best = NAIVE[name](some_signals())[0]

    assert best.start_s <= 205 and best.end_s >= 200


def test_trees_learn_what_only_two_columns_together_say_and_what_is_missing_says() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(0.0, 1.0, (6_000, 3)).astype(np.float32)
    truth = ((rows[:, 0] > 0) & (rows[:, 1] > 0)).astype(np.float64)
    gone = rng.random(6_000) < 0.2
    rows[gone, 2], truth[gone] = np.nan, 1.0
    shape = Shape(num_trees=30, depth=3, rate=0.3, row_share=0.7, column_share=1.0)

    found = predict(grow(rows, truth, np.ones(6_000), shape), rows) > 0

    assert np.mean(found == (truth > 0.5)) > 0.97


def test_slopes_are_what_a_small_change_of_a_weight_makes_of_the_loss() -> None:
    rng = np.random.default_rng(3)
    weights = {name: one + rng.normal(0.0, 0.1, one.shape) for name, one in started(rng, 6, 5).items()}
    given, truth = rng.normal(0.0, 1.0, (2, 80, 6)), (rng.random((2, 80)) < 0.3).astype(np.float64)
    _, slopes = slopes_of(weights, given, truth, rng, 0.0)

    for name, one in weights.items():
        place = tuple(rng.integers(size) for size in one.shape)
        losses = []
        for change in (1e-5, -1e-5):
            changed = {**weights, name: one.copy()}
            changed[name][place] += change
            losses.append(slopes_of(changed, given, truth, rng, 0.0)[0])
        assert slopes[name][place] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-4, abs=1e-8), name


def test_a_net_learns_what_only_the_steps_before_say() -> None:
    rng = np.random.default_rng(4)
    rows = rng.normal(0.0, 1.0, (8, 400, 4)).astype(np.float32)
    # A moment begins ten steps after its sign and lasts ten.
    rows[..., 0] = rng.random((8, 400)) < 0.03
    truth = np.stack([np.convolve(one, np.repeat([0, 1], [10, 10]))[:400] > 0 for one in rows[..., 0]])
    lesson = Lesson(rows=rows, truth=truth.astype(np.float32))
    names = ("a.now", "a.wide", "b.now", "b.wide")

    course = Course(num_channels=16, num_epochs=150, batch=4, figures_dropped=0.0, num_nets=1)
    fitted = fit_nets([lesson], names, 2, course)
    odds = np.stack([nets.odds(fitted, dict(zip(names, one.T, strict=True))) for one in rows])

    assert np.mean((odds > 0) == truth) > 0.97 > 1.0 - truth.mean() + 0.1


def test_nothing_is_fitted_or_set_right_on_what_judges() -> None:
    for maker, seeds in FITTED.items():
        judging = set(HELD_SEEDS) if maker == SYNTHETIC else set(FRESH)
        assert not {*seeds, *SET_RIGHT[maker]} & judging
        assert not set(seeds) & set(SET_RIGHT[maker])
    assert not set(JUDGES) & {*FITTED, *SET_RIGHT}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", ["synthetic", "makers", "commentary", "chat", "cost"])
def test_the_bench_measures_what_it_promises_or_says_why_not(part: str) -> None:

    found = measure("highlights", (part,), scale=0.04)

    assert set(found["figures"]) == set(FIGURES[part])
    missing = {figure for figure, value in found["figures"].items() if value is None}
    assert {figure for figure in missing if not any(figure in note for note in found["notes"])} == set()
    assert json.loads(json.dumps(found))["name"] == "highlights"


def test_a_word_weighs_by_how_much_oftener_it_is_said_in_moments_and_each_maker_counts_alike() -> None:
    often = Talk(inside={"wow": 300.0, "hm": 10.0, "mine": 90.0}, outside={"wow": 20.0, "hm": 10.0})
    never = Talk(inside={}, outside={"wow": 20.0, "hm": 10.0})

    weights = weights_of([often, never])

    assert weights["wow"] == pytest.approx(np.log(150.5 / 20.5), abs=0.006)
    assert weights["hm"] == pytest.approx(np.log(5.5 / 10.5), abs=0.006)
    assert "mine" not in weights  # one author's habit
    assert "hm" not in weights_of([often, often])  # it says nothing
