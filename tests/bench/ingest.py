"""Bench `ingest`: what ten thousand agents cost, what a herd of them does, what faults lose, and what a
flood does to others.

The parts are in ingest_load.py, ingest_herd.py, ingest_faults.py and ingest_flood.py; each takes under ten minutes.
"""

from __future__ import annotations

import sys

from tests.bench.measure import CannotMeasure, Result

PARTS = ("load", "herd", "faults", "flood")


def run(result: Result, parts: tuple[str, ...], *, scale: float = 1.0) -> None:
    """Measure; `scale` shortens it for a test."""
    if sys.platform != "linux":
        raise CannotMeasure("processes are measured by /proc, and driven by epoll: Linux only")
    # Each part has needs of its own: what one lacks must not keep the others from running.
    if "load" in parts:
        from tests.bench.ingest_load import run_load

        run_load(result, scale)
    if "herd" in parts:
        from tests.bench.ingest_herd import run_herd

        run_herd(result, scale)
    if "faults" in parts:
        from tests.bench.ingest_faults import run_faults

        run_faults(result, scale=scale)
    if "flood" in parts:
        from tests.bench.ingest_flood import run_flood

        run_flood(result, scale=scale)
