"""Gives memory that a look needed back to the system: glibc would keep it for the next one, thirty seconds later."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Return freed pages. # Linux: 1-3 ms; of 1080p pictures 30 MiB come back. Elsewhere the system does it."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # not in musl
        if trim is not None:
            trim(0)
