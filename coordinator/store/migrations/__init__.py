"""The schema's history. Each version is an `.sql` file that never changes, and the module that Alembic finds.

Expand first, contract in a later release: the version before must run on the schema after.
"""

from __future__ import annotations

from pathlib import Path


def run_file(name: str) -> None:
    """Execute one file of `versions` in the migration's transaction."""
    from alembic import op

    text = (Path(__file__).with_name("versions") / name).read_text(encoding="utf-8")
    # Straight to the driver: SQLAlchemy would take `%` and `:name` in the text for parameters.
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration's connection was closed under it")
    driver.execute(text)
