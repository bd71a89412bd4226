"""What is to be forgotten."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_file("0005_forgetting.sql")
