"""Does this machine run on its battery? Then what is only nice to have is left out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

_SUPPLIES = Path("/sys/class/power_supply")


def is_on_battery(platform: str = sys.platform) -> bool:
    """Is no mains connected, though there is a battery? False where nobody knows. Takes milliseconds; any thread."""
    if platform == "linux":
        return is_discharging(_SUPPLIES)
    if platform == "win32":
        return _windows_on_battery()
    if platform == "darwin":
        return _macos_on_battery()
    return False


def is_discharging(supplies: Path) -> bool:
    """By Linux's folder of power supplies: no mains is online, and a battery of the machine itself discharges."""
    is_draining = False
    for supply in sorted(supplies.glob("*")):
        kind = _text(supply / "type")
        if kind in ("Mains", "USB") and _text(supply / "online") == "1":
            return False
        # A battery of scope Device is a mouse's or a headset's.
        if kind == "Battery" and _text(supply / "scope") != "Device":
            is_draining = is_draining or _text(supply / "status") == "Discharging"
    return is_draining


def charge_pct(platform: str = sys.platform) -> int | None:
    """How full the battery is, of 100; None where nobody knows. Takes milliseconds; any thread."""
    if platform == "linux":
        return charge_of(_SUPPLIES)
    if platform == "win32":
        status = _windows_power()
        # 255 is unknown.
        return None if status is None or status.battery_life_percent > 100 else status.battery_life_percent
    if platform == "darwin":
        found = re.search(r"(\d{1,3})%", _pmset())
        return int(found[1]) if found else None
    return None


def charge_of(supplies: Path) -> int | None:
    """By Linux's folder of power supplies: the emptiest battery of the machine itself."""
    found = [
        int(capacity)
        for supply in supplies.glob("*")
        if _text(supply / "type") == "Battery" and _text(supply / "scope") != "Device"
        if (capacity := _text(supply / "capacity")).isdecimal()
    ]
    return min(found, default=None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _windows_on_battery() -> bool:
    status = _windows_power()
    return status is not None and status.ac_line_status == 0


def _windows_power() -> Any:
    """By GetSystemPowerStatus: ACLineStatus 0 is off line, 1 on line, 255 unknown. Not run yet."""
    import ctypes

    class PowerStatus(ctypes.Structure):
        _fields_ = (
            ("ac_line_status", ctypes.c_ubyte),
            ("battery_flag", ctypes.c_ubyte),
            ("battery_life_percent", ctypes.c_ubyte),
            ("system_status_flag", ctypes.c_ubyte),
            ("battery_life_time", ctypes.c_ulong),
            ("battery_full_life_time", ctypes.c_ulong),
        )

    status = PowerStatus()
    is_read = ctypes.windll.kernel32.GetSystemPowerStatus(ctypes.byref(status))  # type: ignore[attr-defined]
    return status if is_read else None


def _macos_on_battery() -> bool:
    return "'Battery Power'" in _pmset().partition("\n")[0]


def _pmset() -> str:
    """What `pmset -g batt` says; its first line names what is drawn from. Not run yet."""
    try:
        done = subprocess.run(
            ["/usr/bin/pmset", "-g", "batt"], capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
