"""How the speech process and its owner talk: frames of a JSON header and raw bytes.

A frame is two little-endian uint32 (length of header, length of body), the header, the body. Samples
travel in the body as float32, one window after another; everything else is in the header.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt

from coordinator.errors import AudioUnusable, Bug, CoordinatorError, JobFailed, ModelUnavailable, SpeechBusy
from coordinator.model.speech import Pcm16k, Transcript

PREFIX = struct.Struct("<II")
# 64 windows of 30 s are 123 MB; whatever says more is no frame of ours.
MAX_BODY_BYTES = 256 * 1024 * 1024
MAX_HEADER_BYTES = 16 * 1024 * 1024

STAGE = "transcribe"

_SAMPLE_TYPE = np.dtype("<f4")


def prefix_of(header: bytes, body_bytes: int) -> bytes:
    """Return the bytes that open a frame."""
    return PREFIX.pack(len(header), body_bytes)


def lengths(prefix: bytes) -> tuple[int, int]:
    """Return (header, body) lengths in bytes.

    Raises:
        Bug: They are beyond what we ever send: something else writes into the pipe.
    """
    header_bytes, body_bytes = PREFIX.unpack(prefix)
    if header_bytes > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
        raise Bug(f"a frame of {header_bytes} + {body_bytes} bytes is none of ours")
    return header_bytes, body_bytes


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame; None at the end of the stream, also in the middle of a frame."""
    prefix = stream.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    header_bytes, body_bytes = lengths(prefix)
    header, body = stream.read(header_bytes), stream.read(body_bytes)
    if len(header) < header_bytes or len(body) < body_bytes:
        return None
    return msgspec.json.decode(header), body


def write_frame(stream: BinaryIO, header: dict[str, Any]) -> None:
    """Write a frame without a body, and flush it."""
    encoded = msgspec.json.encode(header)
    stream.write(prefix_of(encoded, 0) + encoded)
    stream.flush()


def request_of(windows: Sequence[Pcm16k]) -> tuple[dict[str, Any], list[npt.NDArray[np.float32]]]:
    """Return the header for windows, and the samples that make its body."""
    header = {
        "windows": [{"num_samples": int(each.samples.size), "language": each.language} for each in windows]
    }
    return header, [np.ascontiguousarray(each.samples, dtype=_SAMPLE_TYPE) for each in windows]


def windows_of(header: dict[str, Any], body: bytes) -> list[Pcm16k]:
    """Return the windows that `request_of` took apart."""
    samples = np.frombuffer(body, dtype=_SAMPLE_TYPE)
    windows: list[Pcm16k] = []
    start = 0
    for each in header["windows"]:
        end = start + each["num_samples"]
        windows.append(Pcm16k(samples=samples[start:end], language=each["language"]))
        start = end
    if start != samples.size:
        raise Bug(f"a request announced {start} samples and carried {samples.size}")
    return windows


def transcripts_of(header: dict[str, Any]) -> list[Transcript]:
    """Return the transcripts of an answer."""
    return msgspec.convert(header["transcripts"], list[Transcript])


def error_header(error: Exception) -> dict[str, Any]:
    """Return an error as a header."""
    known = isinstance(error, CoordinatorError)
    return {
        "error": {
            "code": error.code if isinstance(error, CoordinatorError) else Bug.code,
            "message": str(error) if known else repr(error),
            "retryable": error.retryable if isinstance(error, CoordinatorError) else False,
            "retry_after_s": error.retry_after_s if isinstance(error, SpeechBusy) else None,
        }
    }


def error_of(header: dict[str, Any]) -> CoordinatorError | None:
    """Return the error a header carries, as it was raised in the other process."""
    told = header.get("error")
    if told is None:
        return None
    if told["code"] == SpeechBusy.code:
        return SpeechBusy(told["message"], retry_after_s=float(told["retry_after_s"]))
    kinds: dict[str, type[CoordinatorError]] = {each.code: each for each in (ModelUnavailable, AudioUnusable)}
    kind = kinds.get(told["code"])
    if kind is None:
        return JobFailed(STAGE, told["message"], retryable=told["retryable"])
    error = kind(told["message"])
    error.retryable = told["retryable"]
    return error
