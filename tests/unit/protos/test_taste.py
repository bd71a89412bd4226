"""What is learnt from what a streamer keeps and throws away."""

from __future__ import annotations

import dataclasses
import math
import random

import numpy as np
import pytest

from protos.taste import Subject, Verdict, last_words, passed_over, plain_lanes, plain_score
from protos.taste_model import MAX_INFLUENCE, MAX_LEARNT, NO_TASTE, fit, tasted
from protos.taste_words import lines_of, note_of, shown
from tests.fakes.streamers import any_streamer, average_precision, moments_of, verdicts_on

NUM_STREAMERS = 40


def funny_and_score(num: int = 10) -> list[Verdict]:
    """Keeps what is funny, deletes what scores."""
    verdicts = []
    for index in range(2 * num):
        is_funny = index % 2 == 0
        subject = Subject(
            moment_id=f"m{index}",
            session_id="a" * 32,
            start_ns=0,
            end_ns=20_000_000_000,
            kind="funny" if is_funny else "score",
            score=0.6,
            lanes=(("chat", 0.6), ("words", 0.4)),
        )
        kind = "keep" if is_funny else "delete"
        verdicts.append(
            Verdict(
                verdict_id=f"{index:032x}", kind=kind, subject=subject, at_unix_ms=1_750_000_000_000 + index
            )
        )
    return verdicts


def gains(num_verdicts: int, *, is_random: bool) -> list[tuple[float, float]]:
    """Of each streamer: average precision on moments they did not judge, without and with their taste."""
    found = []
    for seed in range(NUM_STREAMERS):
        rng = np.random.default_rng(7000 + seed)
        streamer = dataclasses.replace(any_streamer(rng), **({"kinds": {}, "lanes": {}} if is_random else {}))
        judged, unseen = moments_of(rng, num_verdicts), moments_of(rng, 200, name="unseen")
        chances = [0.5 if is_random else streamer.chance(moment) for moment in judged]
        taste = fit(verdicts_on(rng, judged, chances))
        wanted = [bool(rng.random() < streamer.chance(moment)) for moment in unseen]
        without = average_precision([moment.score for moment in unseen], wanted)
        found.append((without, average_precision([tasted(taste, one).score for one in unseen], wanted)))
    return found


@pytest.mark.parametrize(("num_verdicts", "least"), [(20, 0.015), (50, 0.04)])
def test_unseen_moments_are_ordered_better_for_streamers_with_a_taste(num_verdicts: int, least: float):
    found = gains(num_verdicts, is_random=False)

    mean = sum(after - before for before, after in found) / len(found)
    print(f"{num_verdicts} verdicts: AP {np.mean(found, axis=0).round(3)}, gain {mean:.4f}")  # noqa: T201 - the figures are the point
    assert mean >= least
    assert min(after - before for before, after in found) >= -0.02


@pytest.mark.parametrize("num_verdicts", [20, 50, 200])
def test_a_streamer_who_answers_at_random_loses_next_to_nothing(num_verdicts: int):
    found = gains(num_verdicts, is_random=True)

    mean = sum(after - before for before, after in found) / len(found)
    print(f"{num_verdicts} random verdicts: gain {mean:.4f}, worst {min(b - a for a, b in found):.4f}")  # noqa: T201 - the figures are the point
    assert mean >= -0.005
    assert sorted(after - before for before, after in found)[NUM_STREAMERS // 10] >= -0.02


def test_without_verdicts_every_score_stays_exactly_as_it_was():
    moments = moments_of(np.random.default_rng(1), 50)

    assert all(tasted(taste, one).score == one.score for taste in (NO_TASTE, fit([])) for one in moments)


@pytest.mark.parametrize("kind", ["keep", "delete"])
def test_verdicts_that_are_all_the_same_move_nothing(kind: str):
    verdicts = [dataclasses.replace(one, kind=kind) for one in funny_and_score()]  # type: ignore[arg-type]

    assert fit(verdicts).trust == 0.0


def test_what_is_liked_rises_and_what_is_disliked_falls_and_a_kind_without_verdicts_stays():
    taste = fit(funny_and_score())
    like = funny_and_score()[0].subject

    rises, falls = tasted(taste, like), tasted(taste, dataclasses.replace(like, kind="score"))
    new = tasted(taste, dataclasses.replace(like, kind="crowd"))

    assert rises.moved > 0.05 > 0 > -0.05 > falls.moved
    assert abs(new.moved) < 0.005
    assert "you kept 10 of 10 funny moments: the score rose by" in note_of(rises, score=like.score)
    assert "you kept 0 of 10 score moments: the score fell by" in note_of(falls, score=like.score)


def test_the_order_in_which_verdicts_came_and_came_again_changes_nothing():
    verdicts = verdicts_on(
        rng := np.random.default_rng(3), moments := moments_of(rng, 60), [0.5] * len(moments)
    )
    mixed = [*verdicts, *verdicts]
    random.Random(5).shuffle(mixed)

    assert fit(mixed) == fit(verdicts)


def test_no_score_moves_further_than_its_bound_nor_leaves_its_range():
    taste = fit(funny_and_score(200))
    like = funny_and_score()[0].subject

    for kind in ("funny", "score"):
        for score in (0.0, 0.05, 0.5, 0.99, 1.0):
            found = tasted(taste, dataclasses.replace(like, kind=kind, score=score))
            assert 0.0 <= found.score <= 1.0
            assert abs(found.moved) <= MAX_INFLUENCE


def test_the_last_word_on_a_moment_counts_and_an_undo_leaves_none():
    first = funny_and_score()[0]
    then = dataclasses.replace(first, verdict_id="f" * 32, kind="delete", at_unix_ms=first.at_unix_ms + 1)
    undone = dataclasses.replace(then, verdict_id="e" * 32, kind="undo", at_unix_ms=then.at_unix_ms + 1)

    assert [one.kind for one in last_words([then, first])] == ["delete"]
    assert last_words([undone, first, then]) == []


def test_numbers_that_are_none_and_made_up_names_do_no_harm():
    wild = [math.nan, math.inf, -math.inf, 1e308, -5.0]
    verdicts = [
        dataclasses.replace(
            one,
            verdict_id=f"{index:030x}ff",
            subject=dataclasses.replace(
                one.subject,
                moment_id=f"wild{index}",
                kind=f"made-up-{index}\x00",
                score=wild[index % 5],
                end_ns=-(10**18) if index % 2 else 10**18,
                lanes=tuple((f"lane{index}-{lane}", wild[lane % 5]) for lane in range(200)),
            ),
        )
        for index, one in enumerate(funny_and_score(30))
    ]

    taste = fit([*verdicts, *funny_and_score()])

    assert math.isfinite(taste.trust)
    assert len(taste.weights) <= 33
    assert all(math.isfinite(weight.weight) for weight in taste.weights)
    assert all(math.isfinite(tasted(taste, one.subject).score) for one in funny_and_score())
    assert shown(taste, verdicts)["counts"]


def test_of_thousands_of_verdicts_the_newest_are_learnt_from():
    rng = np.random.default_rng(4)
    moments = moments_of(rng, 4000)
    old_taste = [0.9 if moment.kind == "score" else 0.1 for moment in moments[:3000]]
    new_taste = [0.9 if moment.kind == "funny" else 0.1 for moment in moments[3000:]]

    taste = fit(verdicts_on(rng, moments, [*old_taste, *new_taste]))

    weights = {weight.name: weight.weight for weight in taste.weights}
    assert taste.num_learnt == MAX_LEARNT
    assert weights["kind:funny"] > 1.0 > 0.5 > weights["kind:score"]


def test_contradictory_verdicts_on_alike_moments_move_next_to_nothing():
    verdicts = [
        dataclasses.replace(one, kind="keep" if index % 4 < 2 else "delete")
        for index, one in enumerate(funny_and_score(40))
    ]

    assert abs(tasted(fit(verdicts), verdicts[0].subject).moved) < 0.02


def test_moved_ends_make_new_moments_longer_by_what_is_usual_and_one_wild_one_does_not():
    base = funny_and_score()
    moved = [2.0, 2.5, 3.0, 500.0, math.nan]
    extends = [
        dataclasses.replace(one, kind="extend", before_s=before_s)
        for one, before_s in zip(base, moved, strict=False)
    ]

    taste = fit(extends)

    assert taste.before_s == 2.75
    assert taste.after_s == 0.0
    assert fit(extends[:2]).before_s == 0.0
    assert fit([dataclasses.replace(one, before_s=400.0) for one in extends]).before_s == 5.0


def test_only_what_stood_above_a_kept_moment_was_passed_over():
    subject = funny_and_score()[0].subject
    kept = dataclasses.replace(funny_and_score()[0], subject=dataclasses.replace(subject, score=0.5))
    above = dataclasses.replace(subject, moment_id="above", score=0.9)
    below = dataclasses.replace(subject, moment_id="below", score=0.4)
    elsewhere = dataclasses.replace(above, moment_id="elsewhere", session_id="b" * 32)

    assert passed_over([above, below, elsewhere], [kept]) == [above]
    assert passed_over([above], []) == []
    assert len(passed_over([dataclasses.replace(above, moment_id=str(n)) for n in range(9)], [kept])) == 1


def test_a_taste_is_taken_out_of_what_it_is_learnt_from():
    evidence = [("chat", 0.7), ("llm", 0.1), ("taste", -0.12), ("words", math.nan)]

    assert plain_score(0.5, evidence) == pytest.approx(0.62)
    assert plain_lanes(evidence) == (("chat", 0.7),)


def test_what_was_learnt_is_said_in_words():
    assert "nothing is known" in lines_of(NO_TASTE)[0]
    assert "too little" in lines_of(fit(funny_and_score(2)))[1]
    lines = lines_of(fit(funny_and_score()))
    assert lines[0] == "you kept 10, deleted 10"
    assert any("funny moments count more" in line for line in lines)
    assert any("score moments count less" in line for line in lines)
