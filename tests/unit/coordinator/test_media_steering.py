"""A window moves gently, rests in calm, and jumps only with the picture."""

import numpy as np
import pytest

from coordinator.media.picture.steering import STEP_S, Gentleness, Path, best_places, resting, steered

RULES = Gentleness()
WINDOW = 0.3


def moved(targets, *, seconds=10.0):
    times_s = np.linspace(0, seconds, len(targets))
    return steered(times_s, np.array(targets, float), seconds, window=WINDOW, rules=RULES)


@pytest.mark.parametrize(
    "targets",
    [
        [0.2, 0.8],
        [0.15, 0.85, 0.15, 0.85, 0.15, 0.85],
        list(np.random.default_rng(1).uniform(0.15, 0.85, 60)),
        list(0.5 + 0.3 * np.sin(np.arange(80))),
    ],
)
def test_speed_and_acceleration_are_bounded_whatever_is_wanted(targets):
    speed = np.diff(moved(targets)) / STEP_S / WINDOW

    assert np.abs(speed).max() <= RULES.max_speed + 1e-9
    assert np.abs(np.diff(speed)).max() / STEP_S <= RULES.max_acceleration + 1e-6


def test_a_window_arrives_where_it_is_wanted_and_stays():
    places = moved([0.2] + [0.7] * 20, seconds=20.0)

    assert places[-1] == pytest.approx(0.7, abs=0.003)
    assert np.ptp(places[-120:]) < 0.001


def test_a_window_that_is_wanted_where_it_is_does_not_move_at_all():
    assert np.ptp(moved([0.4] * 30)) == 0


def test_it_goes_a_little_past_a_place_at_most():
    places = moved([0.2, 0.2, *[0.6] * 40], seconds=20.0)

    assert places.max() < 0.6 + 0.02 * WINDOW


def bump(centre, *, width=0.1, strength=10.0):
    places = (np.arange(160) + 0.5) / 160
    return np.where(np.abs(places - centre) < width / 2, strength, 0.0)


def test_the_best_place_has_what_moves_in_its_middle():
    rows = np.array([bump(0.7)] * 5)

    assert best_places(rows, rows.mean(axis=1), window=WINDOW, rules=RULES) == pytest.approx(
        [0.7] * 5, abs=0.02
    )


def test_small_moves_inside_the_window_move_nothing():
    rows = np.array([bump(0.5 + 0.01 * k) for k in range(5)])

    assert np.ptp(best_places(rows, rows.mean(axis=1), window=WINDOW, rules=RULES)) == 0


def test_in_calm_it_stays_where_the_last_thing_moved():
    rows = np.array([bump(0.8)] * 3 + [bump(0.2, strength=0.05)] * 5)

    assert best_places(rows, rows.mean(axis=1), window=WINDOW, rules=RULES) == pytest.approx(
        [0.8] * 8, abs=0.02
    )


def test_a_scene_in_which_nothing_ever_moves_is_shown_from_its_middle():
    found = best_places(np.zeros((4, 160)), np.zeros(4), window=WINDOW, rules=RULES)

    assert found == pytest.approx([0.5] * 4, abs=0.01)


def test_a_turn_of_the_whole_view_does_not_move_the_window():
    rows = np.ones((4, 160)) * 20

    assert best_places(rows, rows.mean(axis=1), window=WINDOW, rules=RULES) == pytest.approx(
        [0.5] * 4, abs=0.01
    )


def test_a_path_jumps_with_its_scene_and_rests_outside():
    path = Path(starts_s=(1.0, 3.0), places=(np.array([0.2, 0.4]), np.array([0.7])))

    assert [path.at(0.0), path.at(1.0), path.at(1.0 + STEP_S / 2), path.at(2.9)] == pytest.approx(
        [0.2, 0.2, 0.3, 0.4]
    )
    assert [path.at(3.0), path.at(99.0)] == pytest.approx([0.7, 0.7])
    assert resting(0.5).at(7.0) == 0.5
