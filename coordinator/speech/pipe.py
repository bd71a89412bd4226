"""One run of the speech process, from its start to its end, as the owner sees it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Sequence
from typing import Any, Self

import msgspec

from coordinator.errors import Bug, CoordinatorError
from coordinator.model.speech import Pcm16k, Transcript
from coordinator.speech.choose import SpeechSpec
from coordinator.speech.wire import PREFIX, error_of, lengths, prefix_of, request_of, transcripts_of

_PATIENCE_S = 3.0
_DRAIN_BYTES = 65_536


class SpeechPipe:
    """A started speech process and the pipe to it. Belongs to one event loop, one exchange at a time."""

    def __init__(self, process: asyncio.subprocess.Process, ready: dict[str, Any]) -> None:
        self._process = process
        self.engine = str(ready["engine"])
        self.model = str(ready["model"])
        self.reason = str(ready["reason"])

    @classmethod
    async def open(cls, command: Sequence[str], spec: SpeechSpec) -> Self:
        """Start the process and wait until its model is loaded; without an end, so give it a deadline.

        Raises:
            ModelUnavailable: It has no model.
            OSError, asyncio.IncompleteReadError: It does not start, or dies while loading.
        """
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            await _send(process, {"spec": spec.to_json()}, ())
            ready = await _received(process)
            return cls(process, ready)
        except BaseException as exc:
            # One that ends by itself is waited for: a signal to it would hide its exit status.
            is_ending = isinstance(exc, asyncio.IncompleteReadError | CoordinatorError | ConnectionError)
            await _ended(process, is_patient=is_ending)
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def transcribe(self, windows: Sequence[Pcm16k]) -> list[Transcript]:
        """Send a batch and return its transcripts.

        Raises:
            CoordinatorError: What the engine raised over there.
            ConnectionError, asyncio.IncompleteReadError: The process died.
        """
        header, samples = request_of(windows)
        await _send(self._process, header, [memoryview(each.data).cast("B") for each in samples if each.size])
        transcripts = transcripts_of(await _received(self._process))
        if len(transcripts) != len(windows):
            raise Bug(f"the speech process gave {len(transcripts)} transcripts for {len(windows)} windows")
        return transcripts

    async def close(self, *, is_patient: bool) -> int | None:
        """End the process and return its status; a patient close lets it leave by itself first."""
        return await _ended(self._process, is_patient=is_patient)


async def _send(
    process: asyncio.subprocess.Process, header: dict[str, Any], body: Sequence[memoryview]
) -> None:
    assert process.stdin is not None
    encoded = msgspec.json.encode(header)
    process.stdin.write(prefix_of(encoded, sum(each.nbytes for each in body)) + encoded)
    for each in body:
        process.stdin.write(each)
        await process.stdin.drain()
    await process.stdin.drain()


async def _received(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    header_bytes, body_bytes = lengths(await process.stdout.readexactly(PREFIX.size))
    header: dict[str, Any] = msgspec.json.decode(await process.stdout.readexactly(header_bytes))
    await process.stdout.readexactly(body_bytes)
    if error := error_of(header):
        raise error
    return header


async def _ended(process: asyncio.subprocess.Process, *, is_patient: bool) -> int | None:
    """End a process for good, also when the caller is cancelled meanwhile: it would be left half closed."""
    ending = asyncio.create_task(_end(process, is_patient=is_patient))
    try:
        return await asyncio.shield(ending)
    except asyncio.CancelledError:
        await ending
        raise


async def _end(process: asyncio.subprocess.Process, *, is_patient: bool) -> int | None:
    assert process.stdin is not None
    process.stdin.close()
    if not (is_patient and await _gone(process)):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await _gone(process)
    return process.returncode


async def _gone(process: asyncio.subprocess.Process) -> bool:
    """Wait a while for the process and its pipes to end; a killed one can take long when the disk is slow."""
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await process.wait()
            # The pipes end a little later; left open they would be reported when the loop closes.
            while await process.stdout.read(_DRAIN_BYTES):
                pass
            with contextlib.suppress(ConnectionError):
                await process.stdin.wait_closed()
    except TimeoutError:
        return process.returncode is not None
    return True
