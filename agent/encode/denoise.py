"""Takes the noise of a room out of a microphone's sound, by FFmpeg's `afftdn`. Used by the `audio` thread.

By itself the filter knows neither how loud the noise is nor what it is made of: blind, it gained 1 dB. So it is told
in each pause of the voice: its level as the noise floor, its spectrum by the filter's own sampling. Figures and what
else was tried: docs/adr/0011.
"""

from __future__ import annotations

import fractions
from typing import Any

import av
import av.error
import av.filter
import numpy as np
import numpy.typing as npt

from agent.encode.mix import to_mono
from agent.encode.pause import PauseFinder
from agent.errors import EncoderUnavailable
from agent.model.media import SOUND_RATE_HZ

BLOCK_SAMPLES = 1024
# The filter gives back each sample this much later, and in steps of 600: two blocks hold both.
LATENCY_SAMPLES = 1200
DELAY_BLOCKS = 2
_REDUCTION_DB = 20
_FLOOR_ABOVE_PAUSE_DB = 5.0  # what a pause measures is the mean; noise has peaks
_FLOOR_RANGE_DB = (-80.0, -20.0)  # the filter's
_FLOOR_STEP_DB = 1.0
# A voice that speaks from the first moment on must not be learnt as noise: first a pause and a voice have been heard.
_LEAST_RANGE_DB = 9.0
_SAMPLED_BLOCKS = 10  # 213 ms of noise make a spectrum
_REST_BLOCKS = 40  # then 0.9 s without: the filter starts its average anew each time
_TIME_BASE = fractions.Fraction(1, SOUND_RATE_HZ)
Stereo = npt.NDArray[np.float32]


class NoiseSuppressor:
    """Blocks in, the same blocks without noise out, two blocks later.

    Raises:
        EncoderUnavailable: FFmpeg has no such filter.
    """

    def __init__(self) -> None:
        try:
            self._graph = av.filter.Graph()
            # Else it starts a thread for each channel.
            self._graph.threads = 1
            source = self._graph.add_abuffer(
                sample_rate=SOUND_RATE_HZ, format="fltp", layout="stereo", time_base=_TIME_BASE
            )
            self._filter = self._graph.add("afftdn", f"nr={_REDUCTION_DB}:nf={_FLOOR_RANGE_DB[0]:.0f}")
            sink = self._graph.add("abuffersink")
            source.link_to(self._filter)
            self._filter.link_to(sink)
            self._graph.configure()
        except (av.error.FFmpegError, ValueError) as exc:
            raise EncoderUnavailable(
                f"cannot suppress noise: {exc}; reinstall PyAV or set sound.is_mic_noise_suppressed = false"
            ) from exc
        self._pauses = PauseFinder()
        self._floor_db = _FLOOR_RANGE_DB[0]
        self._num_sampled = 0
        self._num_resting = 0
        self._num_pushed = 0
        self._num_early = LATENCY_SAMPLES
        self._ready = np.zeros((0, 2), np.float32)

    def push(self, samples: Stereo) -> Stereo | None:
        """Take a block of 1024 samples; returns that of two blocks before, or None for the first two."""
        self._learn(samples)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate = SOUND_RATE_HZ
        frame.time_base = _TIME_BASE
        frame.pts = self._num_pushed * BLOCK_SAMPLES
        self._graph.push(frame)
        self._num_pushed += 1
        self._pull()
        if self._num_pushed <= DELAY_BLOCKS:
            return None
        block, self._ready = self._ready[:BLOCK_SAMPLES], self._ready[BLOCK_SAMPLES:]
        return block

    def _pull(self) -> None:
        parts = [self._ready]
        while True:
            try:
                frame: Any = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
            samples = frame.to_ndarray().T
            num_early = min(self._num_early, len(samples))
            self._num_early -= num_early
            parts.append(samples[num_early:])
        self._ready = np.concatenate(parts)

    def _learn(self, samples: Stereo) -> None:
        """Tell the filter of the noise, while there is nothing else."""
        self._pauses.feed(to_mono(samples))
        if self._pauses.range_db < _LEAST_RANGE_DB:
            return
        floor_db = self._pauses.floor_db + _FLOOR_ABOVE_PAUSE_DB
        floor_db = min(_FLOOR_RANGE_DB[1], max(_FLOOR_RANGE_DB[0], floor_db))
        if abs(floor_db - self._floor_db) > _FLOOR_STEP_DB:
            self._floor_db = floor_db
            self._filter.process_command("nf", f"{floor_db:.1f}")
        is_pause = self._pauses.is_pause
        self._num_resting = max(0, self._num_resting - 1)
        if self._num_sampled:
            self._num_sampled += 1
            if not is_pause or self._num_sampled > _SAMPLED_BLOCKS:
                self._filter.process_command("sample_noise", "stop")
                self._num_sampled, self._num_resting = 0, _REST_BLOCKS
        elif is_pause and not self._num_resting:
            self._filter.process_command("sample_noise", "start")
            self._num_sampled = 1
