"""What a language model said of moments and of looks, and what its answers used by provider."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_file("0012_opinions.sql")
