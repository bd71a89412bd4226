"""What the streamer hears: a press that was heard, saved or failed, and an alarm, each different.

Each sound is a few short sine tones, made here. `play` returns at once; the thread `chime` plays them in turn, but
"heard" cuts short what sounds: it answers a key that is down now. A sound is dropped when three wait already. A
machine without an output plays nothing, and says so once in the log.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import Literal

import numpy as np
import numpy.typing as npt
import structlog

from agent.portaudio_turn import PORTAUDIO

log = structlog.get_logger()
_RATE_HZ = 48_000
_MAX_WAITING = 3
# Asked for nothing, PortAudio lets PulseAudio buffer up to two seconds before anything is heard.
_LATENCY_S = 0.04
_MAX_TURN_S = 2.0
# Silence behind each sound: one shorter than the output's buffer would never begin, and its end would be cut off.
_TAIL = np.zeros(_RATE_HZ // 5, np.float32)
Sound = Literal["heard", "saved", "failed", "alarm"]
# (frequency in Hz, length in s): a tick, a rising pair, a low falling pair, a high pair three times.
_TONES: dict[Sound, list[tuple[float, float]]] = {
    "heard": [(1400.0, 0.03)],
    "saved": [(880.0, 0.08), (1320.0, 0.12)],
    "failed": [(330.0, 0.15), (220.0, 0.25)],
    "alarm": [(1760.0, 0.09), (1175.0, 0.09)] * 3,
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
        self._queue: queue.Queue[Sound | None] = queue.Queue(maxsize=_MAX_WAITING)
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
        waiting: list[Sound] = []
        sounds_until_s = 0.0
        player = _Player()
        while True:
            is_idle = not waiting and not player.has_turn
            left_s = None if is_idle else max(0.0, sounds_until_s - time.monotonic())
            try:
                sound = self._queue.get(timeout=left_s)
            except queue.Empty:
                if waiting:
                    sounds_until_s = player.play(waiting.pop(0))
                else:
                    player.rest()
                continue
            if sound is None:
                # What sounds may end; what waits is cut off.
                time.sleep(min(0.5, max(0.0, sounds_until_s - time.monotonic())))
                player.rest()
                return
            if sound == "heard":
                sounds_until_s = player.play(sound)
            elif len(waiting) < _MAX_WAITING:
                waiting.append(sound)
            else:
                log.info("chime_dropped", sound=sound)


class _Player:
    """The default output; owned by the thread `chime`.

    Attributes:
        has_turn: it holds PortAudio from the begin of a sound until `rest`, so that nobody frees the stream meanwhile.
    """

    def __init__(self) -> None:
        self.has_turn = False
        self._has_complained = False
        with contextlib.suppress(Exception), PORTAUDIO:
            # The first sound takes half a second to come: it is a silent one, now, and not when a key is down. What
            # fails here is told by `play`.
            import sounddevice

            sounddevice.play(_TAIL, _RATE_HZ, latency=_LATENCY_S)
            # Not `blocking`: a device that hangs would hold PortAudio, and every microphone with it, for good.
            time.sleep(len(_TAIL) / _RATE_HZ + 2 * _LATENCY_S)
            sounddevice.stop()

    def rest(self) -> None:
        """The sound is over: close its stream and let others have PortAudio. Twice is once."""
        if not self.has_turn:
            return
        with contextlib.suppress(Exception):
            import sounddevice

            sounddevice.stop()
        self.has_turn = False
        PORTAUDIO.release()

    def play(self, sound: Sound) -> float:
        """Begin to play, instead of what sounds; returns when it will have ended, by the monotonic clock."""
        samples = render(sound)
        # A microphone is opened in a moment; one that hangs in its driver must not hold up the keys' thread for good.
        self.has_turn = self.has_turn or PORTAUDIO.acquire(timeout=_MAX_TURN_S)
        if not self.has_turn:
            log.info("chime_dropped", sound=sound)
            return time.monotonic()
        try:
            # Here, because the import itself fails where PortAudio is missing.
            import sounddevice

            sounddevice.play(np.concatenate([samples, _TAIL]), _RATE_HZ, latency=_LATENCY_S)
            self._has_complained = False
        except Exception as exc:  # noqa: BLE001 - PortAudio's errors have no tree; no output is no reason to stop
            if not self._has_complained:
                log.warning("chime_unavailable", problem=str(exc))
            self._has_complained = True
        return time.monotonic() + len(samples) / _RATE_HZ + 2 * _LATENCY_S
