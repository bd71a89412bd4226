"""The bench `ingest --part faults` from end to end, shortened; here its promises are looked at."""

from __future__ import annotations

import sys

import pytest

from tests.bench.ingest_faults import FIGURES, run_faults
from tests.bench.measure import Result


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc, disks are made by tmpfs")
def test_a_few_faults_of_every_kind_lose_corrupt_and_double_nothing():
    result = Result()

    run_faults(result, 0.02)

    assert set(result.figures) == set(FIGURES)
    bad = ("missing", "corrupt", "duplicated", "drain_lost", "node_lost_acked_missing")
    assert {name: result.figures[name] for name in bad} == dict.fromkeys(bad, 0), result.notes
    assert (result.figures["acked"] or 0) > 100
    assert (result.figures["kills"] or 0) >= 3
