"""Ends of jobs: too late is no failure, what ended is found by its time, and an order to forget says what keeps it."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_file("0013_ends.sql")
