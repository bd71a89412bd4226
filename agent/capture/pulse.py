"""Microphone and desktop sound from PulseAudio or PipeWire, through libpulse itself.

Not through PortAudio: two streams over ALSA's pulse plug-in took 0.42-0.48 CPU s per s (it polls a descriptor
that is always ready), two of these take 0.01. Each source has a connection and a thread of libpulse's own; the
thread copies and stamps, nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import structlog

from agent.capture import pulse_api
from agent.errors import SoundUnavailable
from agent.model.media import SOUND_RATE_HZ, SoundBlock, SoundName
from protos.timebase import SECOND_NS

log = structlog.get_logger()
AUTO = "auto"
_DEFAULT_MONITOR = "@DEFAULT_MONITOR@"
_BYTES_PER_SAMPLE = 8  # stereo float32
_FRAGMENT_BYTES = _BYTES_PER_SAMPLE * SOUND_RATE_HZ // 50  # 20 ms
_CONNECT_DEADLINE_S = 2.0
_POLL_S = 0.005
_SILENT_AFTER_NS = SECOND_NS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PulseDevice:
    """A source as the sound server lists it. A monitor carries what its sink plays."""

    name: str
    description: str
    is_monitor: bool
    is_default: bool
    is_muted: bool = False


class PulseConnection:
    """One connection to the sound server with the thread that serves it. Used by one thread at a time."""

    def __init__(self) -> None:
        self.library: Any = pulse_api.load()
        self._loop = self.library.pa_threaded_mainloop_new()
        self.context: int = 0
        if not self._loop or self.library.pa_threaded_mainloop_start(self._loop) < 0:
            raise SoundUnavailable("libpulse cannot start its thread; is this process out of threads?")
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the loop: libpulse may only be called so from outside of its thread."""
        self.library.pa_threaded_mainloop_lock(self._loop)
        try:
            yield
        finally:
            self.library.pa_threaded_mainloop_unlock(self._loop)

    @property
    def is_alive(self) -> bool:
        """Does the server still answer?"""
        with self.locked():
            return bool(self.library.pa_context_get_state(self.context) == pulse_api.CONTEXT_READY)

    def await_state(self, read: Callable[[], int], *, ready: int, what: str) -> None:
        """Wait until `read` returns `ready`; anything above it is a failure.

        Raises:
            SoundUnavailable: It failed, or was not ready in time.
        """
        ends = time.monotonic() + _CONNECT_DEADLINE_S
        while True:
            with self.locked():
                state = read()
                reason = self.library.pa_strerror(self.library.pa_context_errno(self.context)).decode()
            if state == ready:
                return
            if state > ready:
                raise SoundUnavailable(
                    f"cannot open {what}: {reason}; see `clippy devices` for what there is"
                )
            if time.monotonic() > ends:
                raise SoundUnavailable(
                    f"cannot open {what}: no answer in {_CONNECT_DEADLINE_S:.0f} s; restart it"
                )
            time.sleep(_POLL_S)

    def close(self) -> None:
        """Disconnect; no callback runs after it returns. Twice is once."""
        loop, self._loop = self._loop, None
        if not loop:
            return
        if self.context:
            self.library.pa_threaded_mainloop_lock(loop)
            self.library.pa_context_disconnect(self.context)
            self.library.pa_context_unref(self.context)
            self.library.pa_threaded_mainloop_unlock(loop)
            self.context = 0
        self.library.pa_threaded_mainloop_stop(loop)
        self.library.pa_threaded_mainloop_free(loop)

    def _connect(self) -> None:
        with self.locked():
            api = self.library.pa_threaded_mainloop_get_api(self._loop)
            self.context = self.library.pa_context_new(api, b"Clippy")
            self.library.pa_context_connect(self.context, None, pulse_api.CONTEXT_NOAUTOSPAWN, None)
        self.await_state(
            lambda: self.library.pa_context_get_state(self.context),
            ready=pulse_api.CONTEXT_READY,
            what="the sound server (PulseAudio or PipeWire)",
        )


class PulseSource:
    """One source of the sound server: a microphone, or the monitor of a sink.

    Args:
        name: which sound it is.
        device: the server's name of the source. `auto` is the default microphone (which the server moves
            along when the user chooses another), and for desktop sound the monitor of the default sink.
    """

    def __init__(self, name: SoundName, device: str = AUTO) -> None:
        self.name: SoundName = name
        self.device = device
        self._wanted = device
        # `is_running` comes from any thread, and must not meet a loop that `close` has freed.
        self._lock = threading.Lock()
        self._connection: PulseConnection | None = None
        self._stream = 0
        self._on_block: Callable[[SoundBlock], None] | None = None
        # libpulse keeps bare pointers to these.
        self._read_callback = pulse_api.StreamRequest(self._on_readable)
        self._server_callback = pulse_api.ServerInfoAnswer(self._on_server_info)
        self._last_block_ns = 0
        self._sink_at_open = ""
        self._default_sink = ""

    def open(self, on_block: Callable[[SoundBlock], None]) -> None:
        """Start recording. `device` then holds the name of the source that was opened.

        Raises:
            SoundUnavailable: No server answers, or it has no such source.
        """
        self.close()
        self._on_block = on_block
        connection = PulseConnection()
        try:
            self._open_stream(connection)
        except BaseException:
            connection.close()
            raise
        self._last_block_ns = time.monotonic_ns()
        self._default_sink = self._sink_at_open = ""
        self._ask_default_sink(connection)
        with self._lock:
            self._connection = connection

    @property
    def is_running(self) -> bool:
        """Has a block come within the last second, from the device that is wanted?

        Also asks the server, without waiting, whether the default sink is still the one that was opened.
        """
        with self._lock:
            connection = self._connection
            if connection is None or time.monotonic_ns() - self._last_block_ns > _SILENT_AFTER_NS:
                return False
            return connection.is_alive and self._is_right_device(connection)

    def close(self) -> None:
        """Stop; no block comes after it returns. Twice is once."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            with connection.locked():
                connection.library.pa_stream_disconnect(self._stream)
                connection.library.pa_stream_unref(self._stream)
            self._stream = 0
            connection.close()

    def _is_right_device(self, connection: PulseConnection) -> bool:
        if self._wanted == AUTO and self.name == "desktop":
            self._ask_default_sink(connection)
            return self._default_sink == self._sink_at_open
        with connection.locked():
            moved_to = connection.library.pa_stream_get_device_name(self._stream)
        if moved_to and moved_to.decode() != self.device:
            log.info("sound_device_moved", source=self.name, device=moved_to.decode())
            self.device = moved_to.decode()
        return True

    def _open_stream(self, connection: PulseConnection) -> None:
        library = connection.library
        spec = pulse_api.SampleSpec(pulse_api.SAMPLE_FLOAT32LE, SOUND_RATE_HZ, 2)
        unset = pulse_api.DEFAULT_BYTES
        buffers = pulse_api.BufferAttr(unset, unset, unset, unset, _FRAGMENT_BYTES)
        flags = (
            pulse_api.STREAM_INTERPOLATE_TIMING
            | pulse_api.STREAM_AUTO_TIMING_UPDATE
            | pulse_api.STREAM_ADJUST_LATENCY
        )
        device: str | None = self._wanted
        if self._wanted == AUTO:
            device = None if self.name == "mic" else _DEFAULT_MONITOR
        if device is not None:
            # Else a removed device silently becomes another one: a microphone that records the game.
            flags |= pulse_api.STREAM_DONT_MOVE
        with connection.locked():
            self._stream = library.pa_stream_new(
                connection.context, self.name.encode(), ctypes.byref(spec), None
            )
            library.pa_stream_set_read_callback(self._stream, self._read_callback, None)
            library.pa_stream_connect_record(
                self._stream, device.encode() if device else None, ctypes.byref(buffers), flags
            )
        try:
            connection.await_state(
                lambda: library.pa_stream_get_state(self._stream),
                ready=pulse_api.STREAM_READY,
                what=f"{self.name} sound from {self._wanted}",
            )
        except SoundUnavailable:
            with connection.locked():
                library.pa_stream_unref(self._stream)
            self._stream = 0
            raise
        with connection.locked():
            opened = library.pa_stream_get_device_name(self._stream)
        self.device = opened.decode() if opened else self._wanted

    def _on_readable(self, stream: int, _num_bytes: int, _userdata: int) -> None:
        """Copy and stamp what there is. In libpulse's thread, which holds the loop."""
        library = pulse_api.load()
        data = ctypes.c_void_p()
        num_bytes = ctypes.c_size_t()
        while library.pa_stream_readable_size(stream) not in (0, ctypes.c_size_t(-1).value):
            if library.pa_stream_peek(stream, ctypes.byref(data), ctypes.byref(num_bytes)) < 0:
                return
            if num_bytes.value == 0:
                return
            block = self._stamped(stream, data, num_bytes.value)
            library.pa_stream_drop(stream)
            if block is not None and self._on_block is not None:
                self._last_block_ns = time.monotonic_ns()
                self._on_block(block)

    def _stamped(self, stream: int, data: ctypes.c_void_p, num_bytes: int) -> SoundBlock | None:
        """The readable bytes, with the time at which the first of them was heard; None for a hole."""
        latency_us = ctypes.c_uint64()
        is_negative = ctypes.c_int()
        has_latency = pulse_api.load().pa_stream_get_latency(
            stream, ctypes.byref(latency_us), ctypes.byref(is_negative)
        )
        now_ns = time.monotonic_ns()
        if not data.value or has_latency < 0:
            return None
        # Negative for a monitor whose sink is still to play what we already have.
        age_ns = latency_us.value * (-1000 if is_negative.value else 1000)
        samples = np.frombuffer(ctypes.string_at(data.value, num_bytes), np.float32).reshape(-1, 2)
        return SoundBlock(source=self.name, monotonic_ns=now_ns - age_ns, samples=samples)

    def _ask_default_sink(self, connection: PulseConnection) -> None:
        """Ask which sink is the default now; the answer comes in libpulse's thread."""
        with connection.locked():
            operation = connection.library.pa_context_get_server_info(
                connection.context, self._server_callback, None
            )
            if operation:
                connection.library.pa_operation_unref(operation)

    def _on_server_info(self, _context: int, info: Any, _userdata: int) -> None:
        if not info:
            return
        self._default_sink = (info.contents.default_sink_name or b"").decode()
        self._sink_at_open = self._sink_at_open or self._default_sink


def list_devices() -> list[PulseDevice]:
    """Every source of the sound server, monitors included.

    Raises:
        SoundUnavailable: Not on Linux, libpulse is missing, or no server answers.
    """
    if sys.platform != "linux":
        raise SoundUnavailable("PulseAudio and PipeWire are asked on Linux only")
    connection = PulseConnection()
    try:
        return _list_devices(connection)
    finally:
        connection.close()


def _list_devices(connection: PulseConnection) -> list[PulseDevice]:
    found: list[PulseDevice] = []
    defaults: list[str] = []
    num_answers = 0

    def on_server(_context: int, info: Any, _userdata: int) -> None:
        if info:
            server = info.contents
            defaults.append((server.default_source_name or b"").decode())
            defaults.append((server.default_sink_name or b"").decode() + ".monitor")

    def on_source(_context: int, info: Any, is_last: int, _userdata: int) -> None:
        nonlocal num_answers
        if is_last or not info:
            num_answers += 1
            return
        source = info.contents
        name = source.name.decode()
        found.append(
            PulseDevice(
                name=name,
                description=(source.description or b"").decode(errors="replace"),
                is_monitor=source.monitor_of_sink != pulse_api.INVALID_INDEX,
                is_default=name in defaults,
                is_muted=bool(source.mute),
            )
        )

    callbacks = (pulse_api.ServerInfoAnswer(on_server), pulse_api.SourceInfoAnswer(on_source))
    with connection.locked():
        library = connection.library
        for operation in (
            library.pa_context_get_server_info(connection.context, callbacks[0], None),
            library.pa_context_get_source_info_list(connection.context, callbacks[1], None),
        ):
            if operation:
                library.pa_operation_unref(operation)
    connection.await_state(lambda: num_answers, ready=1, what="the list of sound devices")
    return found
