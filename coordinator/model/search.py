"""What a search finds."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An utterance. `start_ns`, `end_ns` on its session's line; `moment_id`, `export_id`: what was made of it, or None.

    Attributes:
        title: of the moment.
        said_at: wall clock.
    """

    session_id: str
    start_ns: int
    end_ns: int
    said_at: datetime.datetime
    said: str
    rank: float
    moment_id: str | None
    title: str | None
    export_id: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found, best first.

    Attributes:
        meant: words that nobody said, and what was looked for in their place.
        is_any: no utterance has all of the words; these have some.
    """

    hits: Sequence[Hit]
    meant: Mapping[str, Sequence[str]]
    is_any: bool
