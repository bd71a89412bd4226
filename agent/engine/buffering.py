"""The ring as the status tells it."""

from __future__ import annotations

from agent.config import Ring
from agent.ring.disk_writer import disk_free_bytes
from agent.ring.ring import GopRing
from protos.clippy.v1 import control_pb2


def buffer_status(ring: GopRing, settings: Ring, *, num_recoverable: int) -> control_pb2.Buffer:
    """What the ring holds and may hold, and where. Any thread."""
    status = control_pb2.Buffer(
        folder="" if ring.is_in_memory else str(ring.folder),
        is_in_memory=ring.is_in_memory,
        max_bytes=settings.max_bytes,
        pinned_bytes=ring.pins.size_bytes,
        max_pinned_bytes=settings.max_pinned_bytes,
        num_recoverable=num_recoverable,
    )
    if not ring.is_in_memory:
        try:
            status.free_bytes = disk_free_bytes(ring.folder)
        except OSError:
            # The disk was taken away; `problem` says so.
            status.free_bytes = 0
    for span in ring.epochs():
        status.epochs.add(start_ns=span.start_ns, end_ns=span.end_ns, reason=span.reason)
    return status
