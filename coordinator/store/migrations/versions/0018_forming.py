"""Moments whose end is not certain yet."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_file("0018_forming.sql")
