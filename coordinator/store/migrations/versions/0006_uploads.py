"""Uploads in parts."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_file("0006_uploads.sql")
