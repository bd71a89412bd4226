"""The sounds of a press."""

from __future__ import annotations

import itertools

import numpy as np

from agent.trigger.chime import render


def test_heard_saved_and_failed_sound_different():
    sounds = [render("heard"), render("saved"), render("failed")]

    spectra = [np.argmax(np.abs(np.fft.rfft(sound, 48_000))) for sound in sounds]

    for one, other in itertools.combinations(spectra, 2):
        assert abs(int(one) - int(other)) > 50  # Hz


def test_a_sound_starts_and_ends_silent_so_that_it_does_not_click():
    for name in ("heard", "saved", "failed"):
        sound = render(name)
        assert abs(sound[0]) < 0.01
        assert abs(sound[-1]) < 0.05
        assert np.abs(sound).max() <= 0.25
