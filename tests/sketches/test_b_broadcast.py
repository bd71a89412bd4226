"""What the broadcasts promise beside what all sketches do."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sketches.b_broadcast.stream import make

SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
def test_microphone_and_desktop_are_both_loud_somewhere(seed: int):
    sketch = make(seed, 60.5)

    assert min(np.abs(sketch.mic).max(), np.abs(sketch.desktop).max()) > 0.05
