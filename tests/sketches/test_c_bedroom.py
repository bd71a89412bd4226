"""What the bedroom promises beside what all sketches do."""

from __future__ import annotations

import pytest

from tests.sketches.c_bedroom.stream import DECOYS, make


@pytest.mark.parametrize("seed", [1, 2])
def test_decoys_are_of_the_kinds_that_it_names(seed: int) -> None:
    assert {span.kind for span in make(seed).decoys} <= set(DECOYS)


def test_a_fifth_has_no_chat() -> None:
    quiet = [seed for seed in range(30) if not make(seed, 30.0).chat]
    assert 1 <= len(quiet) <= 14
