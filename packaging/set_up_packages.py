"""System packages: what each verb needs of Debian, which of it is missing, and installing it. Standard library only."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from set_up_steps import SetupFailed, run_step, say

# What a program needs, by Debian package. Qt's libqxcb.so needs the libxcb and libxkbcommon rows; Pillow loads
# libfribidi0 to shape captions (without it Arabic and Indic letters stand unjoined).
LIBRARIES = """libportaudio2 libasound2-plugins libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
libxcb-keysyms1 libxcb-image0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-randr0 libxcb-shm0
libxcb-xfixes0 libxcb-render0 libdbus-1-3 libfontconfig1 libpulse0 libfribidi0 fonts-dejavu-core
ca-certificates""".split()
VIRTUAL_DESKTOP = "xvfb xauth xdotool pulseaudio pulseaudio-utils espeak-ng".split()
# libatomic1: the browser driver's Node. x11-xserver-utils: xset and xmodmap.
TEST_ONLY = "x11-xserver-utils ffmpeg chromium libatomic1 procps".split()
# The rivals. obs-studio: 6 MB to fetch, 61 MB on disk.
BENCH_ONLY = "ffmpeg obs-studio".split()
NEEDS = {
    "demo": LIBRARIES + VIRTUAL_DESKTOP,
    "screenshots": LIBRARIES + VIRTUAL_DESKTOP,
    "test": LIBRARIES + VIRTUAL_DESKTOP + TEST_ONLY,
    "bench": LIBRARIES + VIRTUAL_DESKTOP + BENCH_ONLY,
    "run": LIBRARIES,
}
# Where there is no dpkg to ask: the program that tells whether a package's work can be done.
PROGRAMS = {
    "xvfb": "Xvfb", "xauth": "xauth", "xdotool": "xdotool", "pulseaudio": "pulseaudio", "pulseaudio-utils": "pactl",
    "espeak-ng": "espeak-ng", "x11-xserver-utils": "xset", "ffmpeg": "ffmpeg", "chromium": "chromium", "procps": "ps",
    "obs-studio": "obs",
}  # fmt: skip
SHARED_LIBRARIES = "portaudio EGL GL xkbcommon-x11 xcb-cursor pulse dbus-1 fontconfig fribidi".split()
# A browser that is already here does as well; Ubuntu has no package of Chromium outside snap.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def is_debian(os_release: Path = Path("/etc/os-release")) -> bool:
    """Is this Debian, Ubuntu or a child of theirs?"""
    try:
        text = os_release.read_text(encoding="utf-8")
    except OSError:
        return False
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    family = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return shutil.which("apt-get") is not None and bool({"debian", "ubuntu"} & set(family))


def venv_package() -> str:
    """Debian's package of `ensurepip`, which it splits from Python."""
    return f"python3.{sys.version_info.minor}-venv"


def missing_packages(wanted: list[str]) -> list[str]:
    """Which of `wanted` dpkg does not have installed."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    installed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]


def tell_missing(verb: str, packages: list[str]) -> list[str]:
    """Say how to get what is missing; return it.

    Raises:
        SetupFailed: One of them makes the environment.
    """
    if packages:
        install = f"sudo apt-get install -y --no-install-recommends {' '.join(packages)}"
        told = f"Missing system packages; to install them, run:\n  sudo apt-get update && {install}"
        if venv_package() in packages:
            raise SetupFailed(f"Python has neither venv nor pip here.\n{told}")
        say(f"{told}\nGoing on without them.")
    elif sys.platform.startswith("linux") and not is_debian() and (lacking := lacking_programs(verb)):
        say(f"Missing on this system (install them with its package manager): {', '.join(lacking)}")
        say("Going on without them.")
    return packages


def lacking_programs(verb: str) -> list[str]:
    """What `verb` wants and a system without dpkg lacks, by the names of programs and libraries."""
    wanted = NEEDS.get(verb, [])
    lacking = [
        program
        for package, program in PROGRAMS.items()
        if package in wanted
        and not shutil.which(program)
        and not (package == "chromium" and any(map(shutil.which, BROWSERS)))
    ]
    libraries = SHARED_LIBRARIES if wanted else []
    return lacking + [f"lib{name}" for name in libraries if not ctypes.util.find_library(name)]


def apt_install(packages: list[str]) -> list[str]:
    """Install with apt as root; return what is still missing. A failure is told, and never raised."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    # A fresh machine's own first update holds the lock for minutes; --no-remove: nobody's sound server is taken away.
    install = [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "install",
        "--no-install-recommends",
        "--no-remove",
    ]
    try:
        # An install that was killed leaves packages unpacked, and apt refuses everything else until they are set up.
        run_step(
            "finish what an earlier install left", ["dpkg", "--configure", "-a"], environment=environment
        )
        refresh_lists(environment)
        known = [name for name in packages if is_known_to_apt(name)]
        if left_out := sorted(set(packages) - set(known)):
            say(f"  this system has no package {', '.join(left_out)}")
        if known:
            say(f"  {apt_cost([*install, '--assume-no', *known], environment)}")
            run_step(
                f"install {len(known)} system packages", [*install, "-y", *known], environment=environment
            )
    except SetupFailed as exc:
        say(f"  {exc}")
    return missing_packages(packages)


def refresh_lists(environment: dict[str, str]) -> None:
    """Let apt look what there is; where it cannot, the lists it has may do."""
    refresh = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-o", "APT::Update::Error-Mode=any", "update"]
    try:
        run_step("refresh the package lists", refresh, environment=environment)
    except SetupFailed as exc:
        say(f"  {exc}")


def is_known_to_apt(package: str) -> bool:
    """Has apt a version of it to install?"""
    done = subprocess.run(["apt-cache", "policy", package], capture_output=True, text=True, check=False)
    return any(
        line.strip().startswith("Candidate:") and "(none)" not in line for line in done.stdout.splitlines()
    )


def apt_cost(command: list[str], environment: dict[str, str]) -> str:
    """Apt's own words for what an install will fetch and take."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = [
        line for line in done.stdout.splitlines() if line.startswith(("Need to get", "After this operation"))
    ]
    return " ".join(lines)
