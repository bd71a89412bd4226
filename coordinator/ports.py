"""The roles that adapters fill.

Each docstring says what every adapter must keep; one contract suite checks them all, fakes included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from coordinator.model.accounts import Principal
from coordinator.model.chunks import ChunkRow
from coordinator.model.forgetting import DoomedObject, HeldChunk, Receipt
from coordinator.model.jobs import NewJob
from coordinator.model.media import ExportResult, MediaFile
from coordinator.model.sessions import (
    AnalysisRow,
    ClipRow,
    FeatureRow,
    LeftoverUpload,
    LookState,
    MarkerRow,
    MomentRow,
    RequestRow,
    SessionRow,
    TranscriptRow,
)
from coordinator.model.speech import Pcm16k, Transcript, Word

if TYPE_CHECKING:
    import asyncpg
    import numpy as np
    import numpy.typing as npt

# What a stage wants written: runs inside the transaction that also marks the job done and enqueues the jobs it
# returns, so that a job's result and what follows from it can never be torn apart.
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

    async def cut(self, src: Path, dst: Path, *, start_s: float, end_s: float) -> float:
        """Write the span as an MP4 that starts at 0; exact to a frame. Returns its length in seconds."""
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


class Rows(Protocol):
    """The rows that the pipeline reads and writes. Reads take a connection of their own; writes take the effect's."""

    async def chunk(self, session_id: str, lane: int, seq: int) -> ChunkRow:
        """One chunk. Raises NotFound."""
        ...

    async def session(self, session_id: str) -> SessionRow:
        """One session. Raises NotFound."""
        ...

    async def features(self, session_id: str, *, since_ns: int) -> list[FeatureRow]:
        """Signals from a time on, by lane and number."""
        ...

    async def transcripts(self, session_id: str, *, start_ns: int, end_ns: int) -> list[TranscriptRow]:
        """What was said in chunks that touch a span, in order."""
        ...

    async def markers(self, session_id: str) -> list[MarkerRow]:
        """Presses, in order."""
        ...

    async def request(self, request_id: str) -> RequestRow:
        """One source request. Raises NotFound."""
        ...

    async def clip(self, clip_id: str) -> ClipRow:
        """One cut. Raises NotFound."""
        ...

    async def save_transcript(self, connection: asyncpg.Connection, row: TranscriptRow) -> None:
        """Write once; a second copy changes nothing."""
        ...

    async def save_features(self, connection: asyncpg.Connection, session_id: str, row: FeatureRow) -> None:
        """Write once; a second copy changes nothing."""
        ...

    async def lock_session(self, connection: asyncpg.Connection, session_id: str) -> None:
        """Let one analysis of a session commit at a time."""
        ...

    async def moments(self, connection: asyncpg.Connection, session_id: str) -> list[MomentRow]:
        """All moments of a session."""
        ...

    async def add_moment(self, connection: asyncpg.Connection, row: MomentRow) -> None:
        """Offer a moment."""
        ...

    async def rescore_moment(self, connection: asyncpg.Connection, row: MomentRow) -> None:
        """Change score, kind, title and evidence; the span stays."""
        ...

    async def set_moments_reason(self, connection: asyncpg.Connection, session_id: str, reason: str) -> None:
        """Say why there are no moments; empty when there are."""
        ...

    async def num_requests_last_hour(self, connection: asyncpg.Connection, session_id: str) -> int:
        """How many moments of a session were asked for in the last hour."""
        ...

    async def add_request(
        self, connection: asyncpg.Connection, row: RequestRow, *, expires_in_s: float
    ) -> None:
        """Ask for full quality; of one moment, once."""
        ...

    async def add_clip(self, connection: asyncpg.Connection, row: ClipRow) -> None:
        """Write once; nothing of a span that is to be forgotten."""
        ...

    async def add_export(
        self, connection: asyncpg.Connection, *, export_id: str, clip_id: str, preset: str
    ) -> None:
        """Write once."""
        ...

    async def finish_export(
        self, connection: asyncpg.Connection, export_id: str, object_key: str, result: ExportResult
    ) -> None:
        """Mark it ready."""
        ...

    async def fail_export(self, connection: asyncpg.Connection, export_id: str, reason: str) -> None:
        """Mark it failed for good, and tell the agent."""
        ...

    async def fail_request(self, connection: asyncpg.Connection, request_id: str, reason: str) -> None:
        """Mark an upload as unusable, and tell the agent."""
        ...

    async def ask_again(self, connection: asyncpg.Connection, request_id: str, reason: str) -> None:
        """An upload did not arrive as it was sent: the agent is asked again later, a few times, then it has failed."""
        ...

    async def mark_joined(self, connection: asyncpg.Connection, request_id: str) -> None:
        """An upload is one object, and its parts are of no use any more."""
        ...

    async def leftover_uploads(self) -> list[LeftoverUpload]:
        """What may lie in the store for requests that are over."""
        ...

    async def mark_swept(self, connection: asyncpg.Connection, request_ids: Sequence[str]) -> None:
        """What lay in the store for these is deleted."""
        ...

    async def expire_requests(self, connection: asyncpg.Connection) -> None:
        """Close wishes that no agent can fulfil any more."""
        ...

    async def notify_link(self, connection: asyncpg.Connection, session_id: str) -> None:
        """Tell the process that holds the agent's stream, once the transaction commits."""
        ...


class Looks(Protocol):
    """How far sessions were heard, and which windows were looked at. Writes are made under `Rows.lock_session`."""

    async def state(self, session_id: str, connection: asyncpg.Connection | None = None) -> LookState:
        """Where a session stands; within the transaction of `connection`, if there is one. Raises NotFound."""
        ...

    async def features_before(self, session_id: str, lane: int, seq: int) -> list[FeatureRow]:
        """Signals of a lane's few chunks before one, in order."""
        ...

    async def hear_lane(self, connection: asyncpg.Connection, session_id: str, lane: int) -> None:
        """A chunk of the lane was heard, or failed: move on."""
        ...

    async def save(self, connection: asyncpg.Connection, state: LookState) -> None:
        """Write where the looks stand; no number goes back."""
        ...

    async def add_analysis(self, connection: asyncpg.Connection, row: AnalysisRow) -> bool:
        """Write what a look found; False, and nothing, when its window was looked at before."""
        ...

    async def end_session(self, connection: asyncpg.Connection, session_id: str) -> None:
        """Nothing of a session is waited for any more."""
        ...

    async def give_up_sessions(self, connection: asyncpg.Connection) -> None:
        """Nothing is waited for any more of sessions that fell silent long ago."""
        ...


class Tombstones(Protocol):
    """How an order to forget is worked off. Each method is a transaction of its own, where it takes no connection."""

    async def doomed(self, forget_id: str) -> list[DoomedObject]:
        """The objects of an order that are still there."""
        ...

    async def chunks_in(self, session_id: str, key: str) -> list[HeldChunk]:
        """The chunks that rows name in an object."""
        ...

    async def move_chunks(
        self, session_id: str, old_key: str, new_key: str, moves: Sequence[tuple[HeldChunk, int]]
    ) -> bool:
        """Let rows name the new object, each chunk at its offset there; False: not all are where they were read."""
        ...

    async def settle(self, forget_id: str, key: str) -> None:
        """An object is gone."""
        ...

    async def finish(
        self, connection: asyncpg.Connection, forget_id: str, *, remains: Sequence[str]
    ) -> Receipt | None:
        """Write the receipt, and tell the agent; None: an object or a spool that can be reached still holds some."""
        ...

    async def doomed_again(self) -> list[str]:
        """Objects that are gone, and that somebody may still put."""
        ...

    async def end_again(self, connection: asyncpg.Connection) -> None:
        """Let go of those that nobody can put any more."""
        ...
