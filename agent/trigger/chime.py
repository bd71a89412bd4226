"""What the streamer hears of a press: heard, saved and failed sound different.

Each sound is a few short sine tones, made here. `play` returns at once; the thread `chime` plays them in turn and
drops a sound when three wait already. A machine without an output plays nothing, and says so once in the log.
"""

from __future__ import annotations

import queue
import threading
from typing import Literal

import numpy as np
import numpy.typing as npt
import structlog

from agent.portaudio_turn import PORTAUDIO

log = structlog.get_logger()
_RATE_HZ = 48_000
Sound = Literal["heard", "saved", "failed"]
# (frequency in Hz, length in s): a tick, a rising pair, a low falling pair.
_TONES: dict[Sound, list[tuple[float, float]]] = {
    "heard": [(1400.0, 0.03)],
    "saved": [(880.0, 0.08), (1320.0, 0.12)],
    "failed": [(330.0, 0.15), (220.0, 0.25)],
}


def render(sound: Sound, volume: float = 0.25) -> npt.NDArray[np.float32]:
    """The sound as float32 mono at 48,000 Hz, with 5 ms ramps so that it does not click."""
    parts = []
    for frequency_hz, length_s in _TONES[sound]:
        times_s = np.arange(int(length_s * _RATE_HZ)) / _RATE_HZ
        ramp = np.minimum(1.0, np.minimum(times_s, length_s - times_s) / 0.005)
        parts.append(volume * ramp * np.sin(2 * np.pi * frequency_hz * times_s))
    return np.concatenate(parts).astype(np.float32)


class Chime:
    """Plays sounds on the default output."""

    def __init__(self, *, is_on: bool = True) -> None:
        self._is_on = is_on
        self._queue: queue.Queue[Sound | None] = queue.Queue(maxsize=3)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        if self._is_on:
            self._thread = threading.Thread(target=self._run, name="chime", daemon=True)
            self._thread.start()

    def play(self, sound: Sound) -> None:
        """Play soon; any thread."""
        if self._thread is not None:
            try:
                self._queue.put_nowait(sound)
            except queue.Full:
                log.info("chime_dropped", sound=sound)

    def stop(self) -> None:
        """Stop within a second."""
        if self._thread is not None:
            try:
                self._queue.put(None, timeout=0.5)
            except queue.Full:
                log.info("chime_dropped", sound="stop")
            self._thread.join(timeout=1)
            self._thread = None

    def _run(self) -> None:
        has_complained = False
        while (sound := self._queue.get()) is not None:
            try:
                # Here, because the import itself fails where PortAudio is missing.
                import sounddevice

                # At most 0.4 s: a microphone that is opened meanwhile waits.
                with PORTAUDIO:
                    sounddevice.play(render(sound), _RATE_HZ, blocking=True)
                has_complained = False
            except Exception as exc:  # noqa: BLE001 - outermost frame of the thread; no output is no reason to stop
                if not has_complained:
                    log.warning("chime_unavailable", problem=str(exc))
                has_complained = True
