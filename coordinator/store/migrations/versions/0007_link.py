"""What the link asks at each connect and at each look for news, by index."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_file("0007_link.sql")
