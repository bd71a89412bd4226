"""The thread that brings the ring to the disk, so that a slow, stuck or full disk never holds up the sink.

It writes GOPs in order, whole records only, deletes what the ring let go, and makes room below the
free-space floor by dropping the oldest. What it cannot write stays in memory and is tried again.
Owned by the ring; shares its lock.
"""

from __future__ import annotations

import contextlib
import queue
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from agent.errors import DiskFull, EnvironmentProblem
from agent.model.clips import PinKind
from agent.model.media import EncodedPacket
from agent.ring.gop import Gop
from agent.ring.held_file import HeldFile
from agent.ring.packet_log import EPOCH_FILE, GopWriter, gop_path, write_epoch
from agent.ring.pin_files import NO_ROOM

log = structlog.get_logger()

RETRY_S = 1.0
STALLED_AFTER_S = 2.0
# A GOP comes each second or so: who is told of one squeeze hears of the next before this is over.
_SQUEEZE_TOLD_S = 5.0
# A GOP whose size is not known yet is taken for one second of 16 Mbit/s.
UNKNOWN_GOP_BYTES = 2 * 1024 * 1024


def disk_free_bytes(folder: Path) -> int:
    """How many bytes an ordinary user may still write there."""
    return shutil.disk_usage(folder).free


class DiskWriter:
    """One thread, one open file at a time. Everything but `_step` and below is called under the lock."""

    def __init__(
        self,
        folder: Path,
        lock: threading.Lock,
        *,
        min_free_bytes: int,
        free_bytes: Callable[[Path], int],
        give_up_oldest: Callable[[int, Gop], int],
        give_up_pins: Callable[[int, PinKind], int],
    ) -> None:
        """Args:
        folder: the session's.
        give_up_oldest: drop old GOPs' files worth so many bytes (never the given GOP's), return how many bytes
            that frees; called under the lock.
        give_up_pins: drop candidates, or the margins of kept clips, worth so many bytes; likewise, outside the lock.
        """
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._free_bytes = free_bytes
        self._give_up_oldest = give_up_oldest
        self._give_up_pins = give_up_pins
        self._lock = lock
        # Woken without the lock: a condition's waiter would wake only to wait for the lock.
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._is_asleep = False
        self._written = threading.Condition(lock)
        self._queue: deque[Gop] = deque()
        self._trash: list[HeldFile] = []
        self._writer: GopWriter | None = None
        self._finished: list[GopWriter] = []
        self._writing: Gop | None = None
        self._epochs_made: set[int] = set()
        self._last_gop_bytes = 0
        self._retry_at = 0.0
        self._busy_since: float | None = None
        self._is_stopping = False
        self.failure: EnvironmentProblem | None = None
        self.untold_failure: EnvironmentProblem | None = None
        self._squeezed_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="ring-disk", daemon=True)
        self._thread.start()

    # -- from any thread, under the lock --

    def enqueue(self, gop: Gop) -> None:
        """From now on write this GOP's packets as they come."""
        self._queue.append(gop)

    def wake(self) -> None:
        """There is something to do."""
        if self._is_asleep:
            self._is_asleep = False
            self._wakes.put(None)

    def trash(self, file: HeldFile) -> None:
        """Delete a file once it has no reader."""
        self._trash.append(file)
        self.wake()

    @property
    def problem(self) -> str:
        """Why only the newest seconds are kept at present; empty when all is well. Any thread."""
        since = self._busy_since
        waited_s = 0.0 if since is None else time.monotonic() - since
        if waited_s > STALLED_AFTER_S:
            return f"the ring's disk has not answered for {waited_s:.0f} s; only the newest seconds are kept"
        return str(self.failure or "")

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is written; False at the deadline, or at once while the disk takes nothing."""
        deadline = time.monotonic() + timeout_s
        while any(gop.num_unwritten and not gop.is_dropped for gop in self._queue) or self._is_busy():
            if self.failure is not None or not self._wait_a_little(deadline):
                return False
        return True

    def settle(self, timeout_s: float) -> bool:
        """Wait until all that was given up is deleted, or left to its readers; False at the deadline."""
        deadline = time.monotonic() + timeout_s
        while self._is_busy():
            if not self._wait_a_little(deadline):
                return False
        return True

    def _is_busy(self) -> bool:
        return bool(self._trash) or self._busy_since is not None

    def _wait_a_little(self, deadline: float) -> bool:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not self._thread.is_alive():
            return False
        self.wake()
        self._written.wait(min(left_s, 0.1))
        return True

    def stop(self) -> None:
        """Ask the thread to end; `join` outside the lock."""
        self._is_stopping = True
        self.wake()

    # -- from outside the lock --

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    # -- the thread --

    def _run(self) -> None:
        try:
            while self._step():
                pass
        except Exception:
            log.exception("ring_disk_thread_died")
            with self._lock:
                self._fail(EnvironmentProblem("the ring's disk thread died; restart the engine"))
        finally:
            if self._writer is not None:
                self._writer.close()

    def _step(self) -> bool:
        with self._lock:
            job = self._next_job()
            trash, self._trash = self._trash, []
            finished, self._finished = self._finished, []
            is_idle = job is None and not trash and not finished
            if is_idle and self._is_stopping:
                return False
            packets = job.unwritten() if job is not None else []
            self._is_asleep = is_idle
            self._busy_since = None if is_idle else time.monotonic()
        if is_idle:
            with contextlib.suppress(queue.Empty):
                self._wakes.get(timeout=RETRY_S)
            return True
        for writer in finished:
            writer.close()
        for file in trash:
            file.doom()
        failure = self._write(job, packets) if job is not None else None
        with self._lock:
            self._busy_since = None
            if job is not None:
                self._settle(job, failure)
            self._written.notify_all()
        return True

    def _next_job(self) -> Gop | None:
        """The oldest GOP with something to write or to close, or None."""
        while self._queue and (self._queue[0].is_dropped or self._is_done(self._queue[0])):
            self._finish(self._queue.popleft())
        if not self._queue or (self.failure is not None and time.monotonic() < self._retry_at):
            return None
        gop = self._queue[0]
        return gop if gop.num_unwritten else None

    def _is_done(self, gop: Gop) -> bool:
        return gop.is_complete and gop.num_unwritten == 0

    def _finish(self, gop: Gop) -> None:
        if self._writing is not gop or self._writer is None:
            return
        self._last_gop_bytes = self._writer.size_bytes
        # Closed outside of the lock: on some file systems that asks the disk.
        self._finished.append(self._writer)
        self._writer = self._writing = None

    def _settle(self, gop: Gop, failure: OSError | DiskFull | None) -> None:
        if self._writer is not None and self._writing is gop:
            gop.num_written = self._writer.num_records
            if gop.file is None:
                gop.file = HeldFile(self._writer.path)
            if gop.is_dropped:
                self._trash.append(gop.file)
        if failure is None:
            if self.failure is not None:
                log.info("ring_disk_recovered")
            self.failure = None
            return
        self._retry_at = time.monotonic() + RETRY_S
        if isinstance(failure, DiskFull):
            self._fail(failure)
        elif failure.errno in NO_ROOM:
            self._fail(
                DiskFull(
                    f"no room for the ring in {self._folder}: {failure}; only the newest seconds are kept"
                )
            )
        else:
            self._fail(
                EnvironmentProblem(f"cannot write the ring in {self._folder}: {failure}; mend the disk")
            )

    @property
    def squeeze(self) -> str:
        """That old seconds were given up for want of room within the last few; empty when not. Any thread."""
        at = self._squeezed_at
        if at is None or time.monotonic() - at > _SQUEEZE_TOLD_S:
            return ""
        return (
            f"the disk of {self._folder} is nearly full: the oldest seconds are given up before their time; "
            "make room or lower ring.min_free_bytes"
        )

    def _fail(self, failure: EnvironmentProblem) -> None:
        if self.failure is None:
            log.warning("ring_disk_failed", code=failure.code, pii_detail=str(failure))
            self.untold_failure = failure
        self.failure = failure

    # -- outside the lock: these may take as long as the disk pleases --

    def _write(self, gop: Gop, packets: list[EncodedPacket]) -> OSError | DiskFull | None:
        for _ in range(3):
            try:
                writer = self._open(gop)
                writer.append(packets[writer.num_records - gop.num_written :])
                return None
            except DiskFull as exc:
                return exc
            except FileNotFoundError as exc:
                # Somebody deleted the folder under us: make it again at the next try.
                self._epochs_made.clear()
                return exc
            except OSError as exc:
                if exc.errno not in NO_ROOM or not self._make_room(self._needed_bytes(), gop):
                    return exc
        return DiskFull(f"no room for the ring in {self._folder} even without its oldest GOPs")

    def _open(self, gop: Gop) -> GopWriter:
        if self._writer is not None and self._writing is gop:
            return self._writer
        if gop.info.epoch not in self._epochs_made:
            folder = self._folder / f"{gop.info.epoch:04d}"
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_epoch(folder, gop.info)
            self._epochs_made.add(gop.info.epoch)
        self._keep_floor(gop)
        path = gop_path(self._folder / f"{gop.info.epoch:04d}", gop.start_ns)
        self._writer, self._writing = GopWriter(path, gop.index), gop
        return self._writer

    def _needed_bytes(self) -> int:
        return self._last_gop_bytes or UNKNOWN_GOP_BYTES

    def _keep_floor(self, gop: Gop) -> None:
        """Below the floor of free space drop twice what comes, so that the ring shrinks, but never at once."""
        needed = self._needed_bytes()
        free = self._free_bytes(self._folder)
        if free >= self._min_free_bytes + needed:
            return
        if not self._make_room(2 * needed, gop):
            raise DiskFull(
                f"{free} bytes are free on the disk of {self._folder}, the ring leaves {self._min_free_bytes} free; "
                "make room or lower ring.min_free_bytes"
            )

    def _make_room(self, num_bytes: int, spared: Gop) -> bool:
        """Guesses go first, then the ring's oldest, then what only keeps saved clips' ends movable."""
        if self._give_up_pins(num_bytes, "candidate") >= num_bytes:
            return True
        with self._lock:
            freed = self._give_up_oldest(num_bytes, spared)
            self._squeezed_at = time.monotonic()
            trash, self._trash = self._trash, []
        for file in trash:
            file.doom()
        return freed > 0 or self._give_up_pins(num_bytes, "keep") > 0

    def remove_empty_folders(self) -> None:
        """After the thread ended: remove the epochs' folders that hold no GOP any more, and then the session's."""
        for folder in self._folder.glob("[0-9]*"):
            if not any(folder.glob("*.gop")):
                (folder / EPOCH_FILE).unlink(missing_ok=True)
                try:
                    folder.rmdir()
                except OSError as exc:
                    log.debug("epoch_folder_left", error=str(exc))
        if not any(self._folder.iterdir()):
            self._folder.rmdir()
