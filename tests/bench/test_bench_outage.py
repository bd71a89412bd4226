"""Some seconds of each outage, with real workers of every stage; ten minutes are the bench's."""

from __future__ import annotations

import sys

import pytest

from tests.bench import jobs_outage


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_down_and_comes_back_burns_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPPY_BENCH_OUTAGE_S", "10")

    figures = jobs_outage.measure()

    assert set(figures) == set(jobs_outage.FIGURES)
    for case in jobs_outage.CASES:
        harm = {
            name: figures[f"outage_{case}_{name}"]
            for name in ("attempts_burnt", "failed", "lost", "dead", "wrong")
        }
        assert harm == dict.fromkeys(harm, 0), case
        assert figures[f"outage_{case}_empty_s"] is not None, case
