"""A screen and a sound card where there are none: Xvfb and a private PulseAudio, for demo, tests, pictures.

    with VirtualDesktop() as desktop:
        subprocess.run(["xdotool", "key", "F8"], env=os.environ | desktop.environment)

A guard process of our own (`virtual_desktop_guard.py`) holds both servers and stops them when its standard
input closes, when its parent is gone, or when one of them dies; the servers die with the guard. So nothing
outlives the program that asked, even one killed with -9. Any number of desktops may live side by side.
Two sinks: what is played to `game` comes back at `game.monitor` (the desktop's sound), what is played to
`voice` at `voice.monitor` (the microphone). Standard library only. Use one from one thread at a time.

`python packaging/virtual_desktop.py [--size 1280x720] -- CMD ...` runs a command on such a desktop.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

DESKTOP_SOURCE = "game.monitor"
MICROPHONE_SOURCE = "voice.monitor"

_DEBIAN_PACKAGES = {
    "Xvfb": "xvfb",
    "pulseaudio": "pulseaudio",
    "xdotool": "xdotool",
    "import": "imagemagick",
}
_GUARD = Path(__file__).resolve().with_name("virtual_desktop_guard.py")

_MSS_SCRIPT = """\
import sys, mss, mss.tools
with mss.MSS() as screen:
    shot = screen.grab(screen.monitors[0])
    mss.tools.to_png(shot.rgb, shot.size, output=sys.argv[1])
"""


class DesktopUnavailable(Exception):
    """No virtual desktop can be had on this machine; the message says what to do."""

    code = "virtual_desktop_unavailable"
    retryable = False
    exit_code = 3


class ProgramMissing(DesktopUnavailable):
    """A program that the desktop is made of is not installed. Carries its name and its Debian package."""

    code = "program_missing"

    def __init__(self, program: str) -> None:
        self.program = program
        self.package = _DEBIAN_PACKAGES.get(program, program)
        super().__init__(f"cannot find {program}; install the Debian package {self.package}")


class ServerFailed(DesktopUnavailable):
    """Xvfb or PulseAudio is installed but did not start, or did not do what was asked in time."""

    code = "virtual_desktop_failed"
    retryable = True


class VirtualDesktop:
    """One screen and two sinks, alive between `start` and `stop` (or inside `with`).

    Args:
        size: width and height of the screen in pixels; 24 bits deep.
        directory: where its files go (a folder of its own in there, removed at the end). Keep it short: a
            socket path ends at 107 bytes. None is the system's temporary folder.
        has_auth: asks X clients for a cookie (XAUTHORITY is part of `environment`).
        has_sound: False leaves PulseAudio out.
        deadline_s: how long `start` waits for both servers.

    Attributes:
        environment: what a program on this desktop needs on top of `os.environ`; empty before `start`.
        desktop_source, microphone_source: PulseAudio's names of the two monitors.
    """

    desktop_source = DESKTOP_SOURCE
    microphone_source = MICROPHONE_SOURCE

    def __init__(
        self,
        *,
        size: tuple[int, int] = (1280, 720),
        directory: Path | None = None,
        has_auth: bool = True,
        has_sound: bool = True,
        deadline_s: float = 20.0,
    ) -> None:
        self.size = size
        self.environment: dict[str, str] = {}
        self._directory = directory
        self._has_auth = has_auth
        self._has_sound = has_sound
        self._deadline_s = deadline_s
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start both servers and wait until they answer.

        Raises:
            ProgramMissing: Xvfb or pulseaudio is not installed.
            ServerFailed: one of them did not start in time; carries its last words.
        """
        command = [sys.executable, "-I", str(_GUARD)]
        command += ["--size", "{}x{}".format(*self.size), "--deadline-s", str(self._deadline_s)]
        if self._directory is not None:
            command += ["--directory", str(self._directory.resolve())]
        if not self._has_auth:
            command.append("--no-auth")
        if not self._has_sound:
            command.append("--no-sound")
        # A session of its own: Ctrl-C in the terminal is for the program, which then stops us in order.
        self._guard = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            answer = self._first_answer(self._guard)
            if "program" in answer:
                raise ProgramMissing(answer["program"])
            if "message" in answer:
                raise ServerFailed(answer["message"])
        except BaseException:
            self.stop()
            raise
        self.environment = answer

    def stop(self) -> None:
        """Stop both servers and remove their files; returns when they are gone. May be called twice."""
        guard, self._guard = self._guard, None
        folder = self.environment.get("XDG_RUNTIME_DIR")
        self.environment = {}
        if guard is None:
            return
        with contextlib.suppress(OSError):
            guard.stdin and guard.stdin.close()
        try:
            guard.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(guard.pid, signal.SIGKILL)
            guard.wait()
        finally:
            if guard.stdout:
                guard.stdout.close()
            # The guard has done this, unless it was itself killed.
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def press_key(self, keys: str, *, deadline_s: float = 10.0) -> int:
        """Press and release keys, by their X names (`F8`, `ctrl+shift+F9`), as a keyboard would.

        Returns:
            Monotonic time in ns just before the program that presses was started.

        Raises:
            ProgramMissing: xdotool is not installed.
            ServerFailed: the key does not exist, or the screen did not answer in time.
        """
        pressed_ns = time.monotonic_ns()
        done = self._run(["xdotool", "key", "--delay", "0", *keys.split()], deadline_s)
        # xdotool knows no such key: it says so and exits 0.
        if "No such key name" in done:
            raise ServerFailed(f"cannot press {keys!r}: no such key; write it like F8 or ctrl+shift+F9")
        return pressed_ns

    def screenshot(self, path: Path, *, deadline_s: float = 20.0) -> None:
        """Write what the screen shows to `path` as PNG, by mss where it is installed, else ImageMagick.

        Raises:
            ProgramMissing: neither is installed.
            ServerFailed: the screen could not be read, or the file not be written.
        """
        if importlib.util.find_spec("mss") is not None:
            self._run([sys.executable, "-c", _MSS_SCRIPT, str(path)], deadline_s)
        else:
            self._run(["import", "-window", "root", str(path)], deadline_s)

    def __enter__(self) -> VirtualDesktop:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _first_answer(self, guard: subprocess.Popen[bytes]) -> dict[str, str]:
        """Read the guard's one line; its own deadline is shorter, so ours only catches a guard that hangs."""
        assert guard.stdout is not None
        readable, _, _ = select.select([guard.stdout], [], [], self._deadline_s + 5.0)
        if not readable:
            raise ServerFailed(f"the virtual desktop gave no answer within {self._deadline_s:.0f} s")
        line = guard.stdout.readline()
        if not line:
            raise ServerFailed("the virtual desktop's guard died at its start; its last words are on stderr")
        answer: dict[str, str] = json.loads(line)
        return answer

    def _run(self, command: Sequence[str], deadline_s: float) -> str:
        """Run one program on this desktop; returns what it wrote to stderr."""
        if shutil.which(command[0]) is None:
            raise ProgramMissing(command[0])
        try:
            done = subprocess.run(
                command,
                check=False,
                env=os.environ | self.environment,
                capture_output=True,
                text=True,
                timeout=deadline_s,
            )
        except subprocess.TimeoutExpired as exc:
            raise ServerFailed(f"{command[0]} did not finish within {deadline_s:.0f} s") from exc
        if done.returncode != 0:
            raise ServerFailed(f"{command[0]} failed ({done.returncode}): {_last_line(done.stderr)}")
        return done.stderr


def _screen_size(text: str) -> tuple[int, int]:
    sides = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", text)
    if sides is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it like 1280x720")
    return int(sides[1]), int(sides[2])


def _last_line(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command on a desktop of its own; returns its exit code."""
    parser = argparse.ArgumentParser(
        description="Run a command on a virtual desktop with a screen and sound."
    )
    parser.add_argument("--size", type=_screen_size, default=(1280, 720), help="of the screen, like 1280x720")
    parser.add_argument("command", nargs="+", metavar="-- CMD", help="what to run there")
    arguments = parser.parse_args(argv)
    try:
        with VirtualDesktop(size=arguments.size) as desktop:
            environment = os.environ | desktop.environment
            return subprocess.run(arguments.command, check=False, env=environment).returncode
    except DesktopUnavailable as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except FileNotFoundError as error:
        print(f"cannot find {error.filename}; give a command that exists", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
