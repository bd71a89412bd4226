"""Which windows may share one call to the model. Pure: windows go by their index, so results find home."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def batches_by_key(keys: Sequence[Key], max_batch: int) -> list[tuple[Key, list[int]]]:
    """Group indices of equal key, each group cut to at most `max_batch`; every index exactly once.

    Groups come in the order of their first member, and indices within a group ascend.
    """
    groups: dict[Key, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return [
        (key, indices[start : start + max_batch])
        for key, indices in groups.items()
        for start in range(0, len(indices), max_batch)
    ]
