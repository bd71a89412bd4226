"""Sets a machine up for Clippy, then runs what was asked: demo, test, lint, run, screenshots, doctor, exec.

Standard library only, Python 3.11 or later. Everything lands below the repository (`.venv`, `.clippy`); system
packages are installed by apt where this is Debian or Ubuntu and we are root, otherwise the one line to run is shown.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".clippy" / "tools"
LOCKS = ROOT / "packaging" / "locks"
BIN = "Scripts" if sys.platform == "win32" else "bin"
# Exit codes are the product's own: 2 usage, 3 environment problem.
USAGE, ENVIRONMENT = 2, 3

# What a program needs, by Debian package. Qt's libqxcb.so needs the libxcb and libxkbcommon rows.
LIBRARIES = """libportaudio2 libasound2-plugins libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
libxcb-keysyms1 libxcb-image0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-randr0 libxcb-shm0
libxcb-xfixes0 libxcb-render0 libdbus-1-3 libfontconfig1 libpulse0 fonts-dejavu-core ca-certificates""".split()
VIRTUAL_DESKTOP = "xvfb xauth xdotool pulseaudio pulseaudio-utils espeak-ng".split()
TEST_ONLY = "ffmpeg chromium procps".split()
NEEDS = {
    "demo": LIBRARIES + VIRTUAL_DESKTOP,
    "screenshots": LIBRARIES + VIRTUAL_DESKTOP,
    "test": LIBRARIES + VIRTUAL_DESKTOP + TEST_ONLY,
    "run": LIBRARIES,
}


class SetupFailed(Exception):
    """The environment cannot be made; the message says what to do."""


def say(text: str) -> None:
    """Progress goes to stderr: stdout belongs to `--json`."""
    print(text, file=sys.stderr, flush=True)


def run_step(title: str, command: list[str], *, environment: dict[str, str] | None = None) -> None:
    """Run one step of the set-up, quietly unless it fails, and say how long it took.

    Raises:
        SetupFailed: It failed, or took over 30 minutes.
    """
    say(f"  {title} ...")
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=1800, check=False,
        )  # fmt: skip
    except FileNotFoundError as exc:
        raise SetupFailed(f"{title}: {command[0]} is not on this machine") from exc
    except subprocess.TimeoutExpired as exc:
        raise SetupFailed(f"{title}: no end after 30 minutes; is the network slow?") from exc
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise SetupFailed(f"{title} failed (exit {done.returncode}):\n{tail}")
    say(f"  {title}: done in {time.monotonic() - began:.0f} s")


# ---- system packages


def is_debian() -> bool:
    """Is this Debian, Ubuntu or a child of theirs?"""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    family = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return shutil.which("apt-get") is not None and bool({"debian", "ubuntu"} & set(family))


def missing_packages(wanted: list[str]) -> list[str]:
    """Which of `wanted` dpkg does not have installed."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    installed = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]


def apt_install(packages: list[str]) -> None:
    """Install with apt, after refreshing its lists."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_step("refresh the package lists", ["apt-get", "update", "-qq"], environment=environment)
    run_step(
        f"install {len(packages)} system packages",
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        environment=environment,
    )


def ensure_system(verb: str) -> list[str]:
    """Install what `verb` needs of the system; return what is still missing (then the verb does without)."""
    wanted = NEEDS.get(verb, [])
    if not wanted or not sys.platform.startswith("linux"):
        return []
    if not is_debian():
        programs = {"xvfb": "Xvfb", "pulseaudio-utils": "pactl"}
        return [
            name for name in VIRTUAL_DESKTOP if verb != "run" and not shutil.which(programs.get(name, name))
        ]
    missing = missing_packages(wanted)
    if missing and os.geteuid() == 0:
        apt_install(missing)
        return missing_packages(wanted)
    if missing:
        say(f"Missing system packages; to install them, run:\n  sudo apt-get install -y {' '.join(missing)}")
    return missing


# ---- the Python environment


def stamp() -> str:
    """Changes when the environment must be made anew."""
    digest = hashlib.sha256(sys.version.encode())
    for path in [ROOT / "pyproject.toml", *sorted(LOCKS.glob("*.txt"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure_venv_module() -> None:
    """Debian splits ensurepip off; install it where we may."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as exc:
        package = f"python3.{sys.version_info.minor}-venv"
        if not is_debian() or os.geteuid() != 0:
            raise SetupFailed(f"Python has no venv module; run: sudo apt-get install -y {package}") from exc
        apt_install([package])


def ensure_uv() -> str:
    """Path of the pinned uv: the one on PATH if it is that version, else one of our own."""
    line = next(
        line
        for line in (LOCKS / "uv.txt").read_text(encoding="utf-8").splitlines()
        if line.startswith("uv==")
    )
    pinned = line.split("==")[1].split()[0]
    for candidate in (str(TOOLS / BIN / "uv"), shutil.which("uv")):
        if candidate and Path(candidate).exists():
            done = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
            if done.stdout.split()[1:2] == [pinned]:
                return candidate
    ensure_venv_module()
    run_step("make a place for uv", [sys.executable, "-m", "venv", "--clear", str(TOOLS)])
    pip = [str(TOOLS / BIN / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run_step(f"install uv {pinned}", [*pip, "--require-hashes", "-r", str(LOCKS / "uv.txt")])
    return str(TOOLS / BIN / "uv")


def ensure_environment() -> None:
    """Make `.venv` match the locks; does nothing when it does."""
    marker = VENV / ".clippy-stamp"
    if marker.exists() and marker.read_text(encoding="utf-8") == stamp():
        return
    say("Setting up (once): about 130 Python packages, 450 MB to fetch, 1.2 GB on disk; a minute or two.")
    uv = ensure_uv()
    if not (VENV / BIN / "python").exists():
        run_step("make .venv", [uv, "venv", "-q", "--python", sys.executable, str(VENV)])
    python = ["--python", str(VENV / BIN / "python")]
    run_step("install the locked packages", [uv, "pip", "sync", "-q", *python, str(LOCKS / "dev.txt")])
    local = [uv, "pip", "install", "-q", "--no-deps", "--no-build-isolation", *python, "-e", str(ROOT)]
    run_step("install clippy itself", local)
    marker.write_text(stamp(), encoding="utf-8")


def set_up(verb: str) -> list[str]:
    """Everything `verb` needs; returns the system packages that are still missing."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise SetupFailed(
            f"Python {sys.version_info.major}.{sys.version_info.minor} runs this; Clippy needs 3.11, 3.12 or 3.13"
        )
    missing = ensure_system(verb)
    ensure_environment()
    return missing


# ---- verbs


def in_venv(*command: str) -> list[str]:
    """A command of the environment."""
    return [str(VENV / BIN / command[0]), *command[1:]]


def call(command: list[str]) -> int:
    """Run in the foreground, inside the environment; its exit code is ours."""
    environment = {**os.environ, "PATH": f"{VENV / BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    environment.setdefault("LANG", "C.UTF-8")
    try:
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    except FileNotFoundError:
        say(f"{command[0]} is neither in the environment nor on this machine")
        return USAGE
    except KeyboardInterrupt:
        return 130


LINTERS = [
    ("ruff check", "."),
    ("ruff format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
    ("python", "-m", "protos.generate", "--check"),
]


def lint() -> int:
    """Every linter; the first failure is the exit code."""
    for linter in LINTERS:
        name, *rest = [*linter[0].split(), *linter[1:]]
        code = call(in_venv(name, *rest))
        if code != 0:
            say(f"lint: {' '.join(linter)} failed")
            return code
    return 0


def test(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Linters, then the tests."""
    if not rest:
        code = lint()
        if code != 0:
            return code
    selection = [] if arguments.slow else ["-m", "not slow and not gpu"]
    return call(in_venv("pytest", *selection, *rest))


def doctor() -> int:
    """What is here and what is missing, without changing anything."""
    say(f"Python {sys.version.split()[0]} on {sys.platform}")
    marker = VENV / ".clippy-stamp"
    is_current = marker.exists() and marker.read_text(encoding="utf-8") == stamp()
    say(f"environment: {'up to date' if is_current else 'not set up, or out of date'}")
    if is_debian():
        missing = missing_packages(sorted(set(LIBRARIES + VIRTUAL_DESKTOP + TEST_ONLY)))
        say(f"system packages missing: {' '.join(missing) or 'none'}")
    return 0 if is_current else ENVIRONMENT


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Understand the command line; what a verb passes on comes back as the rest."""
    parser = argparse.ArgumentParser(prog="dev.py", description=__doc__.splitlines()[0] if __doc__ else None)
    verbs = parser.add_subparsers(dest="verb", required=True)
    demo = verbs.add_parser(
        "demo", help="the whole product, end to end, in about four minutes (see its --help)"
    )
    demo.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    tests = verbs.add_parser("test", help="linters and tests; further arguments go to pytest")
    tests.add_argument("--slow", action="store_true", help="the slow ones too")
    verbs.add_parser("lint", help="ruff, mypy, import contracts, stubs up to date")
    run = verbs.add_parser("run", help="the coordinator here, for an agent on this machine")
    run.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    shots = verbs.add_parser("screenshots", help="take the README's pictures anew")
    shots.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    verbs.add_parser("doctor", help="what is here and what is missing")
    execute = verbs.add_parser("exec", help="exec -- CMD ...: a command inside the environment")
    execute.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    if arguments[:1] == ["demo"]:
        # demo has options of its own; argparse's REMAINDER would swallow --help but not leading options.
        return argparse.Namespace(verb="demo"), arguments[1:]
    known, unknown = parser.parse_known_args(arguments)
    if unknown and known.verb not in ("test",):
        parser.error(f"unknown arguments: {' '.join(unknown)}")
    return known, [*unknown, *getattr(known, "rest", [])]


def main() -> int:
    """Command line entry point."""
    arguments, rest = parse(sys.argv[1:])
    if arguments.verb == "doctor":
        return doctor()
    rest = rest[1:] if rest[:1] == ["--"] else rest
    if arguments.verb == "exec" and not rest:
        say("exec: which command? e.g. dev.py exec -- clippy --help")
        return USAGE
    try:
        missing = set_up(arguments.verb)
    except SetupFailed as exc:
        say(f"set-up failed: {exc}")
        return ENVIRONMENT
    if arguments.verb == "test":
        return test(arguments, rest)
    if arguments.verb == "lint":
        return lint()
    if arguments.verb == "run":
        return call(in_venv("clippy-coordinator", "all", *rest))
    if arguments.verb == "screenshots":
        return call(in_venv("python", "packaging/demo/screenshots.py", *rest))
    if arguments.verb == "exec":
        return call([shutil.which(rest[0], path=str(VENV / BIN)) or rest[0], *rest[1:]])
    os.environ["CLIPPY_DEMO_MISSING"] = " ".join(missing)
    return call(in_venv("python", "packaging/demo/run.py", *rest))


if __name__ == "__main__":
    sys.exit(main())
