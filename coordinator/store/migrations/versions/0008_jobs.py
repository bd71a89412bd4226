"""How far a job is."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_file("0008_jobs.sql")
