"""What expires, and how much of it there is. Pure."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What went of a session in one step, or would go.

    Attributes:
        num_bytes: of chunks, sources and posts, as rows say it.
        is_finished: nothing of it is left that is old enough.
    """

    session_id: str
    user_id: str
    tier: str
    num_chunks: int = 0
    num_moments: int = 0
    num_clips: int = 0
    num_posts: int = 0
    num_bytes: int = 0
    is_finished: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredObject:
    """An object whose rows went.

    Attributes:
        holds_others: it is rolled up; chunks that rows still name in it are moved to a new object first.
        size_bytes: of what went; None: not known.
        is_gone: it was deleted before, when somebody could still put it.
    """

    key: str
    session_id: str
    holds_others: bool
    size_bytes: int | None
    is_gone: bool
