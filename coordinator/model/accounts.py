"""Accounts, their tiers, and who speaks on a connection."""

from __future__ import annotations

import dataclasses
import datetime
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
class Owner:
    """Whose something is, as far as jobs for it are concerned; empty: nobody's, or not known."""

    user_id: str = ""
    tier: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who owns devices, sessions and clips."""

    user_id: str
    name: str
    tier: Tier
    role: Role
    is_closed: bool
    created_at: datetime.datetime
    num_devices: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An agent that was paired. `revoked_at` None: it may speak."""

    device_id: str
    user_id: str
    agent_id: str
    name: str
    version: str
    paired_at: datetime.datetime
    last_seen_at: datetime.datetime
    revoked_at: datetime.datetime | None = None
    revoked_reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgentSelf:
    """What an agent says of itself when it pairs; checked."""

    agent_id: str
    name: str
    version: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WaitingAgent:
    """An agent that shows a code and waits for somebody to approve it."""

    agent_id: str
    name: str
    version: str
    made_at: datetime.datetime
    expires_at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WaitingWork:
    """How many chunks of an account are ready to be heard and were not, and of how many live sessions they are."""

    num_waiting: int
    num_live_sessions: int
