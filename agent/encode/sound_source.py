"""One source of sound on its way to its track: put on the session's grid, freed of noise, faded.

A device is one stream, awaited and filled with silence where it is late. An application is as many streams as it plays
(parts), which come and go: they are added up, and where there is none nothing is awaited.
Owned by the `audio` thread, but for the fader's wish and the counters.
"""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
import numpy.typing as npt

from agent.encode.block_queue import MAX_QUEUED_SAMPLES
from agent.encode.denoise import BLOCK_SAMPLES, DELAY_BLOCKS, NoiseSuppressor
from agent.encode.fader import Fader
from agent.encode.timeline import SoundTimeline
from agent.model.media import SOUND_RATE_HZ, SoundName
from agent.model.sound import SoundSetting
from protos.timebase import MILLISECOND_NS, SECOND_NS

# How long the mix waits for a source: with the turn and the block that come on top, under 200 ms.
MIN_WAIT_NS = 120 * MILLISECOND_NS
# A headset over radio may be this late all the time, and is still better late than silent.
MAX_WAIT_NS = 600 * MILLISECOND_NS
_WAIT_MARGIN_NS = 40 * MILLISECOND_NS
_LAG_DECAY = 0.995  # a block of 20 ms: half in 2.8 s
_MAX_AHEAD_NS = SECOND_NS
_MAX_PARTS = 8
_PART_ENDS_AFTER_NS = SECOND_NS
Stereo = npt.NDArray[np.float32]


@dataclasses.dataclass(slots=True)
class SoundCounters:
    """What became of the sound of one source, in samples. Written by the `audio` thread, read by any."""

    num_blocks: int = 0
    num_dropped: int = 0
    num_filled: int = 0
    num_skipped: int = 0
    num_corrected: int = 0


class _Part:
    """One stream of a source."""

    def __init__(self, start: int, now_ns: int) -> None:
        self.timeline = SoundTimeline(start, max_samples=MAX_QUEUED_SAMPLES)
        self.placed_ns = now_ns
        self.lag_ns = 0.0


class Source:
    """A source.

    Args:
        name: its own and its track's.
        setting: how it begins.
        is_application: its streams come and go.
        has_suppressor: its noise can be suppressed, and its raw sound is kept.
    """

    def __init__(
        self, name: SoundName, setting: SoundSetting, *, is_application: bool, has_suppressor: bool
    ) -> None:
        self.name = name
        self.is_application = is_application
        self.setting = setting
        self.counters = SoundCounters()
        self.fader = Fader(setting.gain_db, is_muted=setting.is_muted)
        # How much is heard of the suppressed and of the raw sound, and a mute that holds for the raw track too.
        self.suppressed = Fader(is_muted=not setting.is_noise_suppressed)
        self.raw = Fader(is_muted=setting.is_muted)
        self._suppressor = NoiseSuppressor() if has_suppressor else None
        self._raw_blocks: collections.deque[Stereo] = collections.deque()
        self._parts: dict[int, _Part] = {}
        self._read_to = 0
        self._gone = SoundCounters()

    @property
    def has_suppressor(self) -> bool:
        """Is there a raw track beside its own?"""
        return self._suppressor is not None

    @property
    def drift_ppm(self) -> float:
        """How much faster than the session's its clock runs; of an application the first stream's. Any thread."""
        parts = list(self._parts.values())
        return parts[0].timeline.drift_ppm if parts else 0.0

    @property
    def error_ms(self) -> float:
        """How far it lies from its device's own stamps; of an application the first stream. Any thread."""
        parts = list(self._parts.values())
        return parts[0].timeline.error_ms if parts else 0.0

    def begin(self, position: int) -> None:
        """Its line starts here."""
        self._read_to = position
        if not self.is_application:
            self._parts = {0: _Part(position, 0)}

    def set(self, setting: SoundSetting, *, at: int) -> None:
        """Change how it is heard, from position `at` on. Any thread."""
        self.setting = setting
        self.fader.set(setting.gain_db, is_muted=setting.is_muted, at=at)
        self.raw.set(0.0, is_muted=setting.is_muted, at=at)
        self.suppressed.set(0.0, is_muted=not setting.is_noise_suppressed, at=0)

    def place(self, part_index: int, time_ns: int, samples: Stereo, now_ns: int) -> None:
        """Take a block whose first sample was heard at `time_ns` of the session."""
        self.counters.num_blocks += 1
        part = self._parts.get(part_index)
        if time_ns > now_ns + _MAX_AHEAD_NS or (part is None and not self._may_grow()):
            self._gone.num_skipped += len(samples)  # a driver's clock beside itself, or too many streams
            return
        if part is None:
            part = self._parts[part_index] = _Part(self._read_to, now_ns)
        end_ns = time_ns + len(samples) * SECOND_NS // SOUND_RATE_HZ
        part.lag_ns = max(float(now_ns - end_ns), part.lag_ns * _LAG_DECAY)
        part.placed_ns = now_ns
        part.timeline.place(time_ns, samples)

    @property
    def wanted_wait_ns(self) -> int:
        """How long after its time its sound has come of late, and some more."""
        lag_ns = max((part.lag_ns for part in self._parts.values()), default=0.0)
        return round(lag_ns * 1.25) + _WAIT_MARGIN_NS

    def fill(self, now_ns: int, wait_ns: int) -> None:
        """Put silence where a stream has given none in time; let go of an application's stream that ended."""
        if self._suppressor is not None:
            # The suppressor's own delay comes on top: it is taken from a wait that is longer than needed.
            delay_ns = DELAY_BLOCKS * BLOCK_SAMPLES * SECOND_NS // SOUND_RATE_HZ
            wait_ns = max(wait_ns - delay_ns, min(wait_ns, self.wanted_wait_ns))
        horizon = (now_ns - wait_ns) * SOUND_RATE_HZ // SECOND_NS
        for index, part in list(self._parts.items()):
            if self.is_application and now_ns - part.placed_ns > _PART_ENDS_AFTER_NS:
                self._add_counters(self._gone, part.timeline)
                del self._parts[index]
            else:
                part.timeline.fill_to(horizon)

    def fill_to(self, position: int) -> None:
        """Put silence up to where everything before `position` can be read."""
        for part in self._parts.values():
            part.timeline.fill_to(position + self._num_ahead())

    @property
    def placed_to(self) -> int | None:
        """Where its longest stream ends; None without one."""
        return max((part.timeline.end for part in self._parts.values()), default=None)

    @property
    def readable_to(self) -> int | None:
        """Up to where it can be read; None where it is silent and holds up nobody."""
        ends = [part.timeline.end for part in self._parts.values()]
        return min(ends) - self._num_ahead() if ends else None

    def read(self, position: int, num_samples: int) -> tuple[Stereo, Stereo]:
        """Its next samples: as they are to be heard but for gain and mute, and raw. The same where nothing is done."""
        if self._suppressor is None:
            samples = self._sum(position, num_samples)
            return samples, samples
        clean = None
        while clean is None:
            raw = self._sum(position + len(self._raw_blocks) * num_samples, num_samples)
            self._raw_blocks.append(raw)
            clean = self._suppressor.push(raw)
        raw = self._raw_blocks.popleft()
        share = self.suppressed.gains(position, num_samples)
        if isinstance(share, float):
            return (clean if share else raw), raw
        return raw + share * (clean - raw), raw

    def count(self, num_dropped: int) -> None:
        """Bring the counters up to date."""
        total = dataclasses.replace(self._gone)
        for part in self._parts.values():
            self._add_counters(total, part.timeline)
        counters = self.counters
        counters.num_filled, counters.num_skipped = total.num_filled, total.num_skipped
        counters.num_corrected, counters.num_dropped = total.num_corrected, num_dropped

    def _sum(self, position: int, num_samples: int) -> Stereo:
        self._read_to = position + num_samples
        parts = [part.timeline.read(position, num_samples) for part in self._parts.values()]
        if not parts:
            return np.zeros((num_samples, 2), np.float32)
        total = parts[0]
        for samples in parts[1:]:
            total = total + samples
        return total

    def _num_ahead(self) -> int:
        return DELAY_BLOCKS * BLOCK_SAMPLES if self._suppressor is not None else 0

    def _may_grow(self) -> bool:
        return self.is_application and len(self._parts) < _MAX_PARTS

    @staticmethod
    def _add_counters(total: SoundCounters, timeline: SoundTimeline) -> None:
        total.num_filled += timeline.num_filled
        total.num_skipped += timeline.num_skipped
        total.num_corrected += timeline.num_corrected
