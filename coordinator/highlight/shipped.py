"""The detector's numbers, which came with this version as JSON beside its code."""

from __future__ import annotations

from importlib import resources
from typing import TypeVar

import msgspec

_File = TypeVar("_File")


def read_shipped(name: str, kind: type[_File]) -> _File:
    """The file of that name in this folder, as its type."""
    raw = resources.files("coordinator.highlight").joinpath(name).read_bytes()
    return msgspec.json.decode(raw, type=kind)
