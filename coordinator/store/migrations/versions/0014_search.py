"""What was said, by its words."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_file("0014_search.sql")
