"""A global hotkey on Wayland, by the desktop portal's GlobalShortcuts.

The desktop asks the user which keys to give us (ours are only a wish) and tells when they go down and come up; we
see no other key. The thread `hotkey` owns the bus connection.
Source: XDG Desktop Portal, org.freedesktop.portal.GlobalShortcuts, Request, Session; the XDG shortcuts specification.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from agent.errors import EnvironmentProblem
from agent.ports import ignore_release
from agent.trigger.autorepeat import press_time_ns
from agent.trigger.combination import Combination
from agent.trigger.reporting import report

log = structlog.get_logger()

BUS_NAME = "org.freedesktop.portal.Desktop"
OBJECT_PATH = "/org/freedesktop/portal/desktop"
INTERFACE = "org.freedesktop.portal.GlobalShortcuts"
REQUEST_INTERFACE = "org.freedesktop.portal.Request"
_SHORTCUT_ID = "clippy-save"
_ANSWER_S = 5.0
# The user may look at the desktop's question for a while.
_BIND_S = 300.0
_STOP_S = 2.0
_MODIFIERS = {"ctrl": "CTRL", "alt": "ALT", "shift": "SHIFT", "super": "LOGO"}


def portal_trigger(combination: Combination) -> str:
    """The combination as the shortcuts specification writes it: `CTRL+SHIFT+F10`. Pure."""
    modifiers = [word for name, word in _MODIFIERS.items() if name in combination.modifiers]
    return "+".join([*modifiers, combination.key])


class PortalHotkey:
    """Port `Hotkey` by the desktop portal.

    Args:
        bus_address: a D-Bus address; None is the session's bus.
    """

    has_release = True

    def __init__(self, combination: Combination, bus_address: str | None = None) -> None:
        self._combination = combination
        self._bus_address = bus_address or "SESSION"
        self._connection: Any = None
        self._session_path = ""
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(
        self, on_press: Callable[[int], None], on_release: Callable[[int], None] = ignore_release
    ) -> None:
        """Ask for the key and listen; whether the user grants it shows later, in the log."""
        self._stopping = threading.Event()
        self._connection = self._connect()
        try:
            self._session_path = self._create_session()
        except BaseException:
            self._connection.close()
            raise
        self._thread = threading.Thread(
            target=self._listen, args=(on_press, on_release), name="hotkey", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Give the key back: the session ends with its connection. Twice is once."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=_STOP_S)
        if thread.is_alive():
            log.warning("hotkey_hung", deadline_s=_STOP_S)

    def _connect(self) -> Any:
        try:
            # Here, because only a Wayland desktop needs it.
            from jeepney.io.blocking import open_dbus_connection

            return open_dbus_connection(bus=self._bus_address)
        except (ImportError, KeyError, OSError, ValueError) as exc:
            raise EnvironmentProblem(
                f"no D-Bus session for the desktop's hotkeys: {exc!r}; bind `clippy clip --last 30` to a key instead"
            ) from exc

    def _create_session(self) -> str:
        token = secrets.token_hex(8)
        options = {"session_handle_token": ("s", f"clippy_{token}")}
        try:
            code, results = self._request("CreateSession", "a{sv}", (), options, timeout_s=_ANSWER_S)
        except (OSError, TimeoutError, _Refused) as exc:
            raise EnvironmentProblem(
                f"this desktop has no portal for global hotkeys ({exc or 'it does not answer'}); bind `clippy clip "
                "--last 30` to a key instead"
            ) from exc
        if code != 0 or "session_handle" not in results:
            raise EnvironmentProblem(
                "the desktop refused a session for global hotkeys; bind `clippy clip` to a key"
            )
        return str(results["session_handle"][1])

    def _request(
        self,
        method: str,
        signature: str,
        arguments: tuple[Any, ...],
        options: dict[str, Any],
        *,
        timeout_s: float,
    ) -> tuple[int, dict[str, Any]]:
        """A portal's call: its answer comes as a signal of an object whose path we choose beforehand."""
        from jeepney import DBusAddress, MatchRule, MessageType, message_bus, new_method_call
        from jeepney.io.blocking import Proxy

        token = f"clippy_{secrets.token_hex(8)}"
        sender = self._connection.unique_name.lstrip(":").replace(".", "_")
        path = f"{OBJECT_PATH}/request/{sender}/{token}"
        rule = MatchRule(type="signal", interface=REQUEST_INTERFACE, member="Response", path=path)
        Proxy(message_bus, self._connection, timeout=_ANSWER_S).AddMatch(rule)
        address = DBusAddress(OBJECT_PATH, bus_name=BUS_NAME, interface=INTERFACE)
        call = new_method_call(
            address, method, signature, (*arguments, options | {"handle_token": ("s", token)})
        )
        with self._connection.filter(rule) as responses:
            reply = self._connection.send_and_get_reply(call, timeout=_ANSWER_S)
            if reply.header.message_type is MessageType.error:
                raise _Refused(str(reply.body[0] if reply.body else method))
            response = self._connection.recv_until_filtered(responses, timeout=timeout_s)
        code, results = response.body
        return int(code), dict(results)

    def _listen(self, on_press: Callable[[int], None], on_release: Callable[[int], None]) -> None:
        from jeepney import HeaderFields, MatchRule, message_bus
        from jeepney.io.blocking import Proxy

        callbacks = {"Activated": on_press, "Deactivated": on_release}
        try:
            with contextlib.ExitStack() as stack:
                rule = MatchRule(type="signal", interface=INTERFACE, path=OBJECT_PATH)
                Proxy(message_bus, self._connection, timeout=_ANSWER_S).AddMatch(rule)
                signals = stack.enter_context(self._connection.filter(rule, bufsize=64))
                self._bind()
                while not self._stopping.is_set():
                    message = self._connection.recv_until_filtered(signals)
                    member = message.header.fields.get(HeaderFields.member)
                    if member in callbacks and message.body[:2] == (self._session_path, _SHORTCUT_ID):
                        report(callbacks[member], _when_ns(message.body[2]))
        except (OSError, EOFError, TimeoutError) as exc:
            if not self._stopping.is_set():
                log.error("hotkey_lost", problem=repr(exc))
        except _Refused as exc:
            log.warning("hotkey_refused", problem=str(exc))
        except Exception:
            log.exception("hotkey_failed")
        finally:
            self._connection.close()

    def _bind(self) -> None:
        shortcut = (
            _SHORTCUT_ID,
            {
                "description": ("s", "Save the last seconds as a clip"),
                "preferred_trigger": ("s", portal_trigger(self._combination)),
            },
        )
        code, _ = self._request(
            "BindShortcuts",
            "oa(sa{sv})sa{sv}",
            (self._session_path, [shortcut], ""),
            {},
            timeout_s=_BIND_S,
        )
        if code != 0:
            raise _Refused(
                "the user or the desktop did not grant the hotkey; `clippy clip` saves without one"
            )
        log.info("hotkey_granted")


class _Refused(Exception):
    """The portal answered with an error, in its words."""


def _when_ns(timestamp_ms: int) -> int:
    """Most desktops stamp with the monotonic clock's milliseconds; another clock shows in its age."""
    return press_time_ns(int(timestamp_ms) % (1 << 32), time.monotonic_ns())
