"""SQL from `.sql` files: each statement stands below a line `-- name: what it is called`, and a comment.

Pure; read once at import.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping

from coordinator.errors import Bug


def load_statements(package: str, file_name: str) -> Mapping[str, str]:
    """Return the statements of a file in `package` by name.

    Raises:
        Bug: A statement without a name, or a name that is there twice.
    """
    text = importlib.resources.files(package).joinpath(file_name).read_text(encoding="utf-8")
    statements: dict[str, str] = {}
    for part in text.split("-- name: ")[1:]:
        name, _, body = part.partition("\n")
        if not name.strip() or name.strip() in statements:
            raise Bug(f"{package}/{file_name}: the name {name.strip()!r} is empty or there twice")
        statements[name.strip()] = body.strip()
    return statements
