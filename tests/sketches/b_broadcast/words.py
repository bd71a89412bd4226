"""The phrases and figures of the text beside this module."""

from __future__ import annotations

from pathlib import Path


def _read(sort: str) -> dict[str, list[str]]:
    """The text beside this module: a paragraph to a topic, `sort topic: phrase / phrase`."""
    text = Path(__file__).with_name("words.txt").read_text("utf-8")
    rows = (" ".join(block.split()).partition(": ") for block in text.split("\n\n") if block.startswith(sort))
    return {key.split()[1]: rest.split(" / ") for key, _, rest in rows}


def _figures(sort: str) -> dict[str, dict[str, float]]:
    parts = {key: " ".join(row).split() for key, row in _read(sort).items()}
    return {key: dict(zip(row[::2], map(float, row[1::2]), strict=True)) for key, row in parts.items()}


SAID, TYPED = _read("said"), _read("typed")
# A kind says how often it shows each sign; a decoy its seconds, its curves and how many of each one-shot.
KINDS, DECOYS, NOISES = _figures("kind"), _figures("decoy"), _read("noise")
