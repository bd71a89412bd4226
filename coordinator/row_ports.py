"""The roles of whoever keeps the pipeline's rows; the others' are in `ports.py`.

Every method that takes a connection writes in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from coordinator.model.chat import Chatter
from coordinator.model.chunks import ChunkRow
from coordinator.model.forgetting import DoomedObject, HeldChunk, Receipt
from coordinator.model.media import ExportResult
from coordinator.model.posts import BrandPart, PostSettings
from coordinator.model.retention import Expired, ExpiredObject
from coordinator.model.sessions import (
    AnalysisRow,
    ClipRow,
    FeatureRow,
    LeftoverUpload,
    LookState,
    MarkerRow,
    MomentRow,
    RequestRow,
    Said,
    SessionOwner,
    SessionRow,
    TranscriptRow,
    WordsAwaited,
)
from protos.taste_model import Taste

if TYPE_CHECKING:
    import asyncpg

    from protos.clippy.v1 import link_pb2


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

    async def unheard_in_span(
        self, connection: asyncpg.Connection, session_id: str, lane: int, *, start_ns: int, end_ns: int
    ) -> list[int]:
        """Numbers of a lane's chunks that touch a span and whose words are not known yet."""
        ...

    async def request(self, request_id: str) -> RequestRow:
        """One source request. Raises NotFound."""
        ...

    async def clip(self, clip_id: str) -> ClipRow:
        """One cut. Raises NotFound."""
        ...

    async def words_awaited(self, clip_id: str) -> WordsAwaited:
        """What of a cut's words is still to come. Raises NotFound."""
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

    async def offered(self, session_id: str) -> list[MomentRow]:
        """As `moments`, outside any transaction: for who only reads."""
        ...

    async def owner(self, session_id: str) -> SessionOwner:
        """Whose a session is. Raises NotFound."""
        ...

    async def add_moment(self, connection: asyncpg.Connection, row: MomentRow) -> None:
        """Offer a moment."""
        ...

    async def drop_moment(self, connection: asyncpg.Connection, moment_id: str) -> None:
        """Take back a moment that is forming; one that is certain stays."""
        ...

    async def rescore_moment(self, connection: asyncpg.Connection, row: MomentRow) -> None:
        """Change score, kind, title, evidence and opinion; the span stays."""
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

    async def replace_requests(self, connection: asyncpg.Connection, row: RequestRow) -> bool:
        """A press's clip is another by now: what was asked for of it before `row` is wanted no more; False: nothing.

        Posts of it that are ready stay until those of the clip as it is now are.
        """
        ...

    async def presets_before(self, connection: asyncpg.Connection, request_id: str) -> list[str]:
        """Of which presets posts were wanted of what the press's clip of a request was before."""
        ...

    async def add_clip(self, connection: asyncpg.Connection, row: ClipRow) -> None:
        """Write once; nothing of a span that is to be forgotten, nor of a replaced request: that cut's object goes."""
        ...

    async def add_export(
        self, connection: asyncpg.Connection, *, export_id: str, clip_id: str, preset: str
    ) -> None:
        """Write once."""
        ...

    async def wanted_presets(self, clip_id: str, preset: str | None) -> list[str]:
        """Of which presets posts of a clip are wanted and not made: all that are made together, or the one named."""
        ...

    async def finish_export(self, export_id: str, object_key: str, result: ExportResult) -> bool:
        """Mark it ready and tell the agent, in a transaction of its own: it is never made again.

        False: its clip is another by now, and nobody wants the file.
        """
        ...

    async def fail_export(self, connection: asyncpg.Connection, export_id: str, reason: str) -> None:
        """Mark it failed for good, and tell the agent."""
        ...

    async def fail_exports(self, connection: asyncpg.Connection, clip_id: str, reason: str) -> None:
        """Mark all of a clip that are made together failed for good, and tell the agent; what is ready stays so."""
        ...

    async def fail_request(self, connection: asyncpg.Connection, request_id: str, reason: str) -> None:
        """Mark an upload as unusable, and tell the agent."""
        ...

    async def reopen_export(self, connection: asyncpg.Connection, export_id: str) -> None:
        """One that had failed is wanted again."""
        ...

    async def reopen_exports(self, connection: asyncpg.Connection, clip_id: str) -> None:
        """All of a clip that are made together and had failed are wanted again."""
        ...

    async def reopen_request(self, connection: asyncpg.Connection, request_id: str) -> None:
        """An upload that was given up is to be used again."""
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


class Posts(Protocol):
    """How accounts' posts look.

    Raises (every method):
        DatabaseUnavailable: Later.
    """

    async def of_session(self, session_id: str) -> PostSettings:
        """What holds now for posts of a session: its account's settings over the coordinator's."""
        ...

    async def brand_of_session(self, session_id: str) -> Sequence[BrandPart]:
        """The brand kit of the session's account; each part once."""
        ...


class UtteranceIndex(Protocol):
    """What was said, to be found by its words."""

    async def add(
        self, connection: asyncpg.Connection, session_id: str, lane: int, seq: int, said: Sequence[Said]
    ) -> None:
        """Add what was said in one chunk, once; nothing of a chunk that was forgotten meanwhile."""
        ...


class Chats(Protocol):
    """What viewers wrote and games said."""

    async def add(
        self, connection: asyncpg.Connection, session_id: str, lane: int, seq: int, chatter: Chatter
    ) -> None:
        """Add what one chunk holds, each line once; nothing of a chunk that was forgotten meanwhile."""
        ...

    async def chatter(self, session_id: str, *, start_ns: int, end_ns: int) -> Chatter:
        """What was written and said in a span, in order; of very much the newest."""
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


class Tastes(Protocol):
    """What streamers keep and throw away, and what is learnt from it, by account.

    Raises (every method):
        DatabaseUnavailable: Later.
    """

    async def of_session(self, session_id: str) -> Taste:
        """The taste of whose session it is; none where nothing was said, or there is no such session."""
        ...

    async def take(self, user_id: str, agent_id: str, news: link_pb2.TasteNews) -> None:
        """What an agent says, written once, whenever it comes again.

        Raises:
            ChunkRefused: It breaks a rule, or is about another account's session.
        """
        ...

    async def news(self, asked: Sequence[tuple[str, str]]) -> list[list[link_pb2.TasteNews]]:
        """For each account and its agent, in order: the last reset, and the newest that was said elsewhere."""
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

    async def note_problem(self, connection: asyncpg.Connection, forget_id: str, reason: str) -> None:
        """Say why an order is not worked off."""
        ...

    async def doomed_again(self) -> list[str]:
        """Objects that are gone, and that somebody may still put."""
        ...

    async def end_again(self, connection: asyncpg.Connection) -> None:
        """Let go of those that nobody can put any more."""
        ...


class Expiry(Protocol):
    """What was not kept, and is old enough. Each method is a transaction of its own.

    Rows go before the objects that they name, and what objects there are to delete is written in the same commit.
    """

    async def due_sessions(self, limit: int) -> list[str]:
        """Sessions of which something is old enough."""
        ...

    async def expire(self, session_id: str) -> Expired | None:
        """Delete some of it, a bounded step; None: nothing of it is due, or another process has it."""
        ...

    async def put_off_session(self, session_id: str) -> None:
        """Something is wrong with a session: others go first for an hour."""
        ...

    async def claim_objects(self, limit: int) -> list[ExpiredObject]:
        """Objects to delete now; nobody else gets them for two minutes."""
        ...

    async def settle_objects(self, keys: Sequence[str], *, num_freed: int, freed_bytes: int) -> None:
        """These are deleted; of them so many were there, with so many bytes."""
        ...

    async def put_off_objects(self, keys: Sequence[str], problem: str) -> None:
        """These could not be deleted, and why; they come again in a minute."""
        ...
