"""Alembic's environment: runs on the connection that `coordinator.store.migrate` hands it, in one transaction."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit(
        "run `clippy-coordinator migrate`; Alembic's own command line does not know the database"
    )
context.configure(connection=connection, target_metadata=None, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
