"""The order in which runs of text stand on a line, by the Unicode bidirectional algorithm (UAX 9).

A run is of one direction already (one script, one font), so the rules for single characters are left to the
shaper, and those for embeddings do not occur. Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

Direction = Literal["L", "R", "number", "neutral"]


def direction_of(text: str) -> Direction:
    """Return what decides the place of a run: its first strong character, else a number, else nothing."""
    has_number = False
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind == "L":
            return "L"
        if kind in ("R", "AL"):
            return "R"
        has_number = has_number or kind in ("EN", "AN")
    return "number" if has_number else "neutral"


def is_right_to_left(texts: Sequence[str]) -> bool:
    """Does a line of these words begin at the right: is its first strong character of such a script?"""
    return next((d == "R" for text in texts if (d := direction_of(text)) in ("L", "R")), False)


def levels_of(texts: Sequence[str], *, is_rtl: bool) -> list[int]:
    """Return the embedding level of each run of a line: odd ones run from right to left."""
    base = 1 if is_rtl else 0
    directions = [direction_of(text) for text in texts]
    edge: Direction = "R" if is_rtl else "L"
    # W7: a number after Latin letters is part of them.
    strong = edge
    for index, direction in enumerate(directions):
        if direction in ("L", "R"):
            strong = direction
        elif direction == "number" and strong == "L":
            directions[index] = "L"
    # N1 and N2: what has no direction takes that of both its neighbours, else that of the line.
    resolved = list(directions)
    for index, direction in enumerate(directions):
        if direction == "neutral":
            before = next((d for d in reversed(directions[:index]) if d != "neutral"), edge)
            after = next((d for d in directions[index + 1 :] if d != "neutral"), edge)
            sides = {"R" if d == "number" else d for d in (before, after)}
            resolved[index] = sides.pop() if len(sides) == 1 else edge
    levels = {0: {"L": 0, "R": 1, "number": 2}, 1: {"L": 2, "R": 1, "number": 2}}[base]
    return [levels[direction] for direction in resolved]


def visual_order(levels: Sequence[int]) -> list[int]:
    """Return indices from left to right (rule L2: from the highest level down, reverse what lies at or above)."""
    order = list(range(len(levels)))
    for level in range(max(levels, default=0), 0, -1):
        start = 0
        while start < len(order):
            after = start
            while after < len(order) and levels[order[after]] >= level:
                after += 1
            order[start:after] = order[start:after][::-1]
            start = max(after, start + 1)
    return order
