"""Makes a machine ready for Clippy: system packages, the pinned uv, `.venv` out of the locks.

Everything of Python lands below the repository (`.venv`, `.clippy`); system packages are installed by apt where this is
Debian or Ubuntu and we are root, otherwise the one line to run is shown and the verb does without. A set-up that was
killed, half deleted or made by another Python is found by its stamp and made anew. Standard library only.
One set-up at a time: a second waits for the first.
"""

from __future__ import annotations

import ctypes.util
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from set_up_steps import SetupFailed, one_at_a_time, run_step, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".clippy" / "tools"
LOCKS = ROOT / "packaging" / "locks"
BIN = "Scripts" if sys.platform == "win32" else "bin"
STAMP = ".clippy-stamp"
# Of the locked set on Linux, uv's cache hard-linked: measured on an empty Debian 12.
PYTHON_COST = "550 MB to fetch, 1.6 GB on disk; one to three minutes"
PYTHON_DISK_BYTES = 1_700_000_000

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


def set_up(verb: str) -> list[str]:
    """Do everything `verb` needs; return the Debian packages that are still missing (the verb does without).

    Raises:
        SetupFailed: The Python environment cannot be had here; the message says what to do.
    """
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise SetupFailed(
            f"Python {sys.version_info.major}.{sys.version_info.minor} runs this; Clippy needs 3.11, 3.12 or 3.13"
        )
    if sys.maxsize < 2**32:
        raise SetupFailed("this Python is a 32-bit one; Clippy's packages exist for 64 bits only")
    missing = missing_here(verb)
    is_current = is_environment_current()
    can_install = is_debian() and os.geteuid() == 0
    if is_current and not (missing and can_install):
        return tell_missing(verb, missing)
    with one_at_a_time(ROOT / ".clippy" / "set-up.lock") as lock:
        # Another set-up may have done it while we waited.
        missing, is_current = missing_here(verb), is_environment_current()
        if can_install:
            announce(missing, is_current)
            missing = apt_install(missing) if missing else []
            tell_missing(verb, missing)
        else:
            tell_missing(verb, missing)
            announce([], is_current)
        if not is_current:
            ensure_environment(lock)
    return missing


def announce(packages: list[str], is_current: bool) -> None:
    """Say what will be installed, before anything is."""
    if not packages and is_current:
        return
    say("Setting up, once:")
    if packages:
        say(f"  {len(packages)} system packages by apt: {' '.join(packages)}")
    if not is_current:
        free_bytes = shutil.disk_usage(ROOT).free
        say(f"  {num_locked()} Python packages into {VENV} ({PYTHON_COST}; {free_bytes / 1e9:.1f} GB free)")


# ---- system packages


def is_debian(os_release: Path = Path("/etc/os-release")) -> bool:
    """Is this Debian, Ubuntu or a child of theirs?"""
    try:
        text = os_release.read_text(encoding="utf-8")
    except OSError:
        return False
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    family = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return shutil.which("apt-get") is not None and bool({"debian", "ubuntu"} & set(family))


def missing_here(verb: str) -> list[str]:
    """The Debian packages that `verb`, or the making of its environment, needs and this machine lacks."""
    if not is_debian():
        return []
    wanted = [
        name for name in NEEDS.get(verb, []) if name != "chromium" or not any(map(shutil.which, BROWSERS))
    ]
    if not is_environment_current() and not can_get_uv():
        wanted.append(venv_package())
    return missing_packages(wanted) if wanted else []


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


# ---- the Python environment


def stamp() -> str:
    """Changes when the environment must be made anew."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {sys.platform} {VENV}".encode())
    for path in [ROOT / "pyproject.toml", *sorted(LOCKS.glob("*.txt"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def num_locked() -> int:
    """How many distributions the development lock names (those of other platforms included)."""
    text = (LOCKS / "dev.txt").read_text(encoding="utf-8")
    return len({line.split("==")[0] for line in text.splitlines() if "==" in line and line[0].isalnum()})


def contents() -> list[str]:
    """What lies directly in `.venv`'s program and package folders."""
    folders = [VENV / BIN, VENV / "Lib" / "site-packages", *VENV.glob("lib/python3.*/site-packages")]
    return sorted(
        f"{folder.name}/{entry.name}" for folder in folders if folder.is_dir() for entry in os.scandir(folder)
    )


def noted() -> dict[str, object]:
    """What the last set-up wrote about `.venv`; empty where there was none, or it was not finished."""
    try:
        note = json.loads((VENV / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def is_environment_current() -> bool:
    """Was `.venv` made of these very locks, and is all of it still there?"""
    note = noted()
    return note.get("stamp") == stamp() and is_environment_whole(note)


def is_environment_whole(note: dict[str, object]) -> bool:
    """Is everything still there that the set-up left? (The interpreter is a link, which may point nowhere.)"""
    left = note.get("contents")
    return isinstance(left, list) and (VENV / BIN / python_name()).exists() and set(left) <= set(contents())


def python_name() -> str:
    """The interpreter's file."""
    return "python.exe" if sys.platform == "win32" else "python"


def ensure_environment(lock: int) -> None:
    """Make `.venv` match the locks.

    Raises:
        SetupFailed: A step failed; what is there is unfinished, and the next set-up makes it anew.
    """
    uv = ensure_uv(lock)
    python = VENV / BIN / python_name()
    if reason := why_anew():
        if VENV.exists():
            say(f"  {VENV} is made anew: {reason}")
        if shutil.disk_usage(ROOT).free < PYTHON_DISK_BYTES and not VENV.exists():
            raise SetupFailed(
                f"{shutil.disk_usage(ROOT).free / 1e9:.1f} GB are free at {ROOT}, the environment takes "
                f"{PYTHON_DISK_BYTES / 1e9:.1f} GB; make room, or put the repository on another disk"
            )
        run_step(
            "make .venv",
            [uv, "venv", "--clear", "--no-project", "--python", sys.executable, str(VENV)],
            hold=lock,
        )
    # From here until the end it is unfinished; killed now, it is made anew the next time.
    (VENV / STAMP).write_text("{}", encoding="utf-8")
    environment = uv_environment()
    sync = [uv, "pip", "sync", "--python", str(python), str(LOCKS / "dev.txt")]
    run_step("install the locked packages", sync, environment=environment, hold=lock)
    local = [
        uv,
        "pip",
        "install",
        "--no-deps",
        "--no-build-isolation",
        "--python",
        str(python),
        "-e",
        str(ROOT),
    ]
    run_step("install clippy itself", local, environment=environment, hold=lock)
    note = {"stamp": stamp(), "contents": contents()}
    (VENV / STAMP).write_text(json.dumps(note), encoding="utf-8")


def why_anew() -> str:
    """Why `.venv` cannot be brought up to date in place; empty where it can."""
    python = VENV / BIN / python_name()
    if not python.exists():
        return "it has no Python"
    if (VENV / STAMP).exists():
        note = noted()
        if not note:
            return "its set-up was not finished"
        if not is_environment_whole(note):
            return "a part of it is gone"
    ask = [str(python), "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "its Python does not run"
    version, ours = done.stdout.strip(), f"{sys.version_info.major}.{sys.version_info.minor}"
    return "" if version == ours else f"it is of Python {version or 'unknown'}, this is {ours}"


def uv_environment() -> dict[str, str]:
    """This process's environment, with what the user told pip told to uv too: it reads none of pip's settings."""
    environment = dict(os.environ)
    for ours, theirs in [("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")]:
        if environment.get(ours):
            environment.setdefault(theirs, environment[ours])
    # Set by a shell that has another environment active.
    environment.pop("VIRTUAL_ENV", None)
    environment.pop("PYTHONHOME", None)
    return environment


# ---- uv


def venv_package() -> str:
    """Debian's package of `ensurepip`, which it splits from Python."""
    return f"python3.{sys.version_info.minor}-venv"


def has_modules(names: Iterable[str]) -> bool:
    """Has the Python that runs this all of these modules?"""
    return all(importlib.util.find_spec(name) is not None for name in names)


def can_get_uv() -> bool:
    """Is uv here, or what installs it?"""
    return find_uv() is not None or has_modules(["venv", "ensurepip"]) or has_modules(["pip"])


def pinned_uv() -> str:
    """The version that the lock names."""
    lines = (LOCKS / "uv.txt").read_text(encoding="utf-8").splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith("uv=="))


def find_uv(candidates: Sequence[str | None] | None = None) -> str | None:
    """Path of a uv of the pinned version: ours, or the one on PATH."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    for candidate in candidates or (str(TOOLS / BIN / name), shutil.which("uv")):
        if not candidate or not Path(candidate).exists():
            continue
        try:
            done = subprocess.run(
                [candidate, "--version"], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.stdout.split()[1:2] == [pinned_uv()]:
            return candidate
    return None


def ensure_uv(lock: int) -> str:
    """Path of the pinned uv; installed below the repository where it is not on PATH.

    Raises:
        SetupFailed: It cannot be had.
    """
    if found := find_uv():
        return found
    wanted = ["--disable-pip-version-check", "--require-hashes", "-r", str(LOCKS / "uv.txt")]
    shutil.rmtree(TOOLS, ignore_errors=True)
    if has_modules(["venv", "ensurepip"]):
        run_step("make a place for uv", [sys.executable, "-m", "venv", "--clear", str(TOOLS)], hold=lock)
        pip = [str(TOOLS / BIN / python_name()), "-m", "pip", "install"]
    elif has_modules(["pip"]):
        # Into a folder of ours: the system's own packages are not touched.
        pip = [sys.executable, "-m", "pip", "install", "--target", str(TOOLS)]
    else:
        how = (
            f"run: sudo apt-get install -y {venv_package()}"
            if is_debian()
            else "install Python's venv and pip"
        )
        raise SetupFailed(f"Python has neither venv nor pip here; {how}")
    run_step(f"install uv {pinned_uv()}", [*pip, *wanted], hold=lock)
    found = find_uv()
    if found is None:
        raise SetupFailed(
            f"uv was installed into {TOOLS}, but does not run there; is the disk mounted noexec?"
        )
    return found
