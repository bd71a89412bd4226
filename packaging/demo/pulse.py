"""Playing sound at known times: one thread a sink writes blocks, so that sample n sounds at t0 + n / 48000.

PulseAudio says how long the next sample will take to be heard; from that each writer knows which sample of
the source belongs there. A late start, a stall or an underrun is therefore mended by a jump to the right
place, and never shifts the rest. By libpulse-simple, which PipeWire's server understands as well.
"""

from __future__ import annotations

import collections
import ctypes
import statistics
import threading
import time
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
BLOCK_SAMPLES = 2_400  # 50 ms
Stereo = npt.NDArray[np.int16]

_BUFFER_BYTES = (
    4 * RATE_HZ * 2 // 5
)  # 400 ms: our latency is known, so a long one costs nothing and rides out stalls
_NUM_READINGS = 9  # of the latency, of which the median counts: one is off by some ms on a busy machine
_TOLERANCE_S = 0.012
_TOLERANCE_IN_SILENCE_S = 0.002  # before sample 0, where a jump cannot be heard
_S16LE = 3
_PLAYBACK = 1
_DEFAULT = 0xFFFF_FFFF


class SoundUnavailable(Exception):
    """No sound can be played on this machine, or no longer; the message says what to do."""

    code = "sound_unavailable"
    retryable = True
    exit_code = 3


class SoundSource(Protocol):
    """What is to be heard. Called from one writer's thread only."""

    def block(self, start: int, num_samples: int) -> Stereo:
        """Samples `start` to `start + num_samples` at 48,000 Hz: int16, shape (num_samples, 2).

        `start` may be negative or past the end: silence. It grows from call to call, but may jump.
        """


class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8))


class _BufferAttributes(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")
    )


class _Stream:
    """One playback stream of libpulse-simple. Blocking; used by one thread."""

    def __init__(self, sink: str) -> None:
        try:
            self._library: Any = ctypes.CDLL("libpulse-simple.so.0")
            self._words: Any = ctypes.CDLL("libpulse.so.0")
        except OSError as exc:
            raise SoundUnavailable(f"cannot load libpulse: {exc}; install libpulse0") from exc
        self._library.pa_simple_new.restype = ctypes.c_void_p
        self._library.pa_simple_get_latency.restype = ctypes.c_uint64
        self._words.pa_strerror.restype = ctypes.c_char_p
        error = ctypes.c_int(0)
        spec = _SampleSpec(_S16LE, RATE_HZ, 2)
        buffers = _BufferAttributes(_DEFAULT, _BUFFER_BYTES, _DEFAULT, _DEFAULT, _DEFAULT)
        self._stream = self._library.pa_simple_new(
            None,
            b"demo",
            _PLAYBACK,
            sink.encode() if sink else None,
            b"demo",
            ctypes.byref(spec),
            None,
            ctypes.byref(buffers),
            ctypes.byref(error),
        )
        if not self._stream:
            where = f"sink {sink!r}" if sink else "the default sink"
            raise SoundUnavailable(
                f"cannot play to {where}: {self._reason(error)}; start PulseAudio or PipeWire"
            )

    def heard_in_s(self) -> float:
        """How long until the next sample written will be heard."""
        error = ctypes.c_int(0)
        latency_us = int(
            self._library.pa_simple_get_latency(ctypes.c_void_p(self._stream), ctypes.byref(error))
        )
        if error.value:
            raise SoundUnavailable(f"the sound server is gone: {self._reason(error)}; start it again")
        return latency_us / 1e6

    def write(self, samples: Stereo) -> None:
        """Hand over samples; waits while the server's buffer is full."""
        error = ctypes.c_int(0)
        data = samples.tobytes()
        stream = ctypes.c_void_p(self._stream)
        if self._library.pa_simple_write(stream, data, ctypes.c_size_t(len(data)), ctypes.byref(error)) < 0:
            raise SoundUnavailable(f"the sound server is gone: {self._reason(error)}; start it again")

    def close(self) -> None:
        """Forget what was not played yet."""
        self._library.pa_simple_free(ctypes.c_void_p(self._stream))

    def _reason(self, error: ctypes.c_int) -> str:
        return str(self._words.pa_strerror(error).decode())


class SinkWriter:
    """Plays one source to one sink, in a thread of its own, in step with the monotonic clock.

    Args:
        sink: PulseAudio's name of the sink; empty is the default sink.
        source: what is to be heard.

    Attributes:
        failure: why it stopped early, or None.
        num_jumps: how often it had to skip or repeat something that could be heard.
    """

    def __init__(self, sink: str, source: SoundSource) -> None:
        self.failure: SoundUnavailable | None = None
        self.num_jumps = 0
        self._source = source
        self._stream = _Stream(sink)
        self._t0_ns: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sound-{sink or 'default'}", daemon=True)

    def start(self) -> None:
        """Begin with silence. The clock of the stream settles meanwhile, so start a second before t0."""
        self._thread.start()

    def play_at(self, t0_ns: int) -> None:
        """Say when sample 0 is to be heard, in monotonic ns."""
        self._t0_ns = t0_ns

    def stop(self) -> None:
        """Stop at once; returns when the thread is gone, or after 2 s where the server hangs."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        try:
            self._play()
        except SoundUnavailable as error:
            self.failure = error
        finally:
            self._stream.close()

    def _play(self) -> None:
        start = 0
        errors: collections.deque[float] = collections.deque(maxlen=_NUM_READINGS)
        silence = np.zeros((BLOCK_SAMPLES, 2), np.int16)
        while not self._stop.is_set():
            t0_ns = self._t0_ns
            if t0_ns is None:
                self._stream.write(silence)
                continue
            due_s = (time.monotonic_ns() - t0_ns) / 1e9 + self._stream.heard_in_s()
            errors.append(due_s - start / RATE_HZ)
            is_far = abs(errors[-1]) > 0.25
            off_s = errors[-1] if is_far else statistics.median(errors)
            tolerance_s = _TOLERANCE_IN_SILENCE_S if start < 0 else _TOLERANCE_S
            if is_far or (len(errors) == _NUM_READINGS and abs(off_s) > tolerance_s):
                start += round(off_s * RATE_HZ)
                errors.clear()
                self.num_jumps += start >= 0
            self._stream.write(self._source.block(start, BLOCK_SAMPLES))
            start += BLOCK_SAMPLES
