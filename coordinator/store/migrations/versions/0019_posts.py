"""How each account's posts look."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_file("0019_posts.sql")
