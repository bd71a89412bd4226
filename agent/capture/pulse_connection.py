"""A connection to the sound server (PulseAudio or PipeWire), and what it tells of itself. Used by one thread at a time.

Each connection has a thread of libpulse's own; answers and sound come in that thread, which holds the loop meanwhile.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from agent.capture import pulse_api
from agent.errors import SoundUnavailable

_CONNECT_DEADLINE_S = 2.0
_POLL_S = 0.005
_SERVER = "the sound server (PulseAudio or PipeWire)"


class PulseConnection:
    """One connection with the thread that serves it.

    Attributes:
        default_sink, default_source: as the server last answered `ask_defaults`; empty before.

    Raises:
        SoundUnavailable: No server answers.
    """

    def __init__(self) -> None:
        self.library: Any = pulse_api.load()
        self.default_sink = self.default_source = ""
        # libpulse keeps a bare pointer to it.
        self._server_callback = pulse_api.ServerInfoAnswer(self._on_server_info)
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

    def start(self, operation: int | None) -> None:
        """Let an operation run; its answer comes by its callback. The loop is held."""
        if operation:
            self.library.pa_operation_unref(operation)

    def ask_defaults(self) -> None:
        """Ask for the default devices; returns at once, the answer comes in libpulse's thread."""
        with self.locked():
            self.start(self.library.pa_context_get_server_info(self.context, self._server_callback, None))

    def await_defaults(self) -> None:
        """Ask for the default devices and wait for the answer.

        Raises:
            SoundUnavailable: The server does not answer.
        """
        self.default_sink = ""
        self.ask_defaults()
        self.await_state(lambda: int(bool(self.default_sink)), ready=1, what="the default devices")

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
            what=_SERVER,
        )

    def _on_server_info(self, _context: int, info: Any, _userdata: int) -> None:
        if info:
            self.default_source = (info.contents.default_source_name or b"").decode()
            # "-" is no name of a sink: a server that has none answers nothing, and has answered nevertheless.
            self.default_sink = (info.contents.default_sink_name or b"-").decode()
