"""What Qt needs of this machine before it is loaded. Imports no Qt: where Qt cannot start it ends the whole process."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import socket
import sys
from pathlib import Path

from agent.capture.x11_desktop import probe_x11
from agent.errors import ScreenUnavailable
from agent.model.screen import ScreenArea

_KNOCK_S = 2.0
_PLUGINS = {"xcb": ("libqxcb.so",), "wayland": ("libqwayland.so", "libqwayland-generic.so")}


def is_wayland() -> bool:
    """Does this session show a Wayland desktop? Qt's own choice of platform counts most."""
    if platform := os.environ.get("QT_QPA_PLATFORM"):
        return platform.startswith("wayland")
    return sys.platform.startswith("linux") and bool(os.environ.get("WAYLAND_DISPLAY"))


def platform_name() -> str:
    """Qt's name of the platform to use."""
    if named := os.environ.get("QT_QPA_PLATFORM"):
        return named
    if sys.platform == "win32":
        return "windows"
    return "wayland" if is_wayland() else "xcb"


def probe_qt(area: ScreenArea) -> str:
    """Why Qt cannot record the area here; empty when it may. Cheap."""
    if sys.platform == "darwin":
        return "on macOS Qt must own the process's first thread, which the engine's is not"
    if not any(list(folder.glob("QtMultimedia.*")) for folder in _qt_folders()):
        return "Qt's multimedia is not installed; install clippy's extra `agent`"
    if platform_name().split(":")[0] in ("offscreen", "minimal"):
        return f"QT_QPA_PLATFORM is {platform_name()}, which shows no screen; unset it"
    if is_wayland():
        return _probe_wayland(area)
    return probe_x11() if sys.platform.startswith("linux") else ""


def _probe_wayland(area: ScreenArea) -> str:
    if area.kind == "window":
        return "Qt finds no windows on Wayland; unset capture.window and pick one where the desktop asks"
    display = os.environ.get("WAYLAND_DISPLAY", "wayland-0")
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / display
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            knock.settimeout(_KNOCK_S)
            knock.connect(str(path))
    except OSError as exc:
        # Qt ends the whole process when it finds no compositor.
        return f"no Wayland compositor answers at {display}: {exc.strerror or exc}; log in to a desktop"
    try:
        ctypes.CDLL("libpipewire-0.3.so.0")
    except OSError:
        return "PipeWire's library is missing; install libpipewire-0.3-0 and an xdg-desktop-portal"
    if not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return "there is no session bus to ask the desktop's portal by; log in to a desktop"
    return ""


def check_platform_plugin() -> None:
    """Load the platform's plugin ourselves, as Qt would, but without ending the process where that fails.

    Raises:
        ScreenUnavailable: A library that it needs is missing; names it.
    """
    if not sys.platform.startswith("linux"):
        return
    names = _PLUGINS.get(platform_name().split(";")[0], ())
    folders = [folder / "Qt" / "plugins" / "platforms" for folder in _qt_folders()]
    plugins = [folder / name for folder in folders for name in names if (folder / name).exists()]
    for plugin in plugins[:1]:
        try:
            ctypes.CDLL(str(plugin))
        except OSError as exc:
            raise ScreenUnavailable(
                f"Qt's {platform_name()} plugin cannot be loaded: {exc}; install that library"
            ) from exc


def _qt_folders() -> list[Path]:
    # Found, not imported: the thread that imports Qt first is the one that it takes for the main thread.
    spec = importlib.util.find_spec("PySide6")
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
