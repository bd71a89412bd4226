"""Everything an operator may want to change about ingest, as values."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from coordinator.ingest.group_commit import GroupSettings
from coordinator.ingest.roll_up import RollUpSettings
from coordinator.ingest.source_uploads import MAX_SOURCE_BYTES, PART_BYTES
from coordinator.ingest.spool import SEGMENT_BYTES
from coordinator.ingest.stream_settings import StreamSettings
from coordinator.settings import NO_LIMITS, Limits


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Everything an operator may want to change about ingest.

    Attributes:
        node: this process's name; unique among all that serve, part of every place in its spool.
        max_connection_age_s: a stream older than this, give or take a tenth, is asked to connect anew; None: never.
        max_user_pending_bytes, max_total_pending_bytes: received and not yet durable; beyond: RetryLater.
        max_source_bytes, source_part_bytes: of one upload of full quality; a larger file than the second goes in parts.
        limits: what one account may use at once; its pending bytes are the two above.
        min_free_bytes: left free on the spool's disk; what would need them is put off with RetryLater.
        dead_peer_s: a stream that says nothing (agents send a heartbeat after 12 s of silence) is ended after so long.
        recheck_s: how often it is asked whether those that are connected still may be.
    """

    node: str
    spool_folder: Path
    max_segment_bytes: int = SEGMENT_BYTES
    min_free_bytes: int = 64 * 1024 * 1024
    max_user_pending_bytes: int = 32 * 1024 * 1024
    max_total_pending_bytes: int = 256 * 1024 * 1024
    max_source_bytes: int = MAX_SOURCE_BYTES
    source_part_bytes: int = PART_BYTES
    limits: Limits = NO_LIMITS
    backlog_s: float = 5.0
    dead_peer_s: float = 25.0
    recheck_s: float = 30.0
    poll_s: float = 5.0
    drain_s: float = 5.0
    is_port_shared: bool = False
    max_connection_age_s: float | None = None
    group: GroupSettings = dataclasses.field(default_factory=GroupSettings)
    stream: StreamSettings = dataclasses.field(default_factory=StreamSettings)
    roll_up: RollUpSettings = dataclasses.field(default_factory=RollUpSettings)
