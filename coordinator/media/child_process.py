"""The children that read outside media, as processes: started, asked, watched, lent and ended. One event loop."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

from coordinator.errors import CoordinatorError, MediaInterrupted, MediaStalled, MediaTooCostly, MediaUnusable
from coordinator.media.limits import (
    SMALLER,
    STALL_S,
    Bounds,
    Limits,
    Overstep,
    Watch,
    resident_bytes,
    used_cpu_s,
)
from coordinator.media.worker import message

# Told the share of a job that is done, from 0 to 1, about twice a second.
OnProgress: TypeAlias = "Callable[[float], None]"
# A child that served this many is replaced: what decoders leak must not add up.
MAX_JOBS_PER_CHILD = 500
# 4.6 hours of mono sound; a child that was taken over must not fill our memory.
MAX_ANSWER_BYTES = 1024**3
# Memory can be filled in a moment; that nothing goes on takes longer to see.
RESIDENT_CHECK_S, CHECK_S = 0.05, 0.5
# glibc keeps what was freed for the next one, up to 64 MB once pictures of 4K went by; fixed, these go back at once.
_GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": str(8 * 1024**2), "MALLOC_TRIM_THRESHOLD_": str(8 * 1024**2)}


def unheard(_share: float) -> None:
    """Progress that nobody asked for."""


class Child:
    """One process, one request at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.num_jobs = 0
        self.overstepped: Overstep | None = None

    @classmethod
    async def start(cls, limits: Limits) -> Child:
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"} | _GIVEN_BACK
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "coordinator.media.worker",
            json.dumps(dataclasses.asdict(limits)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=1024 * 1024,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def ask(
        self, header: dict[str, Any], payload: bytes, on_progress: OnProgress = unheard
    ) -> tuple[dict[str, Any], bytes] | None:
        """Return the answer, or None where the child died over it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self.num_jobs += 1
        try:
            self._process.stdin.write(message(header, payload))
            await self._process.stdin.drain()
            while "progress" in (answer := json.loads(await self._process.stdout.readuntil(b"\n"))):
                on_progress(min(1.0, max(0.0, float(answer["progress"]))))
            if not 0 <= answer["num_bytes"] <= MAX_ANSWER_BYTES:
                return None
            return answer, await self._process.stdout.readexactly(answer["num_bytes"])
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return None
        except (ValueError, KeyError, TypeError):  # What took a decoder over may say anything.
            return None

    async def watch(self, bounds: Bounds) -> None:
        """Kill it when it oversteps these. Ends with it, or cancelled."""
        watch = Watch(bounds, now_s=time.monotonic())
        while self.is_alive:
            self.overstepped = watch.overstepped(
                now_s=time.monotonic(), cpu_s=used_cpu_s(self.pid), resident_bytes=resident_bytes(self.pid)
            )
            if self.overstepped is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                return
            await asyncio.sleep(CHECK_S if bounds.resident_bytes is None else RESIDENT_CHECK_S)

    async def end(self) -> int:
        """Kill it, wait for it, and return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        status = await self._process.wait()
        transport = getattr(self._process, "_transport", None)
        if transport is not None:  # Its pipes must not wait for the garbage collector.
            transport.close()
        return status

    async def died(self) -> int:
        """Return the status of a child that closed its pipe, killing it only if it lingers."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 2.0)
        return await self.end()


@contextlib.asynccontextmanager
async def watched(child: Child, bounds: Bounds) -> AsyncIterator[None]:
    """Kill the child where it oversteps its bounds within the block."""
    watch = asyncio.create_task(child.watch(bounds))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


class Lane:
    """At most `max_children` children at work; those that are idle are kept for the next job."""

    def __init__(self, max_children: int, limits: Limits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(max_children)
        self._idle: collections.deque[Child] = collections.deque()

    @contextlib.asynccontextmanager
    async def child(self) -> AsyncIterator[Child]:
        """Lend a child; it is killed unless the block ends well with the child alive."""
        async with self._places:
            child = None
            while self._idle and child is None:
                child = self._idle.pop()
                if not child.is_alive:
                    await child.end()
                    child = None
            child = child or await Child.start(self._limits)
            is_well = False
            try:
                yield child
                is_well = child.is_alive and child.num_jobs < MAX_JOBS_PER_CHILD
            finally:
                if is_well:
                    self._idle.append(child)
                else:
                    await asyncio.shield(child.end())

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().end()


def death(doing: str, child: Child, status: int, bounds: Bounds) -> CoordinatorError:
    """What ended a child, as an error; its own limits say what they are by another signal, or by an answer."""
    if child.overstepped == "memory":
        megabytes = (bounds.resident_bytes or 0) // 1000**2
        return MediaTooCostly(f"{doing}: it took more than {megabytes} MB of memory; {SMALLER}")
    if child.overstepped == "stall":
        return MediaStalled(f"{doing}: nothing went on for {STALL_S:g} s; is the disk or the machine stuck?")
    if child.overstepped == "clock":
        return MediaStalled(
            f"{doing}: it was not done after {bounds.clock_s:g} s, for at most {bounds.cpu_s:g} s of CPU; "
            "is the machine overloaded?"
        )
    if sys.platform != "win32" and status == -signal.SIGXCPU:
        return MediaTooCostly(f"{doing}: it took more than {bounds.cpu_s:g} s of CPU; {SMALLER}")
    if sys.platform != "win32" and status in (-signal.SIGKILL, -signal.SIGTERM):
        return MediaInterrupted(
            f"{doing}: its process was killed from outside; is the machine short of memory?"
        )
    if sys.platform != "win32" and status == -signal.SIGABRT:
        return MediaTooCostly(f"{doing}: it ran out of its memory limit; {SMALLER}")
    return MediaUnusable(f"{doing}: it crashed its decoder (exit status {status})")
