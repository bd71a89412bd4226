"""The roles that adapters fill.

Each docstring says what every adapter must keep; one contract suite checks them all, fakes included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from coordinator.model.speech import Pcm16k, Transcript


class Transcriber(Protocol):
    """Turn speech into timed text, many streams at once. Called from one thread at a time."""

    engine: str
    model: str

    def transcribe(self, windows: Sequence[Pcm16k]) -> list[Transcript]:
        """Return one transcript for each window, in the same order; never mixes windows.

        Raises:
            ModelUnavailable: No model on this machine; says how to get one. Pauses the queue.
            AudioUnusable: A window cannot be decoded; a retry will not help.
        """
        ...

    def close(self) -> None:
        """Free the model. Twice is once."""
        ...
