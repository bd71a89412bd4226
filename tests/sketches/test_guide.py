"""Small examples of where moments begin and end and of how spans are kept apart."""

from __future__ import annotations

import pytest

from tests.sketches.guide import from_all_signs, from_signs, held_to_length, kept_apart, with_build_up
from tests.sketches.sketch import Span

Ends = tuple[float, float]


def test_what_is_short_ends_later_and_what_is_long_begins_later() -> None:
    assert held_to_length(10.0, 20.0) == (10.0, 20.0)
    assert held_to_length(10.0, 12.0) == (10.0, 16.0)
    assert held_to_length(10.0, 60.0) == (20.0, 60.0)
    assert held_to_length(10.0, 12.0, spare_s=0.5) == (10.0, 16.5)
    assert held_to_length(10.0, 60.0, spare_s=0.5) == (20.5, 60.0)


def test_nothing_lasts_longer_than_the_stream() -> None:
    assert held_to_length(50.0, 70.0, duration_s=60.0) == (50.0, 60.0)
    assert held_to_length(58.0, 59.0, duration_s=60.0) == (54.0, 60.0)


def test_a_build_up_goes_back_from_sign_to_sign_until_there_is_too_much_of_the_ordinary() -> None:
    # 3 s of the ordinary are not too much.
    assert with_build_up([(90.0, 97.0), (80.0, 87.0)], 100.0) == 80.0
    assert with_build_up([(90.0, 97.0), (80.0, 86.9)], 100.0) == 90.0
    assert with_build_up([(90.0, 96.9)], 100.0) == 100.0
    # A long sign reaches over a short one that lies too far away itself.
    assert with_build_up([(85.0, 86.0), (80.0, 98.0)], 100.0) == 80.0
    assert with_build_up([], 100.0) == 100.0


@pytest.mark.parametrize(
    ("signs", "ends"),
    [
        # Nothing stands out: the event itself, as long as a moment must be.
        ([], (100.0, 106.0)),
        # A sign that reaches the event, and one that follows it.
        ([(95.0, 100.0), (104.0, 109.0)], (95.0, 109.0)),
        ([(102.0, 109.0)], (102.0, 109.0)),
        # A build-up leads to the first sign of the event, not to the event.
        ([(96.0, 99.0), (101.0, 109.0)], (96.0, 109.0)),
        ([(94.0, 97.5), (101.0, 109.0)], (101.0, 109.0)),
        # After the event no lull ends it.
        ([(100.0, 101.0), (115.0, 120.0)], (100.0, 120.0)),
        # Only what comes last is kept of what is too long.
        ([(70.0, 120.0)], (80.0, 120.0)),
    ],
)
def test_a_moment_goes_from_the_first_sign_that_leads_to_the_event_to_the_last(
    signs: list[Ends], ends: Ends
) -> None:
    assert from_signs(signs, 100.0) == ends


def test_a_sign_that_ends_a_little_early_may_count_as_one_of_the_event() -> None:
    signs = [(90.0, 99.5), (103.0, 110.0)]
    assert from_signs(signs, 100.0) == (103.0, 110.0)
    assert from_signs(signs, 100.0, early_s=0.5) == (90.0, 110.0)


def test_without_a_lull_all_signs_count() -> None:
    assert from_all_signs([(103.0, 110.0), (90.0, 92.0)]) == (90.0, 110.0)
    assert from_all_signs([(90.0, 92.0)]) == (90.0, 96.0)


def _apart(*told: tuple[float, float, bool], later_first: bool = False, spare_s: float = 0.0) -> list[Ends]:
    """The ends of the spans, moments or not, after they were kept apart; the kind holds their places."""
    spans = [(Span(start_s=a, end_s=b, kind=str(k)), real) for k, (a, b, real) in enumerate(told)]
    moments, decoys = kept_apart(
        [span for span, real in spans if real],
        [span for span, real in spans if not real],
        later_first=later_first,
        spare_s=spare_s,
    )
    assert [int(span.kind) for span in moments] == [k for k, (*_, real) in enumerate(told) if real]
    kept = sorted((*moments, *decoys), key=lambda span: int(span.kind))
    return [(span.start_s, span.end_s) for span in kept]


def test_what_lies_far_enough_apart_stays() -> None:
    told = ((0.0, 10.0, True), (18.0, 30.0, False), (38.0, 45.0, True))
    assert _apart(*told) == [(0.0, 10.0), (18.0, 30.0), (38.0, 45.0)]
    assert kept_apart([], []) == ((), ())


def test_a_decoy_gives_way_to_a_moment_on_either_side() -> None:
    assert _apart((0.0, 10.0, True), (15.0, 30.0, False)) == [(0.0, 10.0), (18.0, 30.0)]
    assert _apart((5.0, 21.0, False), (25.0, 40.0, True)) == [(5.0, 17.0), (25.0, 40.0)]
    assert _apart((5.0, 21.0, False), (25.0, 40.0, True), spare_s=0.5) == [(5.0, 16.5), (25.0, 40.0)]


def test_a_decoy_keeps_two_seconds_and_a_moment_six() -> None:
    # The decoy has 1 s to give, the moment gives the rest.
    assert _apart((0.0, 20.0, True), (24.0, 27.0, False)) == [(0.0, 17.0), (25.0, 27.0)]
    # Of two moments the sooner gives its end, and when it has no more to give, the later its start.
    assert _apart((0.0, 20.0, True), (24.0, 40.0, True)) == [(0.0, 16.0), (24.0, 40.0)]
    assert _apart((34.0, 41.0, True), (45.0, 60.0, True)) == [(34.0, 40.0), (48.0, 60.0)]


def test_how_much_a_decoy_keeps_can_be_said() -> None:
    span, lure = Span(start_s=0.0, end_s=20.0, kind="x"), Span(start_s=24.0, end_s=27.0, kind="y")
    ((moment,), (decoy,)) = kept_apart([span], [lure], decoy_s=3.0)
    assert (moment.end_s, decoy.start_s, decoy.end_s) == (16.0, 24.0, 27.0)


def test_of_two_decoys_the_sooner_gives_way() -> None:
    assert _apart((0.0, 10.0, False), (14.0, 20.0, False)) == [(0.0, 6.0), (14.0, 20.0)]


def test_the_later_of_two_moments_gives_way_where_that_is_asked_for() -> None:
    assert _apart((0.0, 20.0, True), (24.0, 40.0, True), later_first=True) == [(0.0, 20.0), (28.0, 40.0)]
    assert _apart((0.0, 20.0, True), (24.0, 31.0, True), later_first=True) == [(0.0, 17.0), (25.0, 31.0)]
    # A decoy gives way all the same.
    assert _apart((0.0, 20.0, False), (24.0, 40.0, True), later_first=True) == [(0.0, 16.0), (24.0, 40.0)]
