"""Thread `ticker`: once a second asks the stages how they are, and measures what recording costs this machine."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from pathlib import Path

from agent.engine.recording import Recording
from agent.engine.watching import Watching
from agent.worker import Worker
from protos.clippy.v1 import control_pb2

_CPU_WINDOW_S = 10.0
# The rate follows what is on the screen: a minute of it, and no figure before five seconds.
_RATE_WINDOW_S = 60.0
_MIN_RATE_WINDOW_S = 5.0
_DAY_S = 86_400


class Ticker(Worker):
    """Owns the samples; `cost` may be called from any thread."""

    def __init__(self, recording: Recording, watching: Watching) -> None:
        super().__init__("ticker")
        self._recording = recording
        self._watching = watching
        # (monotonic s, CPU s, bytes captured)
        self._samples: deque[tuple[float, float, int]] = deque()
        self.cpu_s_per_s = 0.0
        self._bytes_per_s = 0.0

    def step(self) -> None:
        """One look."""
        now = time.monotonic()
        self._samples.append((now, time.process_time(), self._recording.ring.captured_bytes))
        while now - self._samples[0][0] > _RATE_WINDOW_S:
            self._samples.popleft()
        self._measure()
        self._recording.look_at_problems()
        self._watching.look_at_stages()
        self.wait(1.0)

    def cost(self) -> control_pb2.Cost:
        """What recording costs, as the control API tells it; a rate of 0 is not known yet."""
        counters = self._recording.video.counters
        num_lost = counters.num_dropped + counters.num_skipped
        num_ticks = counters.num_captured + num_lost
        return control_pb2.Cost(
            cpu_s_per_s=round(self.cpu_s_per_s, 3),
            rss_bytes=rss_bytes(),
            dropped_pct=round(100 * num_lost / num_ticks, 2) if num_ticks else 0.0,
            mb_per_min=round(self._bytes_per_s * 60 / 1e6, 1),
            gb_per_day=round(self._bytes_per_s * _DAY_S / 1e9, 1),
            written_bytes=self._recording.ring.captured_bytes,
        )

    def _measure(self) -> None:
        now, cpu_s, num_bytes = self._samples[-1]
        recent = next(sample for sample in self._samples if now - sample[0] <= _CPU_WINDOW_S)
        if now > recent[0]:
            self.cpu_s_per_s = (cpu_s - recent[1]) / (now - recent[0])
        oldest = self._samples[0]
        if now - oldest[0] >= _MIN_RATE_WINDOW_S:
            self._bytes_per_s = (num_bytes - oldest[2]) / (now - oldest[0])


def rss_bytes() -> int:
    """Memory that this process holds."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except (OSError, AttributeError):
        pass
    if sys.platform == "win32":
        return 0
    import resource

    # macOS counts the peak, in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
