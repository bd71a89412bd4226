"""Blocks of sound on their way from devices' threads to the `audio` thread, bounded by time. Never waits."""

from __future__ import annotations

import collections
import threading

from agent.model.media import SOUND_RATE_HZ, SoundBlock, SoundName

MAX_QUEUED_SAMPLES = 10 * SOUND_RATE_HZ


class BlockQueue:
    """In from any thread, out by one."""

    def __init__(self, max_samples: int = MAX_QUEUED_SAMPLES) -> None:
        self._max_samples = max_samples
        self._lock = threading.Lock()
        self._blocks: collections.deque[SoundBlock] = collections.deque()
        self._num_samples: collections.Counter[SoundName] = collections.Counter()
        self.dropped: collections.Counter[SoundName] = collections.Counter()

    def put(self, block: SoundBlock) -> None:
        """Append a block; the oldest go when a source has over ten seconds waiting."""
        with self._lock:
            self._blocks.append(block)
            self._num_samples[block.source] += len(block.samples)
            while self._num_samples[block.source] > self._max_samples:
                oldest = self._blocks.popleft()
                self._num_samples[oldest.source] -= len(oldest.samples)
                self.dropped[oldest.source] += len(oldest.samples)

    def take_all(self) -> list[SoundBlock]:
        """Everything that waits, in the order in which it came."""
        with self._lock:
            blocks = list(self._blocks)
            self._blocks.clear()
            self._num_samples.clear()
        return blocks


def longest_backlog_samples(blocks: list[SoundBlock]) -> int:
    """Of the stream that has the most among them."""
    counts: collections.Counter[tuple[SoundName, int]] = collections.Counter()
    for block in blocks:
        counts[block.source, block.part] += len(block.samples)
    return max(counts.values(), default=0)
