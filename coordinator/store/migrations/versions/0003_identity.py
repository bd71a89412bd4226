"""Accounts, devices and pairing."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_file("0003_identity.sql")
