"""PostgreSQL as identity asks it."""

from __future__ import annotations

from coordinator.database import Asking
from coordinator.statements import load_statements

_ASKING = Asking(load_statements("coordinator.identity", "identity.sql"), acquire_s=5.0, statement_s=10.0)
transaction, fetch, fetch_in = _ASKING.transaction, _ASKING.fetch, _ASKING.fetch_in
