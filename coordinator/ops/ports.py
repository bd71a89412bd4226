"""Is an address free to listen on, and if not, who has it?"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from pathlib import Path

from coordinator.errors import EnvironmentProblem, PortBusy


def check_port(host: str, port: int, *, setting: str, wait_s: float = 0.0) -> None:
    """Return quietly when we could listen on `host:port` (0: any port). The check is not a reservation.

    Args:
        setting: what to change, e.g. `listen.grpc`; named in the message.
        wait_s: how long to wait for it, e.g. for what a killed supervisor left and that is just ending.

    Raises:
        PortBusy: Somebody listens there; names who, where the system says so.
        EnvironmentProblem: The address is not one of this machine, or not allowed to us.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            _try_port(host, port, setting)
        except PortBusy:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _try_port(host: str, port: int, setting: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            if os.name == "posix":
                # A port in TIME_WAIT is free for a server; without this it would look busy for a minute.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            holder = find_listener(port)
            raise PortBusy(
                f"{host}:{port} is in use{f' by {holder}' if holder else ''}; stop it, or set {setting} to another "
                f"address"
            ) from exc
        raise EnvironmentProblem(f"cannot listen on {host}:{port}: {exc.strerror}; set {setting}") from exc


def find_listener(port: int) -> str:
    """The program that listens on `port`, as `name (process 123)`; empty where that cannot be found."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in inodes:
                        return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                # Fields: 1 local address, 3 state (0A: LISTEN), 9 inode. See proc(5).
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found
