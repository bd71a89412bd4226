"""The roles that adapters fill.

Each docstring says what every adapter must keep; one contract suite checks them all, fakes included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from coordinator.model.accounts import Principal
from coordinator.model.exporting import Recipe
from coordinator.model.jobs import NewJob, Priority
from coordinator.model.llm import JudgedWindow, Judgement, Unjudged
from coordinator.model.media import ExportResult, MediaFile
from coordinator.model.speech import Pcm16k, Transcript

if TYPE_CHECKING:
    import asyncpg
    import numpy as np
    import numpy.typing as npt

# What a stage wants written: runs inside the transaction that also marks the job done and enqueues the jobs it
# returns, so that a job's result and what follows from it can never be torn apart. It shares that transaction with
# other jobs' effects, and is called again, from the start, where it was undone for one of them.
Effect: TypeAlias = "Callable[[asyncpg.Connection], Awaitable[Sequence[NewJob]]]"


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

    async def transcribe(
        self, windows: Sequence[Pcm16k], *, priority: Priority = Priority.NORMAL
    ) -> list[Transcript]:
        """As `Transcriber.transcribe`; several callers' windows may share a batch, results never mix.

        Args:
            priority: whose windows go first; nobody's starve.
        """
        ...


class Judge(Protocol):
    """A language model's second opinion of what the detector found. It ranks and names; it can make no clip."""

    async def judge(
        self,
        windows: Sequence[JudgedWindow],
        *,
        on_unjudged: Callable[[JudgedWindow, Unjudged], None] | None = None,
        is_insisting: bool = False,
    ) -> Sequence[Judgement | None]:
        """Return a judgement for each window, in the same order; None where no model was asked or none answered well.

        What is said of one window uses its own candidates alone. A call holds windows of one account, unless the
        operator lets accounts share calls; then nothing but numbers is said of them.

        Args:
            windows: with different `window_id`s.
            on_unjudged: told once for each None, with the reason.
            is_insisting: raise instead of answering None to all because no provider can be asked now.

        Raises:
            LlmUnavailable: Only to who insists; says when to ask again.
        """
        ...


class Media(Protocol):
    """Decoding and encoding of what came from outside, in a limited child process.

    Every method raises MediaUnusable for input that cannot be used, with the reason, and MediaInterrupted where the
    child was killed from outside or stood still (MediaStalled), which says nothing of the input.
    """

    async def probe(self, path: Path) -> MediaFile:
        """Say what a file holds."""
        ...

    async def cut(
        self,
        src: Path,
        dst: Path,
        *,
        start_s: float,
        end_s: float,
        on_progress: Callable[[float], None] = ...,
    ) -> float:
        """Write the span as an MP4 that starts at 0; exact to a frame. Returns its length in seconds.

        Args:
            on_progress: told the share that is done, from 0 to 1.
        """
        ...

    async def export_all(
        self,
        src: Path,
        orders: Sequence[tuple[Path, str]],
        recipe: Recipe,
        *,
        on_progress: Callable[[float], None] = ...,
    ) -> list[ExportResult]:
        """Render to every (file, preset) from one decode, all of them or none; results in the same order.

        Args:
            recipe: for all of them; its own preset counts for nothing.
            on_progress: told the share that is rendered, from 0 to 1; from 0 again where one has to be made smaller.
        """
        ...

    async def decode_pcm16k(self, data: bytes) -> npt.NDArray[np.float32]:
        """Decode one self-contained audio chunk: float32 mono 16,000 Hz, shape (num_samples,).

        Raises:
            AudioUnusable: It cannot be decoded.
        """
        ...


class Authenticator(Protocol):
    """Says who speaks."""

    async def authenticate(self, token: str, peer: str = "") -> Principal | None:
        """Whose token this is, or None: forged, expired, of a revoked device or a closed account.

        Args:
            peer: where it came from, as gRPC writes it; the owner's own token counts from loopback only.

        Raises:
            DatabaseUnavailable: Nobody knows now; ask again.
        """
        ...

    async def revoked(self, principals: Sequence[Principal]) -> set[Principal]:
        """Which of these may no longer speak, or have another tier or role by now. One question for all.

        Raises:
            DatabaseUnavailable: Nobody knows now; ask again.
        """
        ...


class JobQueue(Protocol):
    """Where jobs are put. The only adapter is jobs/engine.py."""

    async def enqueue(
        self, connection: asyncpg.Connection, jobs: Sequence[NewJob], *, are_new: bool = False
    ) -> None:
        """Put jobs in `connection`'s transaction; a key that is already queued or done is skipped.

        Args:
            are_new: the caller knows that none of these keys ever ended, which spares a question.
        """
        ...


class ChunkBytes(Protocol):
    """The bytes of a chunk, wherever its row says they are."""

    async def read(self, place: str) -> bytes:
        """Return them.

        Raises:
            NotFound: They are not (any more) where the row says; read the row again.
            BytesAway: Their node is gone or silent; try again later.
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
