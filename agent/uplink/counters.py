"""What the link has done since it started, as plain numbers."""

from __future__ import annotations

import dataclasses
from typing import Literal

State = Literal["off", "connecting", "connected", "waiting"]


@dataclasses.dataclass(slots=True, kw_only=True)
class Counters:
    """Owned by the `uplink` thread (`bytes_sent`, `chunks_sent`: by gRPC's sender); others only read."""

    chunks_sent: int = 0
    chunks_fsynced: int = 0
    chunks_stored: int = 0
    chunks_refused: int = 0
    bytes_sent: int = 0
    connects: int = 0
