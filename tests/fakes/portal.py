"""A desktop portal that grants global shortcuts as a test tells it to, on a real D-Bus daemon of its own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageType,
    message_bus,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.io.blocking import Proxy, open_dbus_connection

from agent.trigger.hotkey_portal import BUS_NAME, INTERFACE, OBJECT_PATH, REQUEST_INTERFACE

MISSING_DAEMON = shutil.which("dbus-daemon") is None
SESSION_PATH = f"{OBJECT_PATH}/session/test/one"


class PrivateBus:
    """A D-Bus daemon of its own; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix:path={folder / 'bus'}"
        self._daemon = subprocess.Popen(
            [
                "dbus-daemon",
                "--session",
                "--nofork",
                "--nopidfile",
                "--print-address",
                f"--address={self.address}",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._daemon.stdout is not None
        self._daemon.stdout.readline()  # it listens now

    def __enter__(self) -> PrivateBus:
        return self

    def __exit__(self, *exc: object) -> None:
        self._daemon.terminate()
        self._daemon.wait(10)
        assert self._daemon.stdout is not None
        self._daemon.stdout.close()


class Portal:
    """The portal's GlobalShortcuts; a context manager.

    Args:
        is_granted: does the user grant the shortcut?
    """

    def __init__(self, bus_address: str, *, is_granted: bool = True) -> None:
        self._is_granted = is_granted
        self._connection = open_dbus_connection(bus=bus_address)
        Proxy(message_bus, self._connection).RequestName(BUS_NAME)
        self._emitter = DBusAddress(OBJECT_PATH, bus_name=BUS_NAME, interface=INTERFACE)
        self.wanted: list[tuple[str, dict[str, Any]]] = []
        self.bound = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="portal", daemon=True)
        self._thread.start()

    def tell(self, member: str, timestamp_ms: int, *, shortcut: str | None = None) -> None:
        """Send `Activated` or `Deactivated` of the bound shortcut, or of another one."""
        name = shortcut or self.wanted[0][0]
        body = (SESSION_PATH, name, timestamp_ms, {})
        self._connection.send(new_signal(self._emitter, member, "osta{sv}", body))

    def _serve(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                message = self._connection.receive()
                if message.header.message_type is MessageType.method_call:
                    self._answer(message)

    def _answer(self, call: Message) -> None:
        member = call.header.fields[HeaderFields.member]
        if call.header.fields.get(HeaderFields.interface) != INTERFACE:
            self._connection.send(new_error(call, "org.freedesktop.DBus.Error.UnknownInterface"))
            return
        options = call.body[-1]
        sender = call.header.fields[HeaderFields.sender].lstrip(":").replace(".", "_")
        path = f"{OBJECT_PATH}/request/{sender}/{options['handle_token'][1]}"
        self._connection.send(new_method_return(call, "o", (path,)))
        code, results = 0, {}
        if member == "CreateSession":
            results = {"session_handle": ("s", SESSION_PATH)}
        else:
            self.wanted = call.body[1]
            code = 0 if self._is_granted else 1
            results = {"shortcuts": ("a(sa{sv})", [])}
        emitter = DBusAddress(path, bus_name=BUS_NAME, interface=REQUEST_INTERFACE)
        self._connection.send(new_signal(emitter, "Response", "ua{sv}", (code, results)))
        if member == "BindShortcuts":
            self.bound.set()

    def __enter__(self) -> Portal:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._connection.close()
