"""The roles that adapters fill.

Each docstring says what every adapter must keep; one contract suite checks them all, fakes included.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from coordinator.model.jobs import NewJob
from coordinator.model.media import ExportResult, MediaFile
from coordinator.model.speech import Pcm16k, Transcript, Word

if TYPE_CHECKING:
    import asyncpg
    import numpy as np
    import numpy.typing as npt


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


class Speech(Protocol):
    """A transcriber in a child process of its own, so that the loop never blocks."""

    async def transcribe(self, windows: Sequence[Pcm16k]) -> list[Transcript]:
        """As `Transcriber.transcribe`; several callers' windows may share a batch, results never mix."""
        ...


class Media(Protocol):
    """Decoding and encoding of what came from outside, in a limited child process.

    Every method raises MediaUnusable for input that cannot be used, with the reason.
    """

    async def probe(self, path: Path) -> MediaFile:
        """Say what a file holds."""
        ...

    async def cut(self, src: Path, dst: Path, *, start_s: float, end_s: float) -> MediaFile:
        """Write the span as an MP4 that starts at 0; exact to a frame."""
        ...

    async def export(
        self,
        src: Path,
        dst: Path,
        *,
        preset: str,
        words: Sequence[Word] | None = None,
        start_s: float = 0.0,
        end_s: float | None = None,
        title: str | None = None,
    ) -> ExportResult:
        """Render to a preset. `words` are on the source's line; those outside the span are left out."""
        ...

    async def decode_pcm16k(self, data: bytes) -> npt.NDArray[np.float32]:
        """Decode one self-contained audio chunk: float32 mono 16,000 Hz, shape (num_samples,).

        Raises:
            AudioUnusable: It cannot be decoded.
        """
        ...


class JobQueue(Protocol):
    """Where jobs are put. The only adapter is jobs/engine.py."""

    async def enqueue(self, connection: asyncpg.Connection, jobs: Sequence[NewJob]) -> None:
        """Put jobs in `connection`'s transaction; a key that is already queued or done is skipped."""
        ...


class ChunkBytes(Protocol):
    """The bytes of a chunk, wherever its row says they are."""

    async def read(self, place: str) -> bytes:
        """Return them.

        Raises:
            NotFound: They are not (any more) where the row says.
            StoreUnavailable: The store does not answer; try again.
        """
        ...


class ObjectStore(Protocol):
    """Objects by key (`/`-separated, no leading slash, no `..`)."""

    async def put(self, key: str, data: bytes | Path) -> None:
        """Store atomically, replacing what was there."""
        ...

    async def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return a range, or all.

        Raises:
            NotFound: There is no such object.
        """
        ...

    async def get_file(self, key: str, path: Path) -> None:
        """Copy an object to a file."""
        ...

    async def size(self, key: str) -> int | None:
        """Size in bytes; None where there is no such object."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete; what is not there is no error."""
        ...

    def sign_put(self, key: str, *, expires_in_s: int, max_bytes: int) -> str:
        """A URL that one PUT of at most `max_bytes` may use until it expires."""
        ...

    def sign_get(self, key: str, *, expires_in_s: int) -> str:
        """A URL that plays or downloads the object until it expires."""
        ...
