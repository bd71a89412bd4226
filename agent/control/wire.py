"""Our values as protobuf messages, and back."""

from __future__ import annotations

from typing import cast

from agent.model.clips import SavedClip, Trigger
from protos.clippy.v1 import clips_pb2


def clip_to_wire(clip: SavedClip) -> clips_pb2.Clip:
    """A library row as the API shows it."""
    return clips_pb2.Clip(
        clip_id=clip.clip_id,
        path=clip.path,
        session_id=clip.session_id,
        start_ns=clip.start_ns,
        end_ns=clip.end_ns,
        latency_ms=clip.latency_ms,
        trigger=clip.trigger,
        thumbnail_path=clip.thumbnail_path,
        size_bytes=clip.size_bytes,
        created_unix_ms=clip.created_unix_ms,
        title=clip.title,
        is_locked=clip.is_locked,
        trashed_unix_ms=clip.trashed_unix_ms,
        min_start_ns=clip.min_start_ns,
        max_end_ns=clip.max_end_ns,
        note=clip.note,
        tracks=clip.tracks,
    )


def clip_from_wire(clip: clips_pb2.Clip) -> SavedClip:
    """And back; whether its file is exact stays on the other side."""
    return SavedClip(
        clip_id=clip.clip_id,
        path=clip.path,
        session_id=clip.session_id,
        start_ns=clip.start_ns,
        end_ns=clip.end_ns,
        latency_ms=clip.latency_ms,
        trigger=cast("Trigger", clip.trigger),
        thumbnail_path=clip.thumbnail_path,
        size_bytes=clip.size_bytes,
        created_unix_ms=clip.created_unix_ms,
        title=clip.title,
        is_locked=clip.is_locked,
        trashed_unix_ms=clip.trashed_unix_ms,
        min_start_ns=clip.min_start_ns,
        max_end_ns=clip.max_end_ns,
        note=clip.note,
        tracks=tuple(clip.tracks),
    )
