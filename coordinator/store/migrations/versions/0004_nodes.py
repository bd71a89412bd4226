"""The nodes that hold a spool."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_file("0004_nodes.sql")
