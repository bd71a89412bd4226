"""What was not kept expires."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_file("0020_retention.sql")
