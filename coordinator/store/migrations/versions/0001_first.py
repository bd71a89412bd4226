"""The first schema."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_file("0001_first.sql")
