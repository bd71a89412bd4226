"""Clips of presses that grow, or whose ends are moved."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_file("0021_growing_clips.sql")
