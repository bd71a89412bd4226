"""What probes found, remembered in a file: which encoders work here, and why others do not.

Valid for one machine as it was: another driver, card, kernel, system or FFmpeg makes it all forgotten, and so does
age. A broken or foreign file is an empty one. Used by one thread at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

import av
import msgspec
import structlog

log = structlog.get_logger()

MAX_AGE_MS = 7 * 24 * 3600 * 1000


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One probe's answer. `problem` empty: it works."""

    at_unix_ms: int
    problem: str = ""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    machine: str = ""
    findings: dict[str, Finding] = {}


class ProbeMemory:
    """Findings by encoder.

    Args:
        path: of the file; it may be absent. None: nothing outlives this object.
        machine: what findings hold for (`machine_facts`).
    """

    def __init__(self, path: Path | None, *, machine: str) -> None:
        self._path = path
        self._machine = machine
        self._findings = self._load()

    def find(self, encoder: str, *, now_unix_ms: int) -> Finding | None:
        """What was found, unless it is too old, or from the future (a clock that was set back)."""
        finding = self._findings.get(encoder)
        if finding is None or not 0 <= now_unix_ms - finding.at_unix_ms <= MAX_AGE_MS:
            return None
        return finding

    def put(self, encoder: str, finding: Finding) -> None:
        """Remember, also over a crash that follows at once."""
        self._findings[encoder] = finding
        self._save()

    def forget(self, encoder: str) -> None:
        """Probe it again next time."""
        if self._findings.pop(encoder, None) is not None:
            self._save()

    def _load(self) -> dict[str, Finding]:
        if self._path is None:
            return {}
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, ValueError) as exc:
            log.info("probes_not_read", problem=str(exc))
            return {}
        return dict(file.findings) if file.machine == self._machine else {}

    def _save(self) -> None:
        if self._path is None:
            return
        part = self._path.with_suffix(".part")
        try:
            part.write_bytes(msgspec.json.encode(_File(machine=self._machine, findings=self._findings)))
            part.replace(self._path)
        except OSError as exc:
            # Only costs a probe at the next start.
            log.info("probes_not_kept", problem=str(exc))
            with contextlib.suppress(OSError):
                part.unlink()


def machine_facts() -> str:
    """What an encoder's working depends on, as one digest: system, kernel, FFmpeg, graphics cards and drivers."""
    facts = [
        *(sys.platform, platform.machine(), platform.release(), platform.version()),
        *(av.__version__, repr(sorted(av.library_versions.items()))),
        _text(Path("/proc/driver/nvidia/version")),
        _text(Path("/sys/module/nvidia/version")),
        *_linux_cards(Path("/sys/class/drm")),
        *_windows_drivers(),
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _linux_cards(folder: Path) -> list[str]:
    """`vendor:device driver` of each graphics card."""
    cards = []
    for card in sorted(folder.glob("card[0-9]*")):
        device = card / "device"
        if not (device / "vendor").exists():
            continue  # a connector, such as card0-HDMI-A-1
        driver = os.path.realpath(device / "driver").rpartition("/")[2]
        cards.append(f"{_text(device / 'vendor')}:{_text(device / 'device')} {driver}")
    return cards


def _windows_drivers() -> list[str]:
    """Version of each display driver, as the registry has it. Not run yet."""
    if platform.system() != "Windows":
        return []
    # Not by `import`: only Windows' Python has it, and a type checker elsewhere would see the rest as unreachable.
    winreg: Any = importlib.import_module("winreg")
    found = []
    display_class = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
    for number in range(16):
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{display_class}\{number:04}") as key:
                values = [winreg.QueryValueEx(key, name)[0] for name in ("DriverDesc", "DriverVersion")]
        except OSError:
            continue
        found.append(" ".join(str(value) for value in values))
    return found
