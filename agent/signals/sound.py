"""Loudness of each source and the voice in the microphone, each half second. Used by the `audio` thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from agent.model.media import SOUND_RATE_HZ, SignalSample, SoundName
from agent.signals.grid import STEP_NS
from agent.signals.loudness import power_db
from agent.signals.voice import VoiceMeter
from protos.timebase import SECOND_NS, ticks_to_ns

_STEP_SAMPLES = STEP_NS * SOUND_RATE_HZ // SECOND_NS
Mono = npt.NDArray[np.float32]


class SoundMeter:
    """Signals `mic_loudness_db`, `desktop_loudness_db`, and `voice` of the microphone.

    Args:
        on_signal: gets a sample when its half second is over, in the thread that feeds.
    """

    def __init__(self, on_signal: Callable[[SignalSample], None]) -> None:
        self._on_signal = on_signal
        self._energies: dict[SoundName, float] = {}
        self._counts: dict[SoundName, int] = {}
        self._voice = VoiceMeter()

    def feed(self, name: SoundName, position: int, mono: Mono) -> None:
        """Take samples of a source that begin at `position` of the session's line, in order."""
        offset = 0
        while offset < len(mono):
            at = position + offset
            num_samples = min(len(mono) - offset, _STEP_SAMPLES - at % _STEP_SAMPLES)
            part = mono[offset : offset + num_samples]
            self._energies[name] = self._energies.get(name, 0.0) + float(np.dot(part, part))
            self._counts[name] = self._counts.get(name, 0) + num_samples
            if name == "mic":
                self._voice.feed(part)
            offset += num_samples
            if (at + num_samples) % _STEP_SAMPLES == 0:
                self._finish(name, ticks_to_ns(at + num_samples, SOUND_RATE_HZ))

    def _finish(self, name: SoundName, at_ns: int) -> None:
        mean_square = self._energies.pop(name, 0.0) / max(1, self._counts.pop(name, 0))
        self._on_signal(SignalSample(name=f"{name}_loudness_db", at_ns=at_ns, value=power_db(mean_square)))
        if name == "mic":
            self._on_signal(SignalSample(name="voice", at_ns=at_ns, value=self._voice.take()))
