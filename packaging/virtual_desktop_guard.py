"""Holds the servers of one virtual desktop, and lets none of them outlive the program that asked.

Started by `virtual_desktop.py`. Writes one JSON line to stdout: the variables that lead to the desktop, or
`message` (and `program`, where one is not installed). Then waits until standard input closes, the parent is
gone, a signal comes or a server dies; stops all servers and removes their folder. One thread. Standard
library only, and no import of ours: it runs isolated (`python -I`).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_MAX_SOCKET_PATH_BYTES = 107  # sun_path of Linux, less its closing zero
_POLL_S = 0.02
_PR_SET_PDEATHSIG = 1

# The socket opens last: whoever can connect finds both sinks. Without `norewinds` a null sink renders up to 2 s
# ahead, so the first recorder hears nothing for that long, and each change of latency shifts what it hears.
_PULSE_SCRIPT = """\
load-module module-null-sink sink_name=game rate=48000 channels=2 norewinds=1 sink_properties=device.description=Game
load-module module-null-sink sink_name=voice rate=48000 channels=2 norewinds=1 sink_properties=device.description=Voice
set-default-sink game
set-default-source voice.monitor
load-module module-native-protocol-unix socket={socket} auth-anonymous=1 auth-cookie-enabled=0
"""


class _ProgramMissing(Exception):
    """`args[0]` is not installed."""


class _ServerFailed(Exception):
    """A server did not start; the message says which and why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What the guard was asked for."""

    size: str
    folder: Path
    has_auth: bool
    has_sound: bool
    deadline_s: float


def _start_screen(options: _Options, servers: list[subprocess.Popen[bytes]]) -> dict[str, str]:
    """Start Xvfb on a display of its own choosing; returns the variables that lead to it."""
    environment = {
        "QT_QPA_PLATFORM": "xcb",
        "XDG_SESSION_TYPE": "x11",
        # A session that this desktop is started from must not be found by the programs on it.
        "WAYLAND_DISPLAY": "",
        "DBUS_SESSION_BUS_ADDRESS": "disabled:",
    }
    reader, writer = os.pipe()
    command = [_program("Xvfb"), "-displayfd", str(writer), "-screen", "0", f"{options.size}x24"]
    command += ["-nolisten", "tcp", "-noreset", "-dpi", "96"]
    if options.has_auth:
        cookie_path = options.folder / "xauthority"
        _write_cookie(cookie_path)
        command += ["-auth", str(cookie_path)]
        environment["XAUTHORITY"] = str(cookie_path)
    server = _spawn(command, options.folder / "xvfb.log", servers, keep_fd=writer)
    os.close(writer)
    number = b""

    def has_number() -> bool:
        nonlocal number
        if select.select([reader], [], [], 0)[0]:
            number += os.read(reader, 16)
        return number.endswith(b"\n")

    _await(has_number, server, "Xvfb", options.folder / "xvfb.log", options.deadline_s)
    os.close(reader)
    environment["DISPLAY"] = f":{int(number)}"
    return environment


def _start_sound(options: _Options, servers: list[subprocess.Popen[bytes]]) -> dict[str, str]:
    """Start PulseAudio with its two sinks; returns the variables that lead to it."""
    socket_path = options.folder / "pulse"
    if len(os.fsencode(socket_path)) > _MAX_SOCKET_PATH_BYTES:
        raise _ServerFailed(
            f"cannot put a socket at {socket_path}: over {_MAX_SOCKET_PATH_BYTES} bytes; "
            "give a folder with a shorter path"
        )
    script = options.folder / "pulse.pa"
    script.write_text(_PULSE_SCRIPT.format(socket=socket_path), encoding="utf-8")
    command = [_program("pulseaudio"), "-n", "-F", str(script), "--daemonize=no", "--exit-idle-time=-1"]
    # Shared memory and real-time priority are what containers lack, and two null sinks need neither.
    command += ["--use-pid-file=no", "--disable-shm=yes", "--realtime=no", "--high-priority=no"]
    command += ["--log-target=stderr", "--log-level=warn"]
    server = _spawn(command, options.folder / "pulse.log", servers)

    def answers() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(socket_path)) == 0

    _await(answers, server, "pulseaudio", options.folder / "pulse.log", options.deadline_s)
    return {
        "PULSE_SERVER": f"unix:{socket_path}",
        "PULSE_COOKIE": str(options.folder / "pulse-cookie"),
        "PULSE_SINK": "game",
        "PULSE_SOURCE": "voice.monitor",
    }


def _write_cookie(path: Path) -> None:
    """Write an Xauthority file that fits whichever display number the server picks.

    Two entries: libXau matches the wild family; python-xlib only the local one, by host name.
    """
    cookie = secrets.token_bytes(16)
    data = b""
    for family, address in ((256, socket.gethostname().encode()), (0xFFFF, b"")):
        data += family.to_bytes(2, "big")
        for field in (address, b"", b"MIT-MAGIC-COOKIE-1", cookie):
            data += len(field).to_bytes(2, "big") + field
    path.touch(mode=0o600)
    path.write_bytes(data)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise _ProgramMissing(name)
    return path


def _spawn(
    command: list[str], log: Path, servers: list[subprocess.Popen[bytes]], *, keep_fd: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a server that dies with this process. Safe because the guard has one thread only."""
    libc = ctypes.CDLL(None, use_errno=True)
    guard_pid = os.getpid()

    def die_with_guard() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != guard_pid:
            os._exit(1)

    folder = str(log.parent)
    with log.open("wb") as words:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            pass_fds=() if keep_fd is None else (keep_fd,),
            env=os.environ
            | {"XDG_RUNTIME_DIR": folder, "PULSE_RUNTIME_PATH": folder, "PULSE_STATE_PATH": folder},
            preexec_fn=die_with_guard,  # noqa: PLW1509 - one thread; see above
        )
    servers.append(server)
    return server


def _await(
    is_ready: Callable[[], bool], server: subprocess.Popen[bytes], name: str, log: Path, deadline_s: float
) -> None:
    """Poll until the server is ready, has died, or the time is over."""
    ends = time.monotonic() + deadline_s
    while not is_ready():
        words = log.read_text(encoding="utf-8", errors="replace")
        if server.poll() is not None:
            raise _ServerFailed(f"{name} ended with {server.returncode} at its start: {_last_line(words)}")
        if time.monotonic() > ends:
            raise _ServerFailed(f"{name} was not ready within {deadline_s:.0f} s: {_last_line(words)}")
        time.sleep(_POLL_S)


def _last_line(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _stop_servers(servers: list[subprocess.Popen[bytes]]) -> None:
    for server in reversed(servers):
        server.terminate()
    for server in reversed(servers):
        try:
            server.wait(timeout=3.0)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextlib.contextmanager
def _own_folder(parent: Path | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="vd-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hold(servers: list[subprocess.Popen[bytes]], parent_pid: int) -> None:
    """Wait until nobody needs the servers any more, or one of them has died."""
    # A fork of the parent may keep our pipe open, so the parent's own death is looked for as well.
    while os.getppid() == parent_pid and all(server.poll() is None for server in servers):
        if select.select([0], [], [], 0.5)[0] and not os.read(0, 4096):
            return


def _answer(words: dict[str, str]) -> None:
    print(json.dumps(words), flush=True)


def main() -> int:
    """Start the servers, say how to reach them, hold them; returns the exit code."""
    parent_pid = os.getppid()
    parser = argparse.ArgumentParser(description="Holds a virtual desktop until standard input closes.")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--deadline-s", type=float, default=20.0)
    parser.add_argument("--no-auth", action="store_true")
    parser.add_argument("--no-sound", action="store_true")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    servers: list[subprocess.Popen[bytes]] = []
    try:
        with _own_folder(arguments.directory) as folder:
            options = _Options(
                size=arguments.size,
                folder=folder,
                has_auth=not arguments.no_auth,
                has_sound=not arguments.no_sound,
                deadline_s=arguments.deadline_s,
            )
            try:
                environment = {"XDG_RUNTIME_DIR": str(folder), "LANG": "C.UTF-8"}
                environment |= _start_screen(options, servers)
                if options.has_sound:
                    environment |= _start_sound(options, servers)
                _answer(environment)
                _hold(servers, parent_pid)
            finally:
                _stop_servers(servers)
    except _ProgramMissing as error:
        _answer({"program": str(error), "message": f"cannot find {error}"})
        return 3
    except (_ServerFailed, OSError, ValueError) as error:
        _answer({"message": f"cannot start the virtual desktop: {error}"})
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
