"""Sound that is asked for again and again, decoded once."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.media.intake.decoding import Samples
from coordinator.media.sound.levelling import OpenSound

# Two minutes take 46 MB.
MAX_KEPT_S = 120.0


def kept(open_sound: OpenSound, *, length_s: float | None) -> OpenSound:
    """Return what opens the same sound, from memory after the first time; as it was where that would be too much.

    Nobody may write to what it yields. `length_s` None: not known.
    """
    if length_s is None or length_s > MAX_KEPT_S:
        return open_sound
    pieces: list[Samples] | None = None

    def opened() -> Iterator[Samples]:
        nonlocal pieces
        if pieces is None:
            pieces = list(open_sound())
        return iter(pieces)

    return opened
