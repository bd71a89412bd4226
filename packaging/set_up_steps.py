"""One step of a set-up: a command that shows where it is, can be stopped, and says why it failed.

Progress goes to stderr: stdout belongs to `--json`. Standard library only.
"""

from __future__ import annotations

import collections
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

STEP_DEADLINE_S = 1800.0
SAY_EVERY_S = 5.0
_LINE_CHARS = 100

# What programs say, and what it means to the one who reads it.
_REASONS = [
    (
        ("No space left on device", "os error 28", "not enough free space", "disk quota"),
        "the disk is full; make room (the environment takes 1.7 GB here, as much again in uv's cache where that is on "
        "another disk) and run this again",
    ),
    (
        ("Temporary failure in name resolution", "Temporary failure resolving", "Could not resolve", "dns error",
         "Network is unreachable", "Connection refused", "No route to host", "Name or service not known",
         "error sending request", "Failed to establish a new connection", "timed out", "Could not connect"),
        "the network does not answer; go online (behind a proxy set HTTPS_PROXY, with an index of your own "
        "PIP_INDEX_URL) and run this again",
    ),
    (
        ("invalid peer certificate", "CERTIFICATE_VERIFY_FAILED"),
        "the server's certificate is not trusted; behind an inspecting proxy set SSL_CERT_FILE and PIP_CERT to its CA",
    ),
]  # fmt: skip


_is_stop_asked = threading.Event()


class SetupFailed(Exception):
    """The environment cannot be made; the message says what to do."""


class SetupInterrupted(Exception):
    """The user stopped it; the next run goes on."""


def say(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr, flush=True)


def reason_of(output: str) -> str:
    """What a program's last words mean for the reader; empty where we cannot tell."""
    lowered = output.lower()
    for signs, reason in _REASONS:
        if any(sign.lower() in lowered for sign in signs):
            return reason
    return ""


def run_step(
    title: str,
    command: Sequence[str],
    *,
    environment: dict[str, str] | None = None,
    hold: int | None = None,
    deadline_s: float = STEP_DEADLINE_S,
) -> None:
    """Run one step, say every few seconds where it is, and at the end how long it took.

    `hold` is the set-up's lock: the command keeps it too, so that nobody starts anew under one that outlived us.

    Raises:
        SetupFailed: It failed, or was not done at the deadline.
        SetupInterrupted: Ctrl+C; the command was stopped first.
    """
    say(f"  {title} ...")
    began = time.monotonic()
    tail: collections.deque[str] = collections.deque(maxlen=40)
    raise_if_asked_to_stop(title)
    try:
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", pass_fds=() if hold is None or sys.platform == "win32" else (hold,),
        )  # fmt: skip
    except OSError as exc:
        raise SetupFailed(f"{title}: cannot run {command[0]}: {exc.strerror or exc}") from exc
    reader = threading.Thread(target=_read, args=(child, tail), name="step-output", daemon=True)
    reader.start()
    _wait(title, child, tail, began, deadline_s)
    # Not for ever: a daemon that the command left may hold the other end.
    reader.join(timeout=5.0)
    if child.returncode != 0:
        raise SetupFailed(_failure(title, child.returncode, list(tail)))
    say(f"  {title}: done in {time.monotonic() - began:.0f} s")


def _failure(title: str, code: int, tail: list[str]) -> str:
    last = "\n".join(f"    {line}" for line in tail[-15:])
    reason = reason_of("\n".join(tail))
    failed = f"{title} failed (exit {code}):\n{last}"
    return f"{failed}\n  {reason}" if reason else failed


def _read(child: subprocess.Popen[str], tail: collections.deque[str]) -> None:
    assert child.stdout is not None
    with child.stdout as lines:
        for line in lines:
            if line.strip():
                tail.append(line.rstrip())


def _wait(
    title: str, child: subprocess.Popen[str], tail: collections.deque[str], began: float, deadline_s: float
) -> None:
    told = began
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=0.5)
            return
        if _is_stop_asked.is_set():
            _stop(child)
            raise SetupInterrupted(title)
        now = time.monotonic()
        if now - began > deadline_s:
            _stop(child)
            raise SetupFailed(f"{title}: no end after {deadline_s / 60:.0f} minutes; is the network slow?")
        if now - told >= SAY_EVERY_S:
            told = now
            last = tail[-1].strip()[:_LINE_CHARS] if tail else "no word yet"
            say(f"    {now - began:.0f} s: {last}")


def _stop(child: subprocess.Popen[str]) -> None:
    # Ctrl+C reached it too; dpkg is given the time to leave its tables whole.
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=3.0)
        return
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=10.0)
        return
    child.kill()
    child.wait()


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[int]:
    """Hold the set-up's lock, and give its descriptor; a second waits for the first, a killed one's is free.

    Raises:
        SetupFailed: The other has not finished after half an hour, or the folder cannot be written.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w", encoding="utf-8")
    except OSError as exc:
        raise SetupFailed(
            f"cannot write {lock.parent}: {exc.strerror or exc}; the environment lives in the repository, which must "
            f"belong to you"
        ) from exc
    with file:
        if sys.platform != "win32":
            _wait_for_lock(file.fileno())
        yield file.fileno()


def _wait_for_lock(descriptor: int) -> None:
    import fcntl

    ends = time.monotonic() + STEP_DEADLINE_S
    is_told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > ends:
                raise SetupFailed("another set-up of this repository has not finished in 30 minutes") from exc
            if not is_told:
                say("Another set-up of this repository is running; waiting for it.")
                is_told = True
            raise_if_asked_to_stop("waiting for another set-up")
            time.sleep(0.5)
        else:
            return


@contextlib.contextmanager
def stop_when_asked() -> Iterator[None]:
    """Let Ctrl+C and SIGTERM end the running step, then us. From the main thread."""

    def asked(_signal: int, _frame: object) -> None:
        # No exception from here: it could fall between a command's start and our knowing of it.
        _is_stop_asked.set()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _is_stop_asked.clear()


def raise_if_asked_to_stop(title: str) -> None:
    """Stop before a step that has not begun.

    Raises:
        SetupInterrupted: Ctrl+C or SIGTERM came.
    """
    if _is_stop_asked.is_set():
        raise SetupInterrupted(title)
