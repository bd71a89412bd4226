"""Gain and mute, block by block."""

from __future__ import annotations

import numpy as np
import pytest

from agent.encode.fader import Fader

BLOCK = 1024


def tone(position, amplitude=0.1):
    mono = (amplitude * np.sin(2 * np.pi * 300 * np.arange(position, position + BLOCK) / 48_000)).astype(
        np.float32
    )
    return np.stack([mono, mono], axis=1)


def heard(fader, num_blocks, start=0, amplitude=0.1):
    blocks = range(start, start + num_blocks * BLOCK, BLOCK)
    return np.concatenate([fader.apply(at, tone(at, amplitude)) for at in blocks])[:, 0]


def test_a_sound_that_nobody_touched_is_the_very_same():
    block = tone(0)

    assert Fader().apply(0, block) is block


@pytest.mark.parametrize("gain_db", [-60.0, -6.0, 6.0, 20.0])
def test_gain_is_in_decibels(gain_db):
    sound = heard(Fader(gain_db), 4, amplitude=0.01)

    assert np.max(np.abs(sound)) == pytest.approx(0.01 * 10 ** (gain_db / 20), rel=0.01)


def test_a_gain_that_would_clip_is_bent():
    assert np.max(np.abs(heard(Fader(20.0), 4, amplitude=0.9))) <= 1.0


@pytest.mark.parametrize(("gain_db", "is_muted"), [(0.0, True), (-60.0, False), (6.0, False)])
def test_a_change_never_clicks(gain_db, is_muted):
    fader = Fader()
    before = heard(fader, 2)
    fader.set(gain_db, is_muted=is_muted, at=2 * BLOCK)
    after = heard(fader, 3, start=2 * BLOCK)
    steps = np.abs(np.diff(np.concatenate([before, after])))

    # no step is larger than the louder tone's own steepest, and a little for the ramp
    loudest = max(1.0, 10 ** (gain_db / 20))
    assert np.max(steps) <= loudest * np.max(np.abs(np.diff(before))) * 1.05


def test_a_mute_holds_from_the_next_block_on_for_what_was_heard_before_as_well():
    fader = Fader()
    fader.set(0.0, is_muted=True, at=10 * BLOCK)
    sound = heard(fader, 3)

    assert not sound[BLOCK - 1 :].any()


def test_nothing_that_was_said_under_a_mute_is_heard_when_it_ends():
    fader = Fader(is_muted=True)
    fader.set(0.0, is_muted=False, at=5 * BLOCK + 7)
    sound = heard(fader, 10)

    assert not sound[: 6 * BLOCK].any()
    assert sound[7 * BLOCK :].any()


def test_a_gain_that_is_moved_meanwhile_does_not_end_the_mute_sooner():
    fader = Fader(is_muted=True)
    fader.set(0.0, is_muted=False, at=5 * BLOCK)
    fader.set(-3.0, is_muted=False, at=BLOCK)

    assert not heard(fader, 5).any()
