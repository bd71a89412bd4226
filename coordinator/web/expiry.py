"""When things of a session expire, in words and in seconds. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coordinator.policy.retention import expiry_words, keep_hours

if TYPE_CHECKING:
    import asyncpg


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old a session is.

    Attributes:
        hours: at which age what nobody kept expires; None: never.
        age_s: None: it is not over, and ages not.
        has_begun: some of it has expired.
    """

    hours: float | None
    age_s: float | None
    has_begun: bool

    @classmethod
    def of(cls, row: asyncpg.Record | None, hours_by_tier: Mapping[str, float]) -> Age:
        """What the database says: `user_id`, `tier`, `age_s`, `has_begun`; None: nothing."""
        if row is None:
            return cls(hours=None, age_s=None, has_begun=False)
        hours = keep_hours(row["user_id"], row["tier"], hours_by_tier=hours_by_tier, is_kept=False)
        return cls(hours=hours, age_s=row["age_s"], has_begun=row["has_begun"])

    def of_session(self) -> dict[str, Any]:
        """`in_s`: seconds until what nobody kept expires, None: never, or not known yet; `words`: the same, or none."""
        if self.has_begun:
            return {"in_s": None, "words": "What was not kept has expired."}
        if self.hours is None:
            return {"in_s": None, "words": ""}
        if self.age_s is None:
            return {
                "in_s": None,
                "words": f"What is not kept expires {self.hours:g} h after the session's end.",
            }
        in_s = max(0.0, self.hours * 3600 - self.age_s)
        return {"in_s": round(in_s), "words": f"What is not kept {expiry_words(in_s)}."}

    def of_moment(self, *, is_kept: bool, made_age_s: float | None) -> dict[str, Any]:
        """As `of_session`. Args: made_age_s: since its newest post or cut was made; None: there is none."""
        if self.hours is None:
            return {"in_s": None, "words": ""}
        if is_kept:
            return {"in_s": None, "words": "kept: it does not expire"}
        if self.age_s is None:
            return {"in_s": None, "words": ""}
        age_s = self.age_s if made_age_s is None else min(self.age_s, made_age_s)
        in_s = max(0.0, self.hours * 3600 - age_s)
        return {"in_s": round(in_s), "words": f"{expiry_words(in_s)}, unless you keep it"}
