"""A child's tie to its supervisor: when the supervisor is gone, whatever killed it, the child goes too.

The child's standard input is a pipe that only the supervisor holds the other end of. At its end the child asks itself
to stop as by SIGTERM, and after a short grace leaves without asking. On Linux the kernel sends the SIGTERM as well.
The supervisor makes each child the head of a process group: what the child started goes the same way.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import os
import select
import signal
import sys
import threading
from collections.abc import Callable

VARIABLE = "CLIPPY_COORDINATOR_LIFELINE"
EXIT_CODE = 75
_PR_SET_PDEATHSIG = 1
_lost = threading.Event()


def hold(*, grace_s: float = 5.0, on_lost: Callable[[], None] | None = None) -> bool:
    """Watch the lifeline, if this process was given one; call it first thing in a child's main.

    Args:
        grace_s: how long an orderly end may take once the supervisor is gone.
        on_lost: called in the watching thread; by default this process and its group get SIGTERM.

    Returns:
        Whether there is one. A process started by hand has none and lives as long as it likes.
    """
    if os.environ.get(VARIABLE) != "stdin":
        return False
    # For us alone: our own children have no such pipe.
    del os.environ[VARIABLE]
    _die_with_parent()
    atexit.register(_end_group_if_lost)
    threading.Thread(
        target=_watch, args=(grace_s, on_lost or _ask_to_stop), daemon=True, name="lifeline"
    ).start()
    return True


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` at SIGTERM or SIGINT; call it in the loop's thread, from within the loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def _watch(grace_s: float, on_lost: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    _lost.set()
    on_lost()
    threading.Event().wait(grace_s)
    _end_group_if_lost()
    os._exit(EXIT_CODE)


def _ask_to_stop() -> None:
    if os.name != "posix":
        signal.raise_signal(signal.SIGTERM)
    elif os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)


def _end_group_if_lost() -> None:
    """Leave nothing of our group behind when nobody is there to end it for us."""
    if (_lost.is_set() or _is_at_end()) and os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)


def _is_at_end() -> bool:
    # The kernel's signal may have had us leave before the watching thread woke.
    with contextlib.suppress(OSError, ValueError):
        readable, _, _ = select.select([0], [], [], 0)
        return bool(readable) and not os.read(0, 1)
    return False


def _die_with_parent() -> None:
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            _ask_to_stop()
