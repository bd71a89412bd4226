"""Does this machine run on its battery? Then what is only nice to have is left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _windows_on_battery() -> bool:
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
    return bool(is_read) and status.ac_line_status == 0


def _macos_on_battery() -> bool:
    """By `pmset -g batt`, whose first line names what is drawn from. Not run yet."""
    try:
        done = subprocess.run(
            ["/usr/bin/pmset", "-g", "batt"], capture_output=True, text=True, timeout=2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "'Battery Power'" in done.stdout.partition("\n")[0]
