"""The speech process: loads one engine, answers batches, and ends when its owner does.

Started as `python -m coordinator.speech.worker`. The first frame on stdin says which engine; then each
frame is a batch and gets one answer on stdout. The main thread runs the model; a second one reads stdin,
so that the end of the owner ends us in the middle of a batch too.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from coordinator.errors import CoordinatorError
from coordinator.speech.choose import SpeechSpec, open_transcriber
from coordinator.speech.wire import error_header, read_frame, windows_of, write_frame

if TYPE_CHECKING:
    from coordinator.ports import Transcriber

OpenTranscriber: TypeAlias = "Callable[[SpeechSpec], tuple[Transcriber, str]]"
_Frame = tuple[dict[str, Any], bytes]

_PR_SET_PDEATHSIG = 1


def main(opener: OpenTranscriber = open_transcriber) -> int:
    """Serve stdin and stdout until either closes; returns the exit status."""
    _die_with_owner()
    # The owner decides when to stop, by closing the pipe; a Ctrl-C reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _private_stdout()
    # One batch runs and at most one waits: the owner sends the next after the answer.
    frames: queue.Queue[_Frame] = queue.Queue(maxsize=2)
    threading.Thread(target=_read, args=(sys.stdin.buffer, frames), name="owner", daemon=True).start()
    try:
        return _serve(frames, answers, opener)
    except BrokenPipeError:
        return 0


def _serve(frames: queue.Queue[_Frame], answers: BinaryIO, opener: OpenTranscriber) -> int:
    header, _ = frames.get()
    try:
        transcriber, reason = opener(SpeechSpec.from_json(header["spec"]))
    except CoordinatorError as exc:
        write_frame(answers, error_header(exc))
        return exc.exit_code
    write_frame(answers, {"engine": transcriber.engine, "model": transcriber.model, "reason": reason})
    while True:
        header, body = frames.get()
        write_frame(answers, _answer(transcriber, header, body))


def _answer(transcriber: Transcriber, header: dict[str, Any], body: bytes) -> dict[str, Any]:
    try:
        return {"transcripts": transcriber.transcribe(windows_of(header, body))}
    except Exception as exc:  # noqa: BLE001 - the request's outermost frame: the owner raises it on its side
        return error_header(exc)


def _read(stdin: BinaryIO, frames: queue.Queue[_Frame]) -> None:
    while True:
        frame = read_frame(stdin)
        if frame is None:
            # Nobody is left to answer; the main thread may be deep inside the model.
            os._exit(0)
        frames.put(frame)


def _private_stdout() -> BinaryIO:
    """Keep stdout for answers and send what libraries print to stderr."""
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(private, "wb")


def _die_with_owner() -> None:
    """Let Linux kill us when the thread that started us ends; elsewhere the closed pipe has to do."""
    if sys.platform != "linux":
        return
    owner = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if owner != os.getppid():
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
