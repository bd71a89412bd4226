"""Accounts, their tiers, and who speaks on a connection."""

from __future__ import annotations

import dataclasses
from typing import Literal

Tier = Literal["free", "pro", "business"]
Role = Literal["streamer", "operator", "admin"]
TIERS: tuple[Tier, ...] = ("free", "pro", "business")
ROLES: tuple[Role, ...] = ("streamer", "operator", "admin")
# The one account of a machine that nobody else uses.
OWNER = "owner"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who speaks: an account, by one of its devices.

    Attributes:
        device_id: empty for the owner's own token, which no pairing made.
        expires_at_s: Unix seconds after which the token it came with counts for nothing; None: never.
    """

    user_id: str
    tier: Tier
    role: Role = "streamer"
    device_id: str = ""
    expires_at_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WaitingWork:
    """How many chunks of an account are ready to be heard and were not, and of how many live sessions they are."""

    num_waiting: int
    num_live_sessions: int
