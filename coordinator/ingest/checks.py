"""What small values from outside may be. Pure."""

from __future__ import annotations

from coordinator.errors import ChunkRefused
from protos.segment import MAX_SESSION_NS

_MAX_ID = 64


def tidy(text: str, max_chars: int) -> str:
    """Text from outside as PostgreSQL and a page can take it: no control characters, bounded."""
    return "".join(char for char in text[: 4 * max_chars] if char.isprintable())[:max_chars]


def checked_id(name: str, text: str) -> str:
    """Return an id from outside.

    Raises:
        ChunkRefused: It is empty, too long or holds more than letters, digits and `. _ : -`.
    """
    rest = text[: _MAX_ID + 1].translate({ord(char): None for char in "._:-"})
    if not text or len(text) > _MAX_ID or not text.isascii() or (rest and not rest.isalnum()):
        raise ChunkRefused(f"{name} {text[:_MAX_ID]!r} is not an id of 1 to {_MAX_ID} letters and digits")
    return text


def check_span(start_ns: int, end_ns: int) -> None:
    """Raise ChunkRefused unless 0 <= start <= end <= a session's longest."""
    if not 0 <= start_ns <= end_ns <= MAX_SESSION_NS:
        raise ChunkRefused(f"times {start_ns}..{end_ns} ns are not within a session")
