"""Language models: their limits, breakers, money and answers, counted for the whole fleet."""

from __future__ import annotations

from coordinator.store.migrations import run_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_file("0009_llm.sql")
