"""Microphone and desktop sound from PulseAudio or PipeWire, through libpulse itself.

Not through PortAudio: two streams over ALSA's pulse plug-in took 0.42-0.48 CPU s per s (it polls a descriptor
that is always ready), two of these take 0.01. Each source has a connection and a thread of libpulse's own; the
thread copies and stamps, nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from agent.capture import pulse_api
from agent.capture.pulse_connection import PulseConnection
from agent.capture.pulse_stream import PulseStream, open_stream
from agent.errors import SoundUnavailable
from agent.model.media import SoundBlock, SoundName
from protos.timebase import SECOND_NS

log = structlog.get_logger()
AUTO = "auto"
_DEFAULT_MONITOR = "@DEFAULT_MONITOR@"
_SILENT_AFTER_NS = SECOND_NS


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
        self._stream: PulseStream | None = None
        self._opened_ns = 0
        self._sink_at_open = ""

    def open(self, on_block: Callable[[SoundBlock], None]) -> None:
        """Start recording. `device` then holds the name of the source that was opened.

        Raises:
            SoundUnavailable: No server answers, or it has no such source.
        """
        self.close()
        connection = PulseConnection()
        try:
            connection.await_defaults()
            stream = self._open_stream(connection, on_block)
        except BaseException:
            connection.close()
            raise
        with connection.locked():
            self.device = stream.device or self._wanted
        self._opened_ns = time.monotonic_ns()
        self._sink_at_open = connection.default_sink
        with self._lock:
            self._connection, self._stream = connection, stream
        if self._is_desktop_as_microphone(connection):
            self.close()
            raise SoundUnavailable(
                "there is no microphone: the sound server offers what the PC plays instead; "
                "connect one, or name a source in capture.microphone"
            )

    @property
    def is_running(self) -> bool:
        """Has a block come within the last second, from the device that is wanted?

        Also asks the server, without waiting, whether the default sink is still the one that was opened.
        """
        with self._lock:
            connection, stream = self._connection, self._stream
            if connection is None or stream is None or not connection.is_alive:
                return False
            last_ns = max(stream.last_block_ns, self._opened_ns)
            if time.monotonic_ns() - last_ns > _SILENT_AFTER_NS:
                return False
            connection.ask_defaults()
            return self._is_right_device(connection, stream)

    def close(self) -> None:
        """Stop; no block comes after it returns. Twice is once."""
        with self._lock:
            connection, self._connection = self._connection, None
            stream, self._stream = self._stream, None
            if connection is None:
                return
            if stream is not None:
                with connection.locked():
                    stream.close()
            connection.close()

    def _open_stream(
        self, connection: PulseConnection, on_block: Callable[[SoundBlock], None]
    ) -> PulseStream:
        device: str | None = self._wanted
        if self._wanted == AUTO:
            device = None if self.name == "mic" else _DEFAULT_MONITOR
        return open_stream(
            connection,
            self.name,
            on_block,
            device=device,
            may_move=device is None,
            what=f"{self.name} sound from {self._wanted}",
        )

    def _is_right_device(self, connection: PulseConnection, stream: PulseStream) -> bool:
        with connection.locked():
            is_recording = stream.state == pulse_api.STREAM_READY
            device = stream.device
        if not is_recording:
            return False
        if self._wanted == AUTO and self.name == "desktop":
            return connection.default_sink == self._sink_at_open
        if device and device != self.device:
            log.info("sound_device_moved", source=self.name, device=device)
            self.device = device
        return not self._is_desktop_as_microphone(connection)

    def _is_desktop_as_microphone(self, connection: PulseConnection) -> bool:
        """Without a microphone the server makes the speakers' own sound its default source."""
        is_auto = self._wanted == AUTO and self.name == "mic"
        return is_auto and self.device == f"{connection.default_sink}.monitor"
