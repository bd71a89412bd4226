"""Stage `transcription`: a chunk becomes words (mic), signals (mic, desktop, signals lane) or lines (chat, events).

Claims many chunks at once, of many streams; each keeps its own result. A chunk is cut in a pause by the agent, so
no word is torn between two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from coordinator.errors import AudioUnusable, BytesAway, NotFound
from coordinator.model.chat import Chatter
from coordinator.model.chunks import ChunkRow
from coordinator.model.highlight import SIGNAL_RATE_HZ, Track, Utterance
from coordinator.model.jobs import Job, NewJob
from coordinator.model.sessions import FeatureRow, Said, SpokenWord, TranscriptRow
from coordinator.model.speech import Pcm16k, Transcript
from coordinator.pipeline.chatting import BEFORE_NS, WRITTEN_LANES, is_telling, read_written
from coordinator.pipeline.languages import Languages
from coordinator.pipeline.look_signals import group_words
from coordinator.pipeline.windows import next_look
from coordinator.policy.priorities import priority_of
from coordinator.ports import ChunkBytes, Effect, Media, Speech
from coordinator.row_ports import Chats, Looks, Rows, UtteranceIndex
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS

if TYPE_CHECKING:
    import asyncpg
    import numpy as np
    import numpy.typing as npt

    Pcm: TypeAlias = npt.NDArray[np.float32]

# From the spool to an object, from a node that is gone to another, and from there to an object.
_MOVES = 4
_STEP_NS = SECOND_NS // SIGNAL_RATE_HZ
# Computes a lane's tracks from its sound; pure, some milliseconds for 10 s.
FeatureExtractor: TypeAlias = "Callable[[Pcm, Literal['mic', 'desktop']], Sequence[Track]]"
# Is a chunk worth a look at once, by its tracks, those of the minute before, and its words? Pure.
Promise: TypeAlias = "Callable[[FeatureRow, Sequence[FeatureRow], Sequence[Utterance] | None], bool]"


class Hearing:
    """Hears chunks. One instance a worker."""

    def __init__(
        self,
        *,
        rows: Rows,
        looks: Looks,
        utterances: UtteranceIndex,
        chats: Chats,
        chunk_bytes: ChunkBytes,
        media: Media,
        speech: Speech,
        extract: FeatureExtractor,
        is_promising: Promise,
    ) -> None:
        self._rows = rows
        self._looks = looks
        self._utterances = utterances
        self._chats = chats
        self._is_promising = is_promising
        self._chunk_bytes = chunk_bytes
        self._media = media
        self._speech = speech
        self._extract = extract
        self._languages = Languages()

    async def handle(self, job: Job) -> Effect:
        """Hear one chunk; several run at once, and their windows share a batch in the speech process.

        Raises:
            ModelUnavailable, SpeechBusy: Pauses the queue.
            ChatUnusable, AudioUnusable, BytesAway, NotFound, StoreUnavailable: As the ports say.
        """
        chunk = await self._rows.chunk(
            str(job.payload["session_id"]), int(job.payload["lane"] or 0), int(job.payload["seq"] or 0)
        )
        chunk, data = await self._read(chunk)
        if chunk.lane in WRITTEN_LANES:
            return await self._written(chunk, read_written(chunk, data))
        if chunk.lane == media_pb2.LANE_SIGNALS:
            return await self._heard(chunk, features=_read_signals(chunk, data), transcript=None)
        pcm = await self._media.decode_pcm16k(data)
        is_mic = chunk.lane == media_pb2.LANE_MIC
        transcript = None
        if is_mic:
            window = Pcm16k(samples=pcm, language=self._languages.of(chunk.session_id))
            [transcript] = await self._speech.transcribe(
                [window], priority=priority_of(job.tier, is_press=job.is_press)
            )
            self._languages.learn(chunk.session_id, transcript)
        tracks = await asyncio.to_thread(self._extract, pcm, "mic" if is_mic else "desktop")
        features = FeatureRow(
            lane=chunk.lane,
            seq=chunk.seq,
            start_ns=chunk.start_ns,
            step_ns=_STEP_NS,
            tracks={track.name: _values(track) for track in tracks},
        )
        return await self._heard(chunk, features=features, transcript=transcript)

    async def _read(self, chunk: ChunkRow) -> tuple[ChunkRow, bytes]:
        """The bytes, and the row as it was when they were there."""
        for _ in range(_MOVES):
            try:
                return chunk, await self._chunk_bytes.read(chunk.place)
            except NotFound as exc:
                # Rolled up, or another copy took over, since the row was read.
                again = await self._rows.chunk(chunk.session_id, chunk.lane, chunk.seq)
                if again.place == chunk.place:
                    if chunk.place.startswith("object:"):
                        raise
                    raise BytesAway(str(exc)) from exc
                chunk = again
        raise BytesAway(f"chunk {chunk.seq} moved {_MOVES} times while it was read")

    async def _heard(self, chunk: ChunkRow, *, features: FeatureRow, transcript: Transcript | None) -> Effect:
        said = None if transcript is None else _on_session_line(chunk, transcript)
        before = await self._looks.features_before(chunk.session_id, chunk.lane, chunk.seq)
        spoken = None if said is None else _on_chunk_line(chunk, utterances_of(said))
        promised_ns = chunk.end_ns if self._is_promising(features, before, spoken) else None

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            # Before any row: an order to forget takes it first, too.
            await self._rows.lock_session(connection, chunk.session_id)
            await self._rows.save_features(connection, chunk.session_id, features)
            if said is not None:
                await self._rows.save_transcript(connection, said)
                await self._utterances.add(
                    connection, chunk.session_id, chunk.lane, chunk.seq, utterances_of(said)
                )
            await self._looks.hear_lane(connection, chunk.session_id, chunk.lane)
            return await next_look(self._looks, connection, chunk.session_id, promised_ns=promised_ns)

        return write

    async def _written(self, chunk: ChunkRow, chatter: Chatter) -> Effect:
        """What viewers wrote or games said; its signals are none, and say that it was read."""
        nothing = FeatureRow(
            lane=chunk.lane, seq=chunk.seq, start_ns=chunk.start_ns, step_ns=_STEP_NS, tracks={}
        )
        before = await self._chats.chatter(
            chunk.session_id, start_ns=chunk.start_ns - BEFORE_NS, end_ns=chunk.start_ns
        )
        promised_ns = chunk.end_ns if is_telling(chatter, before) else None

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await self._rows.lock_session(connection, chunk.session_id)
            await self._rows.save_features(connection, chunk.session_id, nothing)
            await self._chats.add(connection, chunk.session_id, chunk.lane, chunk.seq, chatter)
            await self._looks.hear_lane(connection, chunk.session_id, chunk.lane)
            return await next_look(self._looks, connection, chunk.session_id, promised_ns=promised_ns)

        return write

    def give_up(self, job: Job, reason: str) -> Effect:
        """The chunk cannot be heard: say so in its place, and let nobody wait for it."""
        return give_up(self._rows, self._looks)(job, reason)


def give_up(rows: Rows, looks: Looks) -> Callable[[Job, str], Effect]:
    """A chunk that will not be heard says so in its place, and nobody waits for it."""

    def effect(job: Job, reason: str) -> Effect:
        session_id, lane = str(job.payload["session_id"]), int(job.payload["lane"] or 0)
        features = FeatureRow(
            lane=lane,
            seq=int(job.payload["seq"] or 0),
            start_ns=0,
            step_ns=_STEP_NS,
            tracks={},
            reason=reason or "it failed",
        )

        async def write(connection: asyncpg.Connection) -> list[NewJob]:
            await rows.lock_session(connection, session_id)
            await rows.save_features(connection, session_id, features)
            await looks.hear_lane(connection, session_id, lane)
            return await next_look(looks, connection, session_id)

        return write

    return effect


def _on_session_line(chunk: ChunkRow, transcript: Transcript) -> TranscriptRow:
    return TranscriptRow(
        session_id=chunk.session_id,
        lane=chunk.lane,
        seq=chunk.seq,
        start_ns=chunk.start_ns,
        end_ns=chunk.end_ns,
        language=transcript.language,
        engine=transcript.engine,
        model=transcript.model,
        words=tuple(
            SpokenWord(
                text=word.text,
                start_ns=chunk.start_ns + round(word.start_s * SECOND_NS),
                end_ns=min(chunk.start_ns + round(word.end_s * SECOND_NS), chunk.end_ns),
            )
            for word in transcript.words
        ),
    )


def utterances_of(row: TranscriptRow) -> list[Said]:
    """What was said in one chunk, cut at its pauses."""
    return [
        Said(
            start_ns=words[0].start_ns,
            end_ns=words[-1].end_ns,
            text=" ".join(word.text.strip() for word in words),
        )
        for words in group_words(row.words)
    ]


def _on_chunk_line(chunk: ChunkRow, utterances: Sequence[Said]) -> list[Utterance]:
    return [
        Utterance(
            start_s=(one.start_ns - chunk.start_ns) / SECOND_NS,
            end_s=(one.end_ns - chunk.start_ns) / SECOND_NS,
            text=one.text,
        )
        for one in utterances
    ]


def _values(track: Track) -> list[float | None]:
    return [
        round(float(value), 4) if present else None
        for value, present in zip(track.values, track.present, strict=True)
    ]


def _read_signals(chunk: ChunkRow, data: bytes) -> FeatureRow:
    """Parse a SignalBatch; it came from outside.

    Raises:
        AudioUnusable: It is none, or its steps are not half seconds.
    """
    from google.protobuf.message import DecodeError

    try:
        batch = media_pb2.SignalBatch.FromString(data)
    except DecodeError as exc:
        raise AudioUnusable(f"signals chunk {chunk.seq} is no SignalBatch: {exc}") from exc
    longest = (chunk.end_ns - chunk.start_ns) // _STEP_NS + 2
    if batch.step_ns != _STEP_NS or any(len(track.values) > longest for track in batch.tracks):
        raise AudioUnusable(f"signals chunk {chunk.seq}: steps of {batch.step_ns} ns, wanted {_STEP_NS}")
    return FeatureRow(
        lane=chunk.lane,
        seq=chunk.seq,
        start_ns=batch.start_ns,
        step_ns=_STEP_NS,
        tracks={
            track.name[:64]: [round(value, 4) if value == value else None for value in track.values]
            for track in batch.tracks[:32]
        },
    )
