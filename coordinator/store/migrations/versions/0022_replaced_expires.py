"""What a press's clip was before it changed expires, too."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_file("0022_replaced_expires.sql")
