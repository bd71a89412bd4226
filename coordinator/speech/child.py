"""A speech engine in a process of its own, for an event loop: supervised, batched, killable.

Batches are greedy: whatever waits when the process is free goes together, up to `max_batch` windows, with
no timer, in the order of `speech.waiting`; results go back to the caller their windows came from. All of it
belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence

import structlog

from coordinator.errors import Bug, CoordinatorError, JobFailed, ModelUnavailable, SpeechBusy
from coordinator.model.jobs import Priority
from coordinator.model.speech import Pcm16k, Transcript
from coordinator.speech.choose import SpeechSpec
from coordinator.speech.pcm import usable_samples
from coordinator.speech.pipe import SpeechPipe
from coordinator.speech.waiting import WaitingWindow, WaitingWindows
from coordinator.speech.wire import STAGE

log = structlog.get_logger(__name__)

_COMMAND = (sys.executable, "-m", "coordinator.speech.worker")
_MAX_RESTART_DELAY_S = 30.0


class SpeechProcess:
    """Own a speech process. Every method belongs to the event loop that called `start`."""

    def __init__(
        self,
        spec: SpeechSpec,
        *,
        command: Sequence[str] = _COMMAND,
        max_batch: int | None = None,
        max_waiting_windows: int = 256,
        start_timeout_s: float = 120.0,
        restart_delay_s: float = 0.5,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            command: what to run; it must speak as `coordinator.speech.worker` does.
            max_batch: windows sent together; None for the spec's, or 16.
            max_waiting_windows: more are refused with a retryable error; CRITICAL ones only when twice as many wait.
            start_timeout_s: how long loading the model may take.
            restart_delay_s: the pause after a first crash; it doubles up to 30 s while crashes go on.
        """
        self._spec = spec
        self._command = tuple(command)
        self._max_batch = max_batch or spec.max_batch or 16
        self._max_waiting_windows = max_waiting_windows
        self._start_timeout_s = start_timeout_s
        self._restart_delay_s = restart_delay_s
        self._waiting = WaitingWindows()
        self._has_work = asyncio.Event()
        self._pipe: SpeechPipe | None = None
        self._runner: asyncio.Task[None] | None = None
        self._running: list[WaitingWindow] = []
        self._all_left = asyncio.Event()
        self._num_failures = 0
        self._not_before_s = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether the model is loaded and its process lives."""
        return self._pipe is not None and self._pipe.is_alive

    @property
    def pid(self) -> int | None:
        """The process that holds the model; None while there is none."""
        return self._pipe.pid if self._pipe else None

    @property
    def engine(self) -> str | None:
        """The engine that was opened; None before the first success."""
        return self._pipe.engine if self._pipe else None

    @property
    def model(self) -> str | None:
        """The model that was opened."""
        return self._pipe.model if self._pipe else None

    @property
    def reason(self) -> str | None:
        """Why it is this engine; see `open_transcriber`."""
        return self._pipe.reason if self._pipe else None

    async def start(self) -> None:
        """Load the model and return when it is ready.

        Raises:
            ModelUnavailable: No model here. A later `transcribe` looks again.
            JobFailed: The process died or took longer than `start_timeout_s`; retryable.
        """
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name="speech-process")
        await self.transcribe((), timeout_s=self._start_timeout_s + _MAX_RESTART_DELAY_S)

    async def transcribe(
        self,
        windows: Sequence[Pcm16k],
        *,
        priority: Priority = Priority.NORMAL,
        timeout_s: float = 120.0,
    ) -> list[Transcript]:
        """Return one transcript for each window, in the same order; see `Transcriber`.

        When the last caller of a running batch leaves, by cancellation or its deadline, the process is
        killed and started again.

        Raises:
            AudioUnusable: A window of this call cannot be decoded.
            ModelUnavailable, SpeechBusy: No model here, or no room where it is.
            JobFailed: Too slow, too much waiting, or the process died; retryable.
        """
        if self._runner is None or self._runner.done():
            raise JobFailed(STAGE, "the speech process is not started or was closed", retryable=True)
        for window in windows:
            usable_samples(window)
        self._admit(len(windows), priority)
        calls = self._enqueued(windows, priority)
        try:
            async with asyncio.timeout(timeout_s):
                transcripts = [await call.future for call in calls]
        except TimeoutError as exc:
            raise JobFailed(
                STAGE, f"{len(windows)} windows were not transcribed within {timeout_s:g} s", retryable=True
            ) from exc
        finally:
            self._leave(calls)
        return [transcript for transcript in transcripts if transcript is not None]

    async def aclose(self) -> None:
        """Stop the process; waiting calls fail with a retryable error. Twice is once."""
        runner = self._runner
        if runner is not None and not runner.done():
            runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await runner
        await self._drop_pipe(is_patient=True)
        for call in [*self._running, *self._waiting.clear()]:
            _fail(call, JobFailed(STAGE, "the speech process was closed", retryable=True))

    def _admit(self, num_windows: int, priority: Priority) -> None:
        num_waiting = self._waiting.num()
        bound = max(self._max_waiting_windows, self._max_batch)
        if num_waiting + num_windows > (2 * bound if priority is Priority.CRITICAL else bound):
            raise JobFailed(
                STAGE,
                f"{num_waiting} windows wait already, {num_windows} more do not fit; try again later",
                retryable=True,
            )

    def _enqueued(self, windows: Sequence[Pcm16k], priority: Priority) -> list[WaitingWindow]:
        loop = asyncio.get_running_loop()
        now_s = time.monotonic()
        # An empty call still waits for the model: `start` is one.
        calls = [
            WaitingWindow(window=window, future=loop.create_future(), priority=priority, since_s=now_s)
            for window in (windows or (None,))
        ]
        for call in calls:
            self._waiting.add(call)
        self._has_work.set()
        return calls

    def _leave(self, calls: Sequence[WaitingWindow]) -> None:
        for call in calls:
            call.future.cancel()
            if call.future.done() and not call.future.cancelled():
                # Seen, so that the loop does not report a failure nobody awaited.
                call.future.exception()
        if self._running and all(call.future.done() for call in self._running):
            self._all_left.set()

    async def _run(self) -> None:
        while True:
            await self._has_work.wait()
            batch = self._waiting.take(self._max_batch)
            if not batch:
                self._has_work.clear()
                continue
            self._running = batch
            self._all_left.clear()
            try:
                pipe = await self._opened_pipe()
            except CoordinatorError as exc:
                for call in batch:
                    _fail(call, exc)
                self._running = []
                continue
            try:
                await self._transcribe_batch(pipe, batch)
            except CoordinatorError as exc:
                if isinstance(exc, Bug):
                    # What comes next through this pipe may belong to another batch.
                    await self._drop_pipe()
                self._refuse(batch, exc)
            except Exception as exc:  # the runner's outermost frame: without it every later caller would hang
                log.exception("speech_batch_failed", num_calls=len(batch))
                await self._drop_pipe()
                self._refuse(batch, JobFailed(STAGE, f"the speech process answered nonsense: {exc!r}"))
            self._running = []

    def _refuse(self, batch: Sequence[WaitingWindow], error: CoordinatorError) -> None:
        """Fail a single call; of several only one may be at fault, so each goes again by itself."""
        if len(batch) > 1 and not isinstance(error, ModelUnavailable | SpeechBusy):
            for call in batch:
                call.is_alone = True
                self._waiting.add(call)
            return
        for call in batch:
            _fail(call, error)

    async def _transcribe_batch(self, pipe: SpeechPipe, batch: list[WaitingWindow]) -> None:
        windows = [call.window for call in batch if call.window is not None]
        if not windows or self._all_left.is_set():
            _deliver(batch, [None] * len(batch))
            return
        exchange = asyncio.create_task(pipe.transcribe(windows))
        left = asyncio.create_task(self._all_left.wait())
        try:
            await asyncio.wait((exchange, left), return_when=asyncio.FIRST_COMPLETED)
            if not exchange.done():
                log.warning("speech_process_killed", reason="nobody waits for its batch any more")
                await self._drop_pipe()
                return
            _deliver(batch, exchange.result())
            self._num_failures = 0
        except (ConnectionError, asyncio.IncompleteReadError) as exc:
            await self._recover(batch, exc)
        finally:
            left.cancel()
            exchange.cancel()
            await asyncio.gather(left, exchange, return_exceptions=True)

    async def _recover(self, batch: list[WaitingWindow], exc: Exception) -> None:
        status = await self._drop_pipe(is_patient=True)
        self._count_failure()
        log.error("speech_process_died", exit_status=status, num_calls=len(batch))
        raise JobFailed(
            STAGE, f"the speech process died with status {status}; it is started again", retryable=True
        ) from exc

    async def _opened_pipe(self) -> SpeechPipe:
        if self._pipe is not None and self._pipe.is_alive:
            return self._pipe
        await self._drop_pipe()
        await asyncio.sleep(max(0.0, self._not_before_s - time.monotonic()))
        try:
            async with asyncio.timeout(self._start_timeout_s):
                self._pipe = await SpeechPipe.open(self._command, self._spec)
        except ModelUnavailable:
            self._count_failure()
            raise
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as exc:
            self._count_failure()
            raise JobFailed(
                STAGE, f"the speech process did not get ready: {exc or exc!r}; see its log", retryable=True
            ) from exc
        log.info("speech_process_ready", engine=self.engine, model=self.model)
        return self._pipe

    def _count_failure(self) -> None:
        self._num_failures += 1
        delay_s = min(_MAX_RESTART_DELAY_S, self._restart_delay_s * 2 ** min(10, self._num_failures - 1))
        self._not_before_s = time.monotonic() + delay_s

    async def _drop_pipe(self, *, is_patient: bool = False) -> int | None:
        pipe, self._pipe = self._pipe, None
        return await pipe.close(is_patient=is_patient) if pipe else None


def _deliver(batch: Sequence[WaitingWindow], transcripts: Sequence[Transcript | None]) -> None:
    for call, transcript in zip(batch, transcripts, strict=True):
        if not call.future.done():
            call.future.set_result(transcript)


def _fail(call: WaitingWindow, error: CoordinatorError) -> None:
    if not call.future.done():
        call.future.set_exception(error)
