"""What sources the sound server has, and word of a device that came or of another default."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from agent.capture import pulse_api
from agent.capture.pulse_connection import PulseConnection
from agent.errors import SoundUnavailable


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PulseDevice:
    """A source as the sound server lists it. A monitor carries what its sink plays."""

    name: str
    description: str
    is_monitor: bool
    is_default: bool
    is_muted: bool = False


class PulseChanges:
    """Says when it makes sense to look for devices again. Used by one thread."""

    def __init__(self) -> None:
        self._connection: PulseConnection | None = None
        self._callback = pulse_api.SubscribeEvent(self._on_event)
        # Written in libpulse's thread.
        self._num_events = 0
        self._num_seen = 0

    def has_changed(self) -> bool:
        """Has a device come, the default changed or the server come back since the last call?"""
        if self._connection is None or not self._connection.is_alive:
            return self._connect()
        num_events = self._num_events
        has_changed, self._num_seen = num_events != self._num_seen, num_events
        return has_changed

    def close(self) -> None:
        """Listen no more. Twice is once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> bool:
        self.close()
        try:
            connection = PulseConnection()
        except SoundUnavailable:
            return False
        with connection.locked():
            connection.library.pa_context_set_subscribe_callback(connection.context, self._callback, None)
            connection.start(
                connection.library.pa_context_subscribe(
                    connection.context, pulse_api.SUBSCRIBE_DEVICES, pulse_api.NO_SUCCESS, None
                )
            )
        self._connection = connection
        return True

    def _on_event(self, _context: int, event: int, _index: int, _userdata: int) -> None:
        """In libpulse's thread. A device's volume and state change all the time, and are no news."""
        is_server = event & pulse_api.EVENT_FACILITY_MASK == pulse_api.EVENT_SERVER
        if is_server or event & pulse_api.EVENT_TYPE_MASK == pulse_api.EVENT_NEW:
            self._num_events += 1


def is_server_there() -> bool:
    """Does a sound server answer?"""
    if sys.platform != "linux":
        return False
    try:
        PulseConnection().close()
    except SoundUnavailable:
        return False
    return True


def list_devices() -> list[PulseDevice]:
    """Every source of the sound server, monitors included.

    Raises:
        SoundUnavailable: Not on Linux, libpulse is missing, or no server answers.
    """
    if sys.platform != "linux":
        raise SoundUnavailable("PulseAudio and PipeWire are asked on Linux only")
    connection = PulseConnection()
    try:
        connection.await_defaults()
        return _list_devices(connection)
    finally:
        connection.close()


def _list_devices(connection: PulseConnection) -> list[PulseDevice]:
    found: list[PulseDevice] = []
    defaults = {connection.default_source, f"{connection.default_sink}.monitor"}
    num_answers = 0

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

    callback = pulse_api.SourceInfoAnswer(on_source)
    with connection.locked():
        library = connection.library
        connection.start(library.pa_context_get_source_info_list(connection.context, callback, None))
    connection.await_state(lambda: num_answers, ready=1, what="the list of sound devices")
    return found
