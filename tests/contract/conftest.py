"""Contracts that need a database use the one of the integration tests."""

from __future__ import annotations

from tests.integration.conftest import database_url, pool, postgres

__all__ = ["database_url", "pool", "postgres"]
