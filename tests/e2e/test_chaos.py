"""kill -9 of workers and of the database under streams: in short what `bench jobs --part chaos` does for minutes."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.bench.jobs_chaos import run_chaos
from tests.bench.jobs_chaos_site import ChaosSite, EmbeddedSite, ExternalSite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(480),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"),
]


@pytest.mark.parametrize("site_class", [EmbeddedSite, ExternalSite], ids=["embedded", "external"])
def test_kills_of_workers_and_of_the_database_lose_and_double_nothing(site_class: type[ChaosSite]) -> None:
    report = run_chaos(site_class, seed=7, duration_s=60.0, num_kills=6, num_databases=1)

    assert (report.num_workers, report.num_databases) == (6, 1)
    assert report.findings.lost == []
    assert report.findings.twice == []
    assert report.findings.left == []
    assert report.never == []
    # All stages had work: else nothing was shown.
    counts = report.findings.counts
    assert min(counts[name] for name in ("chunks", "transcripts", "analyses", "clips", "posts")) > 0
