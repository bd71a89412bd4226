"""How many windows a GPU's memory holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.speech.gpu import batch_that_fits, free_gpu_bytes, num_windows

GIB = 1024**3


@pytest.mark.parametrize(
    ("free_gib", "model_gib", "num"),
    [
        (0, 3, 1),  # nothing fits: one is tried, and its failure told
        (1, 3, 1),
        (8, 3, 18),
        (20, 1.5, 89),
        (130, 3, 318),
    ],
)
def test_windows_are_as_many_as_the_memory_holds(free_gib: float, model_gib: float, num: int) -> None:
    assert num_windows(int(free_gib * GIB), int(model_gib * GIB)) == num


@pytest.mark.skipif(free_gpu_bytes() is not None, reason="there is a GPU here")
def test_where_no_gpu_can_be_asked_all_that_was_asked_for_goes(tmp_path: Path) -> None:
    assert batch_that_fits(tmp_path, 16) == 16


@pytest.mark.gpu
@pytest.mark.skipif(free_gpu_bytes() is None, reason="there is no GPU here")
def test_a_gpu_tells_what_is_free() -> None:
    free_bytes = free_gpu_bytes()

    assert free_bytes is not None
    assert free_bytes > 0
