"""The exact files that are made for the coordinator's requests: their names, and which of them are kept at a start."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from agent.paths import make_private
from agent.uplink.wishes import WishBook


def upload_name(request_id: str) -> str:
    """The exact file of a request. An id comes from outside, and names no path."""
    return f"{hashlib.sha256(request_id.encode()).hexdigest()[:32]}.mp4"


def kept_names(book: WishBook) -> set[str]:
    """Files that are whole, and whose upload goes on."""
    return {Path(item.file.path).name for item in book.open() if item.file is not None}


def tidy(folder: Path, *, keep: set[str]) -> None:
    """Make the folder, and delete what is in it beside these."""
    make_private(folder)
    for path in folder.iterdir():
        if path.name not in keep:
            with contextlib.suppress(OSError):
                path.unlink()
