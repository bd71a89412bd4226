"""NetworkManager's one property that we ask for, on a real D-Bus daemon of the test's own."""

from __future__ import annotations

import threading

from jeepney import HeaderFields, Message, MessageType, message_bus, new_error, new_method_return
from jeepney.io.blocking import Proxy, open_dbus_connection

_NAME = "org.freedesktop.NetworkManager"


class NetworkManagerHere:
    """Answers `Metered` with `value`; None: with an error. A context manager."""

    def __init__(self, address: str, value: int | None) -> None:
        self._value = value
        self._stopping = threading.Event()
        self._connection = open_dbus_connection(bus=address)
        Proxy(message_bus, self._connection).RequestName(_NAME)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                message = self._connection.receive(timeout=0.05)
            except TimeoutError:
                continue
            if message.header.message_type is MessageType.method_call:
                self._connection.send(self._answer(message))

    def _answer(self, message: Message) -> Message:
        is_asked = message.header.fields[HeaderFields.member] == "Get" and message.body == (_NAME, "Metered")
        if not is_asked or self._value is None:
            return new_error(message, "org.freedesktop.DBus.Error.Failed", "s", ("no",))
        return new_method_return(message, "v", (("u", self._value),))

    def __enter__(self) -> NetworkManagerHere:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._thread.join(5)
        self._connection.close()
