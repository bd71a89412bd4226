"""Framing by motion: what moves is kept in sight, and the window is never hasty."""

import numpy as np
import pytest

from coordinator.media.picture.follow import plan_follow
from coordinator.media.picture.moving import MovingWindow
from coordinator.media.picture.steering import Gentleness
from tests.fakes.drawn_frames import film, grey_frame, luma_of, with_disc

SIZE = (320, 180)
# 9:16 of 180 rows, in whole columns.
WINDOW = 102 / 320
RULES = Gentleness()


def planned(pictures, **more):
    return plan_follow(pictures, width=1080, height=1920, sample_aspect=None, **more)


def middles(plan, num_frames, *, fps=30):
    return np.array([plan.x.at(k / fps) for k in range(num_frames)])


def assert_gentle(places, *, fps=30):
    """Speed and acceleration of the window as a viewer sees them, from frame to frame."""
    speed = np.diff(places) * fps / WINDOW
    assert np.abs(speed).max() <= RULES.max_speed * 1.001
    assert np.abs(np.diff(speed)).max() * fps <= RULES.max_acceleration * 1.01


def test_what_crosses_the_picture_stays_in_sight():
    places = np.linspace(0.1, 0.9, 300)

    seen = middles(planned(film(places, size=SIZE, radius=14)), 300)

    assert np.mean(np.abs(places - seen) < WINDOW / 2) >= 0.95
    assert_gentle(seen)


def test_what_jumps_about_is_followed_no_faster_than_is_gentle():
    places = np.random.default_rng(3).uniform(0.1, 0.9, 30).repeat(9)

    assert_gentle(middles(planned(film(places, size=SIZE, radius=14)), 270))


def test_what_trembles_in_its_place_moves_nothing():
    places = 0.4 + 0.02 * np.sin(np.arange(150) * 0.7)

    seen = middles(planned(film(places, size=SIZE, radius=14)), 150)

    assert np.ptp(seen) < 0.005
    assert seen[0] == pytest.approx(0.4, abs=0.04)


def test_when_all_is_calm_the_window_stays_where_it_was():
    places = np.concatenate([0.75 + 0.03 * np.sin(np.arange(60) * 0.7), np.full(120, 0.75)])

    seen = middles(planned(film(places, size=SIZE, radius=14)), 180)

    assert np.ptp(seen) < 0.02
    assert seen[-1] == pytest.approx(0.75, abs=0.05)


def test_where_nothing_ever_moves_the_middle_is_shown():
    assert middles(planned(film(np.full(40, 0.2), size=SIZE)), 40) == pytest.approx(0.5)


def test_a_turn_of_the_whole_view_leaves_the_window_where_it_is():
    view = np.random.default_rng(2).integers(40, 220, (45, 200), np.uint8).repeat(4, 0).repeat(4, 1)
    pictures = ((k / 30, grey_frame(view[:, 3 * k : 3 * k + 320], index=k)) for k in range(120))

    assert np.ptp(middles(planned(pictures), 120)) < 0.05


def two_scenes(*, cut_at):
    """A disc trembles left on a dark ground, then right on a bright one."""
    rng = np.random.default_rng(4)
    grounds = [rng.integers(20, 60, SIZE[::-1], np.uint8), rng.integers(130, 200, SIZE[::-1], np.uint8)]
    for k in range(2 * cut_at):
        is_second = k >= cut_at
        x = (0.8 if is_second else 0.2) * 320 + 8 * np.sin(k)
        value = 20 if is_second else 230
        yield k / 30, grey_frame(with_disc(grounds[is_second], x=x, y=90, radius=14, value=value), index=k)


@pytest.mark.parametrize("cut_at", [40, 41, 42])
def test_at_a_cut_it_is_in_its_new_place_from_the_first_picture_on(cut_at):
    seen = middles(planned(two_scenes(cut_at=cut_at)), 2 * cut_at)

    assert seen[cut_at - 1] == pytest.approx(0.2, abs=0.05)
    assert seen[cut_at] == pytest.approx(0.8, abs=0.05)


def test_a_flash_is_no_cut():
    def pictures():
        for time_s, frame in film(0.3 + 0.02 * np.sin(np.arange(120)), size=SIZE, radius=14):
            is_white = 1.5 <= time_s < 1.65
            yield (
                time_s,
                grey_frame(np.full(SIZE[::-1], 235, np.uint8), index=frame.pts) if is_white else frame,
            )

    plan = planned(pictures())

    assert len(plan.x.starts_s) == 1
    assert_gentle(middles(plan, 120))


def test_no_more_is_looked_at_than_is_asked_for():
    looked = []

    def pictures():
        for time_s, frame in film(np.full(200, 0.5), size=SIZE):
            looked.append(time_s)
            yield time_s, frame

    planned(pictures(), until_s=1.0)

    assert looked[-1] <= 1.1


def test_a_tall_picture_in_a_wide_shape_is_followed_up_and_down():
    def pictures():
        ground = np.random.default_rng(5).integers(40, 70, (320, 180), np.uint8)
        for k in range(60):
            y = 250 + 6 * np.sin(k)
            yield k / 30, grey_frame(with_disc(ground, x=90, y=y, radius=14), index=k)

    plan = plan_follow(pictures(), width=1920, height=1080, sample_aspect=None)

    assert plan.x.at(1.0) == 0.5
    assert plan.y.at(1.0) == pytest.approx(250 / 320, abs=0.05)


def test_a_picture_of_the_shape_itself_is_not_moved():
    plan = plan_follow(
        film(np.linspace(0.1, 0.9, 60), size=SIZE), width=1920, height=1080, sample_aspect=None
    )

    assert (plan.x.at(1.0), plan.y.at(1.0)) == (0.5, 0.5)


def test_the_rendered_window_holds_what_moves():
    places = np.linspace(0.25, 0.75, 180)
    plan = planned(film(places, size=SIZE, radius=14))
    window = MovingWindow(216, 384, window_at=plan.at, zoom=1.0, sample_aspect=None)

    found = [
        np.nonzero(luma_of(window.compose(f))[192] > 150)[0] for _, f in film(places, size=SIZE, radius=14)
    ]

    assert all(len(columns) > 40 for columns in found)
    moves = np.diff([columns.mean() for columns in found])
    # Of the disc on the screen: what it moves in the source, less what the window moves; steps of a source's pixel.
    assert np.abs(moves).max() < 216 * RULES.max_speed / 30 + 2 * 216 / (320 * WINDOW)
