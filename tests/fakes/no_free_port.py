"""Runs a command where every port that could be given out is taken: `unshare --net python no_free_port.py CMD ...`.

A network of its own, with loopback alone and a range of two ports, both of which the command holds itself.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_PORTS = (40_000, 40_001)
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def main(command: list[str]) -> None:
    """Take the ports, then become the command."""
    with socket.socket() as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text(f"{_PORTS[0]} {_PORTS[1]}", encoding="ascii")
    for port in _PORTS:
        listener = socket.create_server(("0.0.0.0", port))
        listener.set_inheritable(True)
        listener.detach()
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
