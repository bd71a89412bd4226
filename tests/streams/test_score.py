"""The scorer gives a perfect list full marks, and takes them away one by one."""

from __future__ import annotations

import pytest

from tests.streams.score import average_precision, cut_at, iou, judge

TRUTH = {
    "moments": [
        {"start_s": 10.0, "end_s": 20.0, "kind": "hype"},
        {"start_s": 50.0, "end_s": 70.0, "kind": "funny"},
    ],
    "decoys": [{"start_s": 100.0, "end_s": 120.0, "kind": "advert"}],
}


def given(*spans: tuple[float, float], kind: str = "hype") -> list[dict[str, object]]:
    return [
        {"start_s": a, "end_s": b, "kind": kind, "score": 1 - 0.1 * at} for at, (a, b) in enumerate(spans)
    ]


def test_a_perfect_list_gets_full_marks() -> None:
    score = judge(given((10, 20), (50, 70)), TRUTH)

    assert (score.f1, score.num_decoys_hit, score.num_kind_right) == (1.0, 0, 1)
    assert average_precision(score.ranked, 2) == 1.0
    assert max(score.errors_s) == 0


def test_a_truth_counts_once_and_a_decoy_is_noticed() -> None:
    score = judge(given((10, 20), (11, 20), (100, 112)), TRUTH)

    assert (score.num_found, score.num_given, score.num_decoys_hit) == (1, 3, 1)
    assert score.f1 == pytest.approx(2 / 5)


def test_an_overlap_below_one_half_finds_nothing() -> None:
    score = judge(given((15, 30)), TRUTH)

    assert score.num_found == 0
    assert score.num_near == 1


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [((0, 10), (5, 15), 1 / 3), ((0, 10), (10, 20), 0.0), ((0, 10), (0, 10), 1.0), ((0, 10), (30, 40), 0.0)],
)
def test_intersection_over_union(a: tuple[float, float], b: tuple[float, float], expected: float) -> None:
    assert iou(a, b) == pytest.approx(expected)


def test_average_precision_falls_when_a_wrong_one_comes_first() -> None:
    assert average_precision([(0.9, False), (0.8, True)], 1) == 0.5
    assert average_precision([(0.9, True), (0.8, False)], 1) == 1.0


def test_a_cut_gives_up_what_lies_below_it() -> None:
    ranked = [(0.9, True), (0.6, True), (0.4, False)]

    assert cut_at(ranked, 0.5, 2) == (1.0, 1.0, 1.0)
    assert cut_at(ranked, 0.7, 2) == (1.0, 0.5, pytest.approx(2 / 3))
