"""How a verb answers: one JSON object on stdout, or text."""

from __future__ import annotations

import json
from typing import Any


def answer(value: Any, *, is_json: bool, text: str) -> None:
    """Print one answer: the object, or the text."""
    print(json.dumps(value) if is_json else text, flush=True)


def with_numbers(value: Any) -> Any:
    """protobuf writes 64-bit integers as strings; JSON readers of ours want numbers."""
    if isinstance(value, dict):
        return {key: with_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_numbers(item) for item in value]
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() and len(value) < 20 else value
