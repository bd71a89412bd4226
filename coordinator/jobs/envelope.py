"""What travels as the engine's payload. Pure."""

from __future__ import annotations

import msgspec

from coordinator.errors import Bug
from coordinator.model.jobs import NewJob

MAX_PAYLOAD_BYTES = 1024


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job's key and ids, and whose it is."""

    key: str
    data: dict[str, str | int | float | bool | None]
    tier: str = ""
    account: str = ""


def encode(job: NewJob) -> bytes:
    """The payload of a job.

    Raises:
        Bug: It is too long.
    """
    payload = msgspec.json.encode(Envelope(key=job.key, data=job.payload, tier=job.tier, account=job.account))
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Bug(
            f"job {job.key}: a payload of {len(payload)} bytes is over {MAX_PAYLOAD_BYTES}; pass ids only"
        )
    return payload


def decode(payload: bytes | None) -> Envelope:
    """What a payload holds."""
    return msgspec.json.decode(payload or b"{}", type=Envelope)
