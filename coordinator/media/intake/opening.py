"""Open files from outside, and translate what FFmpeg says about them into our errors.

Only container formats that carry their own media are admitted (a playlist could name other files of this
machine), only the `file` protocol, and no picture wider or taller than `MAX_SIDE_PX`.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import av.container
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from coordinator.errors import DiskFull, MediaTooCostly, MediaUnusable

MAX_SIDE_PX = 8192
MAX_MEDIA_S = 6 * 3600.0
DECODE_THREADS = 2
# A picture larger than this is decoded by one thread: each more holds pictures of its own, of 12 MB at 4K.
_ONE_THREAD_FROM_PX = 2560 * 1440
_FORMATS = (
    "mov,mp4,matroska,webm,ogg,avi,mpegts,mpeg,flv,asf,mxf,dv,nut,ivf,gif,apng,yuv4mpegpipe,"
    "wav,w64,flac,mp3,aac,caf,aiff,au,amr,ac3,eac3,wv,"
    # A picture alone, as an encoder wrote it.
    "h264,hevc,obu,m4v,mpegvideo,mjpeg"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}

# FFmpeg writes its own lines to stderr from foreign threads; what matters arrives as exceptions.
av.logging.set_level(None)


@contextlib.contextmanager
def translating(path: Path, doing: str) -> Iterator[None]:
    """Turn foreign exceptions inside the block into ours.

    Raises:
        DiskFull: There was no room left to write.
        MediaUnusable: Anything else that FFmpeg or the file system refused, with the reason.
    """
    try:
        yield
    except (av.FFmpegError, OSError, MemoryError) as exc:
        number = getattr(exc, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"cannot {doing} {path.name}: no room left on the disk; free some") from exc
        if number == errno.EFBIG:
            raise MediaUnusable(f"cannot {doing} {path.name}: the output grew past its size limit") from exc
        if isinstance(exc, MemoryError) or number == errno.ENOMEM:
            raise MediaTooCostly(f"cannot {doing} {path.name}: ran out of its memory limit") from exc
        raise MediaUnusable(f"cannot {doing} {path.name}: {_reason(exc)}") from exc


def _reason(exc: Exception) -> str:
    if isinstance(exc, av.error.InvalidDataError):
        return "the data are damaged, truncated, encrypted or of a format that is not media"
    if isinstance(exc, av.error.ArgumentError):
        # FFmpeg's word for a format that is not on our list, too: a still picture, a playlist.
        return "it is a format that is not read here, or its parts contradict each other"
    if isinstance(exc, av.error.ExternalError):
        return "the encoder gave up, most often for lack of memory"
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__


@contextlib.contextmanager
def open_media(path: Path) -> Iterator[av.container.InputContainer]:
    """Open a media file for reading; it is closed when the block ends.

    Raises:
        MediaUnusable: It is missing, empty, no media, or its picture is too large to decode.
    """
    try:
        size_bytes = path.stat().st_size
    except OSError as exc:
        raise MediaUnusable(f"cannot open {path.name}: {exc.strerror}; check the path") from exc
    if not path.is_file() or size_bytes == 0:
        raise MediaUnusable(f"cannot open {path.name}: it is empty or no regular file")
    with translating(path, "read"):
        # A broken tag must not make a file unreadable: undecodable metadata is replaced.
        container = av.open(str(path), options=_OPTIONS, metadata_errors="replace")
    try:
        for stream in container.streams.video:
            check_size(path, stream.codec_context)
        yield container
    finally:
        container.close()


@contextlib.contextmanager
def open_bytes(file: BinaryIO, num_bytes: int) -> Iterator[av.container.InputContainer]:
    """Open media that is in memory, with the same rules as `open_media`.

    Raises:
        MediaUnusable: It is empty or no media, or reading it fails inside the block.
    """
    if not num_bytes:
        raise MediaUnusable("cannot read a chunk of 0 bytes")
    with translating(Path("a chunk"), "read"):
        container = av.open(file, "r", options=_OPTIONS, metadata_errors="replace")
        try:
            yield container
        finally:
            container.close()


def check_size(path: Path, picture: object) -> None:
    """Refuse a picture (anything with `width` and `height`) beyond the limit.

    Raises:
        MediaUnusable: It is wider or taller than `MAX_SIDE_PX`.
    """
    width, height = getattr(picture, "width", 0) or 0, getattr(picture, "height", 0) or 0
    if width > MAX_SIDE_PX or height > MAX_SIDE_PX:
        raise MediaUnusable(
            f"{path.name} is {width}x{height} pixels; at most {MAX_SIDE_PX}x{MAX_SIDE_PX} is decoded"
        )


def video_of(container: av.container.InputContainer) -> VideoStream | None:
    """Return the track to show: the first video that is no cover picture and has a decoder."""
    stream = _shown(container)
    if stream is not None:
        context = stream.codec_context
        is_large = context.width * context.height >= _ONE_THREAD_FROM_PX
        context.thread_count = 1 if is_large else DECODE_THREADS
        context.options = {"max_pixels": str(MAX_SIDE_PX * MAX_SIDE_PX)}
    return stream


def _shown(container: av.container.InputContainer) -> VideoStream | None:
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & stream.disposition.attached_pic:
            return stream
    return None


def audio_of(container: av.container.InputContainer, number: int | None = None) -> AudioStream | None:
    """Return a track of sound that has a decoder, or None.

    Args:
        number: which one, from 0; None: the first that can be heard (track 0 is the mix by our own convention).
    """
    tracks = container.streams.audio
    for stream in tracks if number is None else tracks[number : number + 1]:
        if stream.codec_context is not None:
            return stream
    return None


def origin_s(container: av.container.InputContainer) -> float:
    """Return where the file's own time line starts, in seconds: the zero of every time we speak of.

    That is where the first of picture and sound starts. A cover picture, subtitles or data start at 0 in a
    recording whose clock stands at 12 hours, and say nothing.
    """
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in (_shown(container), audio_of(container))
        if stream is not None and stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts) if starts else (container.start_time or 0) / av.time_base
