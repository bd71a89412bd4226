"""How long what was not kept stays. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

OWNER = "owner"


def keep_hours(user_id: str, tier: str, *, hours_by_tier: Mapping[str, float], is_kept: bool) -> float | None:
    """Hours until something expires; None: never.

    What the user kept never expires, nor does anything of `owner` or of a tier set to 0 hours. A tier that is not
    known is not a reason to delete.
    """
    if is_kept or user_id == OWNER:
        return None
    hours = hours_by_tier.get(tier, 0.0)
    return hours if hours > 0 else None


def ages_by_tier(hours_by_tier: Mapping[str, float]) -> dict[str, datetime.timedelta]:
    """The age at which things of other accounts than `owner` expire, for the tiers of which anything does."""
    found = {tier: keep_hours("", tier, hours_by_tier=hours_by_tier, is_kept=False) for tier in hours_by_tier}
    return {tier: datetime.timedelta(hours=hours) for tier, hours in found.items() if hours is not None}


def expiry_words(expires_in_s: float) -> str:
    """`expires in 11 h`; rounded down, so that nobody comes too late."""
    if expires_in_s < 60:
        return "expires any minute"
    if expires_in_s < 2 * 3600:
        return f"expires in {int(expires_in_s // 60)} min"
    if expires_in_s < 48 * 3600:
        return f"expires in {int(expires_in_s // 3600)} h"
    return f"expires in {int(expires_in_s // 86400)} days"
