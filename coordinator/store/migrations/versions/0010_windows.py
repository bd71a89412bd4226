"""Looks for moments by windows, and where the hearing of each lane stands."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_file("0010_windows.sql")
