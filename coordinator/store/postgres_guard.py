"""Holds one PostgreSQL server and stops it when nobody needs it any more. A program of its own; stdlib only.

Its standard input is a pipe that only the supervisor can write to. When that closes, because the supervisor asked or
because it was killed, the server gets a fast shutdown; when this guard itself is killed, Linux sends the server the
same signal (PR_SET_PDEATHSIG). So no server outlives its supervisor.

    python -I -S postgres_guard.py '{"argv": [...], "uid": 999, "gid": 999, "log": "...", "runtime": "..."}'
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

FAST_SHUTDOWN_S = 15.0
IMMEDIATE_SHUTDOWN_S = 5.0
_PR_SET_PDEATHSIG = 1


def main(order: dict[str, object]) -> int:
    """Run the server until it ends or our input closes; return its exit code."""
    argv = [str(part) for part in order["argv"]]  # type: ignore[attr-defined]
    is_posix = os.name == "posix"
    log = os.open(str(order["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    identity = {"user": order["uid"], "group": order["gid"], "extra_groups": []} if order["uid"] else {}
    server = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/" if is_posix else None,
        start_new_session=is_posix,
        # Safe here: this program has one thread yet, and the function only makes a system call.
        preexec_fn=_die_with_parent() if sys.platform == "linux" else None,  # noqa: PLW1509
        **identity,  # type: ignore[call-overload]
    )
    os.close(log)
    asked = threading.Event()
    threading.Thread(target=_wait_for_end_of_input, args=(asked,), daemon=True, name="lifeline").start()
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), lambda *_: asked.set())
    threading.Thread(target=_stop_when_asked, args=(server, asked), daemon=True, name="stopper").start()
    code: int = server.wait()
    runtime = str(order.get("runtime") or "")
    if runtime and asked.is_set():
        shutil.rmtree(runtime, ignore_errors=True)
    return abs(code)


def _die_with_parent() -> Callable[[], None]:
    # Looked up before the fork: the child may only make the call itself.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def _wait_for_end_of_input(asked: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    asked.set()


def _stop_when_asked(server: subprocess.Popen[bytes], asked: threading.Event) -> None:
    asked.wait()
    steps = [(signal.SIGINT, FAST_SHUTDOWN_S)]
    if os.name == "posix":
        steps.append((signal.SIGQUIT, IMMEDIATE_SHUTDOWN_S))
    for number, wait_s in steps:
        with contextlib.suppress(ProcessLookupError, ValueError):
            server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(wait_s)
            return
    server.kill()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
