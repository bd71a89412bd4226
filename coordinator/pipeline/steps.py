"""What follows what, and under which key. Pure.

chunk -> transcription -> ai-analysis -> (source request to the agent) -> video-processing -> clip-generation -> export
order to forget, and each spool swept for it -> cleanup
"""

from __future__ import annotations

from coordinator.model.chunks import ChunkRow
from coordinator.model.jobs import NewJob, Priority, Queue
from protos.clippy.v1 import media_pb2

# Lanes that are heard: each chunk becomes a transcript (mic), signals (sound, signals) or lines (chat, events).
HEARD_LANES = frozenset(
    {
        *(media_pb2.LANE_MIC, media_pb2.LANE_DESKTOP, media_pb2.LANE_SIGNALS),
        *(media_pb2.LANE_CHAT, media_pb2.LANE_EVENTS),
    }
)

# How far a job that fetches, works and stores is when it has fetched, and when it has worked: by the clock, encoding is
# nearly all of it.
FETCHED, WORKED = 0.1, 0.95


# Payloads of the queue `export`: of one post, and of all of a clip.
EXPORT_VERSIONS = (1, 2)


def share_of_work(share: float) -> float:
    """The share of the whole job, when so much of its work between fetching and storing is done."""
    return FETCHED + (WORKED - FETCHED) * share


def jobs_after_chunk(chunk: ChunkRow) -> list[NewJob]:
    """A durable chunk is heard; lanes that only wait to be fetched need nothing."""
    if chunk.lane not in HEARD_LANES:
        return []
    return [hearing(chunk.session_id, chunk.lane, chunk.seq, is_press=chunk.is_pressed)]


def hearing(session_id: str, lane: int, seq: int, *, is_press: bool = False) -> NewJob:
    """Hear one chunk. `is_press`: words of a clip that a press made are in it, so its post waits for them."""
    return NewJob(
        queue=Queue.TRANSCRIPTION,
        key=f"stt:{session_id}:{lane}:{seq}",
        payload={"session_id": session_id, "lane": lane, "seq": seq},
        priority=_priority(is_press=is_press and lane == media_pb2.LANE_MIC),
    )


def analysis(session_id: str, window_no: int) -> NewJob:
    """Look for moments in everything heard by then; queued when this window is closed and due."""
    return NewJob(
        queue=Queue.AI_ANALYSIS,
        key=f"ai:{session_id}:{window_no}",
        payload={"session_id": session_id},
    )


def analysis_at_end(session_id: str) -> NewJob:
    """Look when the session ends: the last look, if all of it has been heard by then."""
    return NewJob(queue=Queue.AI_ANALYSIS, key=f"ai:{session_id}:end", payload={"session_id": session_id})


def final_analysis(session_id: str) -> NewJob:
    """Look once more when the session has ended and all of it was heard."""
    return NewJob(
        queue=Queue.AI_ANALYSIS,
        key=f"ai:{session_id}:final",
        payload={"session_id": session_id, "is_final": True},
    )


def preparation(request_id: str, *, is_press: bool, num_attempts: int = 0) -> NewJob:
    """Look at an uploaded source before anything else touches it; `num_attempts` uploads before it were no good."""
    return NewJob(
        queue=Queue.VIDEO_PROCESSING,
        key=f"prep:{request_id}:{num_attempts}" if num_attempts else f"prep:{request_id}",
        payload={"request_id": request_id},
        priority=_priority(is_press=is_press),
    )


def cutting(request_id: str, *, is_press: bool) -> NewJob:
    """Cut the uploaded source to its clip."""
    return NewJob(
        queue=Queue.CLIP_GENERATION,
        key=f"clip:{request_id}",
        payload={"request_id": request_id},
        priority=_priority(is_press=is_press),
    )


def exporting_all(clip_id: str, *, is_press: bool) -> NewJob:
    """Make all posts of a clip that are wanted, from one decode."""
    return NewJob(
        queue=Queue.EXPORT,
        key=f"exp:{clip_id}",
        payload={"clip_id": clip_id},
        priority=_priority(is_press=is_press),
        version=max(EXPORT_VERSIONS),
    )


def exporting(clip_id: str, preset: str, *, is_press: bool) -> NewJob:
    """Make one post of a clip by itself."""
    return NewJob(
        queue=Queue.EXPORT,
        key=f"exp:{clip_id}:{preset}",
        payload={"clip_id": clip_id, "preset": preset},
        priority=_priority(is_press=is_press),
    )


def forgetting(forget_id: str, *, after: str = "order") -> NewJob:
    """Work off an order to forget: once for the order, and once for each spool (`after`: its node) swept for it."""
    return NewJob(
        queue=Queue.CLEANUP,
        key=f"forget:{forget_id}:{after}",
        payload={"forget_id": forget_id},
        priority=Priority.CRITICAL,
    )


def after_sweep(forget_id: str, node: str) -> list[NewJob]:
    """A spool was swept for an order: perhaps it was the last that was waited for."""
    return [forgetting(forget_id, after=node)]


def subject_of(key: str) -> dict[str, str | int | float | bool | None]:
    """The payload that a key was made for, as far as it says what the job is about; empty: the key is none of ours."""
    kind, *parts = key.split(":")
    if kind == "stt" and len(parts) == 3:
        return {"session_id": parts[0], "lane": int(parts[1]), "seq": int(parts[2])}
    if kind == "exp" and len(parts) == 2:
        return {"clip_id": parts[0], "preset": parts[1]}
    names = {
        "exp": "clip_id",
        "ai": "session_id",
        "prep": "request_id",
        "clip": "request_id",
        "forget": "forget_id",
    }
    return {names[kind]: parts[0]} if kind in names and parts else {}


def _priority(*, is_press: bool) -> Priority:
    # A press is the best signal there is, whoever pressed.
    return Priority.CRITICAL if is_press else Priority.NORMAL
