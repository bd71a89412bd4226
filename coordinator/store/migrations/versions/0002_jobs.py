"""The job engine's tables."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_file("0002_jobs.sql")
