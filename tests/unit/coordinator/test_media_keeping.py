"""Sound that is levelled is decoded once, where it is short enough to be kept."""

from __future__ import annotations

import numpy as np
import pytest

from coordinator.media.sound.keeping import MAX_KEPT_S, kept


@pytest.mark.parametrize(
    ("length_s", "num_opened"), [(1.0, 1), (MAX_KEPT_S, 1), (MAX_KEPT_S + 1, 3), (None, 3)]
)
def test_a_sound_is_decoded_once_unless_it_is_long(length_s, num_opened):
    opened = []

    def open_sound():
        opened.append(1)
        yield np.ones((2, 3), np.float32)
        yield np.zeros((2, 2), np.float32)

    again = kept(open_sound, length_s=length_s)
    found = [np.concatenate(list(again()), axis=1) for _ in range(3)]

    assert all((each == found[0]).all() for each in found) and found[0].shape == (2, 5)
    assert len(opened) == num_opened
