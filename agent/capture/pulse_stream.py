"""One recording stream of the sound server: copies and stamps what comes, in libpulse's thread, and nothing else."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

import numpy as np

from agent.capture import pulse_api
from agent.capture.pulse_connection import PulseConnection
from agent.errors import SoundUnavailable
from agent.model.media import SOUND_RATE_HZ, SoundBlock, SoundName

_BYTES_PER_SAMPLE = 8  # stereo float32
_FRAGMENT_BYTES = _BYTES_PER_SAMPLE * SOUND_RATE_HZ // 50  # 20 ms


class PulseStream:
    """A stream of float32 stereo at 48,000 Hz. Every method needs the loop held, but where it says otherwise.

    Args:
        connection: that it runs on; outlives it.
        name: the sound that its blocks belong to.
        on_block: gets each block, in libpulse's thread; returns at once.
        part: tells several streams of one sound apart.

    Attributes:
        last_block_ns: CLOCK_MONOTONIC of the last block; 0 before the first.
    """

    def __init__(
        self,
        connection: PulseConnection,
        name: SoundName,
        on_block: Callable[[SoundBlock], None],
        *,
        part: int = 0,
    ) -> None:
        self.last_block_ns = 0
        self._connection = connection
        self._library = connection.library
        self._name = name
        self._part = part
        self._on_block = on_block
        # libpulse keeps a bare pointer to it.
        self._read_callback = pulse_api.StreamRequest(self._on_readable)
        spec = pulse_api.SampleSpec(pulse_api.SAMPLE_FLOAT32LE, SOUND_RATE_HZ, 2)
        self._stream: int = self._library.pa_stream_new(
            connection.context, name.encode(), ctypes.byref(spec), None
        )
        self._library.pa_stream_set_read_callback(self._stream, self._read_callback, None)

    def connect(self, device: str | None, *, may_move: bool) -> None:
        """Begin to record from a source of the server; None is its default one. Ready a moment later.

        Args:
            may_move: the server may move the stream to another device when this one goes.
        """
        # Else a removed device silently becomes another one: a microphone that records the game.
        self._connect(device, 0 if may_move else pulse_api.STREAM_DONT_MOVE)

    def connect_to_sink_input(self, index: int, monitor: str) -> None:
        """Begin to record what one stream plays, and nothing else of its sink. Ready a moment later.

        Args:
            monitor: of the sink that it plays to; without a name PULSE_SOURCE would be taken, and refused.
        """
        self._library.pa_stream_set_monitor_stream(self._stream, index)
        self._connect(monitor, pulse_api.STREAM_DONT_MOVE)

    def await_ready(self, what: str) -> None:
        """Wait for it; the loop is not held.

        Raises:
            SoundUnavailable: The server has no such source, or does not answer.
        """
        self._connection.await_state(lambda: self.state, ready=pulse_api.STREAM_READY, what=what)

    @property
    def state(self) -> int:
        """As `pa_stream_get_state` says."""
        return int(self._library.pa_stream_get_state(self._stream))

    @property
    def device(self) -> str:
        """The server's name of the source that it records from; empty where there is none."""
        if self.state != pulse_api.STREAM_READY:
            return ""
        return (self._library.pa_stream_get_device_name(self._stream) or b"").decode()

    def close(self) -> None:
        """Stop; no block comes after it returns. Twice is once."""
        stream, self._stream = self._stream, 0
        if stream:
            self._library.pa_stream_set_read_callback(stream, pulse_api.NO_REQUEST, None)
            self._library.pa_stream_disconnect(stream)
            self._library.pa_stream_unref(stream)

    def _connect(self, device: str | None, more_flags: int) -> None:
        unset = pulse_api.DEFAULT_BYTES
        buffers = pulse_api.BufferAttr(unset, unset, unset, unset, _FRAGMENT_BYTES)
        flags = (
            pulse_api.STREAM_INTERPOLATE_TIMING
            | pulse_api.STREAM_AUTO_TIMING_UPDATE
            | pulse_api.STREAM_ADJUST_LATENCY
            | more_flags
        )
        self._library.pa_stream_connect_record(
            self._stream, device.encode() if device else None, ctypes.byref(buffers), flags
        )

    def _on_readable(self, stream: int, _num_bytes: int, _userdata: int) -> None:
        """Copy and stamp what there is. In libpulse's thread, which holds the loop."""
        library = self._library
        data = ctypes.c_void_p()
        num_bytes = ctypes.c_size_t()
        while library.pa_stream_readable_size(stream) not in (0, ctypes.c_size_t(-1).value):
            if library.pa_stream_peek(stream, ctypes.byref(data), ctypes.byref(num_bytes)) < 0:
                return
            if num_bytes.value == 0:
                return
            block = self._stamped(stream, data, num_bytes.value)
            library.pa_stream_drop(stream)
            if block is not None:
                self.last_block_ns = time.monotonic_ns()
                self._on_block(block)

    def _stamped(self, stream: int, data: ctypes.c_void_p, num_bytes: int) -> SoundBlock | None:
        """The readable bytes, with the time at which the first of them was heard; None for a hole."""
        latency_us = ctypes.c_uint64()
        is_negative = ctypes.c_int()
        has_latency = self._library.pa_stream_get_latency(
            stream, ctypes.byref(latency_us), ctypes.byref(is_negative)
        )
        now_ns = time.monotonic_ns()
        if not data.value or has_latency < 0:
            return None
        # Negative for a monitor whose sink is still to play what we already have.
        age_ns = latency_us.value * (-1000 if is_negative.value else 1000)
        samples = np.frombuffer(ctypes.string_at(data.value, num_bytes), np.float32).reshape(-1, 2)
        return SoundBlock(source=self._name, monotonic_ns=now_ns - age_ns, samples=samples, part=self._part)


def open_stream(
    connection: PulseConnection,
    name: SoundName,
    on_block: Callable[[SoundBlock], None],
    *,
    device: str | None,
    may_move: bool,
    what: str,
) -> PulseStream:
    """A stream that records; the loop is not held.

    Raises:
        SoundUnavailable: The server has no such source, or does not answer.
    """
    with connection.locked():
        stream = PulseStream(connection, name, on_block)
        stream.connect(device, may_move=may_move)
    try:
        stream.await_ready(what)
    except SoundUnavailable:
        with connection.locked():
            stream.close()
        raise
    return stream
