"""Collects signals into chunks of the lane `signals`, cut where the sound's chunks are cut.

`feed` comes from the `audio` and the `encode` thread; a lock is all they share.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from agent.model.media import LaneChunk, SignalSample
from agent.signals.grid import SIGNAL_NAMES, STEP_NS
from protos.clippy.v1 import media_pb2
from protos.timebase import SECOND_NS

CONTENT_TYPE = "application/x-protobuf; messageType=clippy.v1.SignalBatch"
# Sound may be 0.6 s late, a picture a quarter of a second.
_GRACE_NS = SECOND_NS


class SignalChunker:
    """One lane of signals at 2 Hz. A value that never came is not-a-number.

    Args:
        chunk_s: length of a chunk; chunks end at its multiples.
        on_chunk: gets each finished chunk, in the thread whose sample finished it; returns at once.
    """

    def __init__(self, *, chunk_s: float, on_chunk: Callable[[LaneChunk], None]) -> None:
        self._chunk_ns = max(STEP_NS, round(chunk_s * SECOND_NS) // STEP_NS * STEP_NS)
        self._on_chunk = on_chunk
        self._lock = threading.Lock()
        self._values: dict[str, dict[int, float]] = {}
        self._start_ns: int | None = None

    def feed(self, sample: SignalSample) -> None:
        """Take one sample. One of a chunk that is finished is too late, and is left out."""
        with self._lock:
            if self._start_ns is None:
                self._start_ns = max(0, sample.at_ns - STEP_NS)
            if sample.at_ns > self._start_ns:
                self._values.setdefault(sample.name, {})[sample.at_ns] = sample.value
            chunks = []
            while sample.at_ns >= self._end_ns() + _GRACE_NS:
                chunks += self._cut(self._end_ns())
        for chunk in chunks:
            self._on_chunk(chunk)

    def flush(self) -> None:
        """Finish the chunk that is open, at its newest sample."""
        with self._lock:
            chunks = []
            last_ns = max((at_ns for values in self._values.values() for at_ns in values), default=0)
            while self._start_ns is not None and self._start_ns < last_ns:
                chunks += self._cut(min(last_ns, self._end_ns()))
        for chunk in chunks:
            self._on_chunk(chunk)

    def _end_ns(self) -> int:
        assert self._start_ns is not None
        # As the sound's chunks: a first one of under a second joins the next.
        shortest_ns = min(SECOND_NS, self._chunk_ns // 2)
        return -(-(self._start_ns + shortest_ns) // self._chunk_ns) * self._chunk_ns

    def _cut(self, end_ns: int) -> list[LaneChunk]:
        """Take out [start, end); none when nothing was measured in it."""
        assert self._start_ns is not None
        start_ns, self._start_ns = self._start_ns, end_ns
        times_ns = range(start_ns + STEP_NS, end_ns + 1, STEP_NS)
        batch = media_pb2.SignalBatch(start_ns=start_ns, step_ns=STEP_NS)
        for name in sorted(self._values, key=_order):
            values = self._values[name]
            batch.tracks.add(name=name, values=[values.pop(at_ns, math.nan) for at_ns in times_ns])
        is_empty = all(math.isnan(value) for track in batch.tracks for value in track.values)
        if is_empty:
            return []
        payload = batch.SerializeToString(deterministic=True)
        return [
            LaneChunk(
                lane="signals",
                start_ns=start_ns,
                end_ns=end_ns,
                content_type=CONTENT_TYPE,
                payload=payload,
            )
        ]


def _order(name: str) -> tuple[int, str]:
    return (SIGNAL_NAMES.index(name) if name in SIGNAL_NAMES else len(SIGNAL_NAMES), name)
