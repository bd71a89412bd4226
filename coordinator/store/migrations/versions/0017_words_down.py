"""What was said goes down to its agent."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_file("0017_words_down.sql")
