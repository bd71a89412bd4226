"""How long what was not kept stays. Pure."""

from __future__ import annotations

OWNER = "owner"


def keep_hours(user_id: str, tier: str, *, hours_by_tier: dict[str, float], is_kept: bool) -> float | None:
    """Hours until something expires; None: never.

    What the user kept never expires, nor does anything of `owner` or of a tier set to 0 hours. A tier that is not
    known is not a reason to delete.
    """
    if is_kept or user_id == OWNER:
        return None
    hours = hours_by_tier.get(tier, 0.0)
    return hours if hours > 0 else None
