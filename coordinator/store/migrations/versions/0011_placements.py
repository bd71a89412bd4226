"""Places by tier, the routes that workers serve, and priorities with room for an order within them."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_file("0011_placements.sql")
