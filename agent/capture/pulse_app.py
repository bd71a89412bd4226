"""What one application plays, by itself: on PulseAudio and PipeWire.

The server lets one stream that plays (a *sink input*) be recorded without the rest of its sink. An application has
none, one or several of them, and they come and go as it starts, plays and ends: each is recorded as it comes, as a
part of the application's sound. One that is not there is silent; that is no failure.

Everything here happens in libpulse's own thread, but `open`, `close` and `is_running`.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import structlog

from agent.capture import pulse_api
from agent.capture.pulse_connection import PulseConnection
from agent.capture.pulse_stream import PulseStream
from agent.model.media import SoundBlock, SoundName

log = structlog.get_logger()
# A browser with many players: what is beyond stays on the desktop's track.
MAX_PARTS = 8
_PROPERTIES = (b"application.name", b"application.process.binary")
_ABSENT = "not playing"


@dataclasses.dataclass(frozen=True, slots=True)
class _Playing:
    """A stream that plays: what plays it, and to which sink."""

    name: str
    sink: int


class PulseApplication:
    """The streams whose application or program has `name` in its name, upper and lower case alike.

    Args:
        name: as the user wrote it; also the track's.
    """

    def __init__(self, name: SoundName) -> None:
        self.name: SoundName = name
        self.device = _ABSENT
        self._needle = name.casefold()
        # `is_running` comes from any thread, and must not meet a loop that `close` has freed.
        self._lock = threading.Lock()
        self._connection: PulseConnection | None = None
        self._on_block: Callable[[SoundBlock], None] = lambda _block: None
        self._event_callback = pulse_api.SubscribeEvent(self._on_event)
        self._source_callback = pulse_api.SourceInfoAnswer(self._on_source)
        self._list_callback = pulse_api.SinkInputInfoAnswer(self._on_sink_input)
        # By the sink input's index. Owned by libpulse's thread while the connection lives.
        self._streams: dict[int, PulseStream] = {}
        self._found: dict[int, _Playing] = {}
        self._monitors: dict[int, str] = {}
        self._is_asking = False
        self._must_ask = False

    def open(self, on_block: Callable[[SoundBlock], None]) -> None:
        """Record its streams, those of now and those to come.

        Raises:
            SoundUnavailable: No server answers.
        """
        self.close()
        self._on_block = on_block
        connection = PulseConnection()
        with self._lock:
            self._connection = connection
            with connection.locked():
                library = connection.library
                library.pa_context_set_subscribe_callback(connection.context, self._event_callback, None)
                connection.start(
                    library.pa_context_subscribe(
                        connection.context, pulse_api.SUBSCRIBE_SINK_INPUTS, pulse_api.NO_SUCCESS, None
                    )
                )
                self._ask()

    @property
    def is_running(self) -> bool:
        """Does the server answer? An application that plays nothing is no outage."""
        with self._lock:
            connection = self._connection
            if connection is None or not connection.is_alive:
                return False
            with connection.locked():
                # An event may have been lost in between; the list is the truth.
                self._ask()
            return True

    def close(self) -> None:
        """Stop; no block comes after it returns. Twice is once."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is None:
                return
            with connection.locked():
                for stream in self._streams.values():
                    stream.close()
                self._streams.clear()
            connection.close()
            self._is_asking = self._must_ask = False
            self.device = _ABSENT

    def _ask(self) -> None:
        """Ask which streams play; one question at a time. The loop is held."""
        connection = self._connection
        if connection is None:
            return
        self._must_ask = self._is_asking
        if self._is_asking:
            return
        self._is_asking = True
        self._found, self._monitors = {}, {}
        library = connection.library
        # Answered in this order.
        connection.start(
            library.pa_context_get_source_info_list(connection.context, self._source_callback, None)
        )
        connection.start(
            library.pa_context_get_sink_input_info_list(connection.context, self._list_callback, None)
        )

    def _on_event(self, _context: int, _event: int, _index: int, _userdata: int) -> None:
        self._ask()

    def _on_source(self, _context: int, info: Any, is_last: int, _userdata: int) -> None:
        if not is_last and info:
            self._monitors[int(info.contents.monitor_of_sink)] = info.contents.name.decode()

    def _on_sink_input(self, _context: int, info: Any, is_last: int, _userdata: int) -> None:
        if not is_last and info:
            names = self._names(info.contents.proplist)
            if any(self._needle in name.casefold() for name in names):
                self._found[int(info.contents.index)] = _Playing(names[0], int(info.contents.sink))
            return
        self._follow()
        self._is_asking = False
        if self._must_ask:
            self._ask()

    def _names(self, properties: int) -> list[str]:
        connection = self._connection
        if connection is None:
            return []
        values = (connection.library.pa_proplist_gets(properties, key) for key in _PROPERTIES)
        return [value.decode(errors="replace") for value in values if value]

    def _follow(self) -> None:
        """Record what has come, let go of what went."""
        connection = self._connection
        if connection is None:
            return
        for index, stream in list(self._streams.items()):
            # The server ends the recording itself when the stream moves to another sink: begin anew there.
            if index not in self._found or stream.state > pulse_api.STREAM_READY:
                stream.close()
                del self._streams[index]
        for index, playing in sorted(self._found.items())[:MAX_PARTS]:
            monitor = self._monitors.get(playing.sink)
            if index not in self._streams and monitor is not None:
                stream = PulseStream(connection, self.name, self._on_block, part=index)
                stream.connect_to_sink_input(index, monitor)
                self._streams[index] = stream
                log.info("application_found", sound=self.name)
        names = sorted({playing.name for playing in self._found.values()})
        self.device = ", ".join(names) if names else _ABSENT
