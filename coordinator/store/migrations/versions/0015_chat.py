"""What viewers wrote and games said."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_file("0015_chat.sql")
