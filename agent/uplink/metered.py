"""Is this PC on a line that is paid by the byte? By NetworkManager on Linux; elsewhere nobody is asked yet."""

from __future__ import annotations

import sys

_NAME = "org.freedesktop.NetworkManager"
_PATH = "/org/freedesktop/NetworkManager"
_TIMEOUT_S = 2.0
# NMMetered: 0 unknown, 1 yes, 2 no, 3 guessed yes, 4 guessed no.
_METERED = frozenset({1, 3})


def is_metered(platform: str = sys.platform, *, bus: str = "SYSTEM") -> bool | None:
    """Is the line metered? None where nobody knows. Takes at most some seconds; any thread.

    Args:
        bus: of D-Bus: SYSTEM, or an address.
    """
    return _network_manager_says(bus) if platform == "linux" else None


def _network_manager_says(bus: str) -> bool | None:
    try:
        from jeepney import DBusAddress, DBusErrorResponse, Properties
        from jeepney.io.blocking import open_dbus_connection
        from jeepney.wrappers import unwrap_msg
    except ImportError:
        return None
    manager = DBusAddress(_PATH, bus_name=_NAME, interface=_NAME)
    try:
        with open_dbus_connection(bus=bus) as connection:
            reply = connection.send_and_get_reply(Properties(manager).get("Metered"), timeout=_TIMEOUT_S)
            (_signature, value) = unwrap_msg(reply)[0]
    except (OSError, KeyError, ValueError, DBusErrorResponse):
        # No bus, no NetworkManager, or one that does not answer in time.
        return None
    if value == 0:
        return None
    return value in _METERED
