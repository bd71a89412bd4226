"""Which objects a source request leads to, and where an account's own lie.

Pure: the same request always has the same keys, made or not yet made.
"""

from __future__ import annotations

import uuid


def clip_id_of(request_id: str) -> str:
    """The cut of a request."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"clippy:clip:{request_id}").hex


def export_id_of(clip_id: str, preset: str) -> str:
    """The same clip and preset always have the same export."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"clippy:export:{clip_id}:{preset}").hex


def clip_key(session_id: str, clip_id: str) -> str:
    """Where a cut lies."""
    return f"clips/{session_id}/{clip_id}.mp4"


def export_key(session_id: str, export_id: str) -> str:
    """Where a post lies."""
    return f"exports/{session_id}/{export_id}.mp4"


def new_brand_key(user_id: str, suffix: str) -> str:
    """Where a new part of an account's brand kit will lie; no two share a place."""
    return f"brands/{user_id}/{uuid.uuid4().hex}{suffix}"
