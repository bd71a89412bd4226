"""Parts of JSON that came from outside. Pure, and total: what is not there, or of another type, is empty."""

from __future__ import annotations

import json
from typing import Any


def object_in(content: bytes) -> dict[str, Any] | None:
    """A JSON object; None: it is none, or nests deeper than a parser of ours goes."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def objects_of(value: object) -> list[dict[str, Any]]:
    """The objects in a list; empty: it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(value: dict[str, Any], name: str) -> str:
    """A member that is text, or a number, as text; empty for everything else."""
    found = value.get(name)
    if isinstance(found, str):
        return found
    return (
        str(found) if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 10**18 else ""
    )
