"""What streamers keep and throw away."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_file("0016_taste.sql")
