"""A microphone through PortAudio: on Windows and macOS, and on a Linux without PulseAudio or PipeWire.

On macOS also what the PC plays, where it plays into a virtual device. Never for the monitor of a sink: see `pulse.py`
for what PortAudio over ALSA's pulse plug-in costs. Importing sounddevice initialises PortAudio, so it is imported where
a device is opened.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import structlog

from agent.errors import SoundUnavailable
from agent.model.media import SOUND_RATE_HZ, SoundBlock, SoundName
from agent.portaudio_turn import PORTAUDIO
from protos.timebase import SECOND_NS

log = structlog.get_logger()
AUTO = "auto"
_BLOCK_SAMPLES = 960  # 20 ms
_SILENT_AFTER_NS = SECOND_NS
# The inputs that are open, by identity; touched with PORTAUDIO held.
_OPEN: set[int] = set()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PortAudioDevice:
    """An input as PortAudio lists it."""

    name: str
    host: str
    is_default: bool


class PortAudioSource:
    """One input of PortAudio, at 48,000 Hz, as stereo.

    Args:
        name: which sound it is.
        device: PortAudio's name of the input, or `auto` for the default one.
    """

    def __init__(self, name: SoundName, device: str = AUTO) -> None:
        self.name: SoundName = name
        self.device = device
        self._wanted = device
        self._stream: Any = None
        self._last_block_ns = 0

    def open(self, on_block: Callable[[SoundBlock], None]) -> None:
        """Start recording. PortAudio looks for new devices first, where no other input of ours is open.

        Raises:
            SoundUnavailable: PortAudio is missing, or the device cannot be opened at 48,000 Hz.
        """
        self.close()
        portaudio = _portaudio()
        with PORTAUDIO:
            if not _OPEN:
                _refresh_devices(portaudio)
            try:
                info = portaudio.query_devices(None if self._wanted == AUTO else self._wanted, "input")
                stream = portaudio.InputStream(
                    device=info["index"],
                    samplerate=SOUND_RATE_HZ,
                    channels=min(2, int(info["max_input_channels"])),
                    dtype="float32",
                    blocksize=_BLOCK_SAMPLES,
                    callback=self._on_samples(on_block),
                )
                stream.start()
            except (portaudio.PortAudioError, ValueError, OSError) as exc:
                raise SoundUnavailable(
                    f"cannot open {self.name} sound from {self._wanted}: {exc}; "
                    "see `clippy devices` for what there is"
                ) from exc
            _OPEN.add(id(self))
        self.device = str(info["name"])
        self._last_block_ns = time.monotonic_ns()
        self._stream = stream

    @property
    def is_running(self) -> bool:
        """Has a block come within the last second? PortAudio says `active` even of a device that is gone."""
        return self._stream is not None and time.monotonic_ns() - self._last_block_ns < _SILENT_AFTER_NS

    def close(self) -> None:
        """Stop; no block comes after it returns. Twice is once."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        portaudio = _portaudio()
        with PORTAUDIO:
            _OPEN.discard(id(self))
            try:
                stream.abort()
                stream.close()
            except portaudio.PortAudioError as exc:
                log.info("sound_closed_badly", source=self.name, problem=str(exc))

    def _on_samples(self, on_block: Callable[[SoundBlock], None]) -> Callable[..., None]:
        """The callback: copies and stamps. In PortAudio's thread."""

        def on_samples(samples: Any, _num_frames: int, times: Any, _status: Any) -> None:
            now_ns = time.monotonic_ns()
            # Only the difference: PortAudio's own clock is CLOCK_REALTIME on ALSA, and NTP steps it.
            age_ns = round((times.currentTime - times.inputBufferAdcTime) * SECOND_NS)
            stereo = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples.copy()
            self._last_block_ns = now_ns
            on_block(SoundBlock(source=self.name, monotonic_ns=now_ns - age_ns, samples=stereo))

        return on_samples


def _refresh_devices(portaudio: Any) -> None:
    """Make PortAudio look for devices again; it caches the list. Every stream is closed, and the lock held."""
    try:
        portaudio._terminate()
        portaudio._initialize()
    except portaudio.PortAudioError as exc:
        raise SoundUnavailable(f"PortAudio cannot start again: {exc}; restart the engine") from exc


def list_devices() -> list[PortAudioDevice]:
    """Every input.

    Raises:
        SoundUnavailable: PortAudio is missing.
    """
    portaudio = _portaudio()
    hosts = portaudio.query_hostapis()
    default = portaudio.default.device[0]
    return [
        PortAudioDevice(
            name=str(info["name"]),
            host=str(hosts[info["hostapi"]]["name"]),
            is_default=info["index"] == default,
        )
        for info in portaudio.query_devices()
        if info["max_input_channels"] > 0
    ]


def _portaudio() -> Any:
    try:
        import sounddevice
    except OSError as exc:
        raise SoundUnavailable(f"cannot load PortAudio: {exc}; install libportaudio2") from exc
    return sounddevice
