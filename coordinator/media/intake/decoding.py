"""Read pictures and sound of a span, on the file's own time line from 0.

Damage is survived: a packet that does not decode is skipped and counted; a track of which nothing decodes
is an error. Iterators own their container and close it when they end or are closed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
import numpy as np
import numpy.typing as npt
import structlog
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from coordinator.errors import MediaUnusable
from coordinator.media.intake.clock import ShownTimes, packets
from coordinator.media.intake.opening import (
    MAX_MEDIA_S,
    audio_of,
    check_size,
    open_media,
    origin_s,
    translating,
    video_of,
)

log = structlog.get_logger()
SAMPLE_RATE_HZ = 48_000
# A jump of the sound's clock below this is rounding of the container; above it, a gap or an overlap.
MAX_CLOCK_ERROR_S = 0.04
# Far above full scale, and far below what an encoder takes for no number.
MAX_SAMPLE = 16.0
# Of more channels FFmpeg knows few layouts; without one it mixes nothing.
MAX_LAID_OUT = 8
# How much further back to seek where a seek landed too late: MPEG-TS knows no key frames, only times.
_STEPS_BACK_S = (0.0, 3.0, 15.0, MAX_MEDIA_S)

Samples = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What the header says, enough to plan by. Times are seconds from the file's own start."""

    duration_s: float | None
    has_video: bool
    has_audio: bool
    average_rate: Fraction | None
    base_rate: Fraction | None
    sample_aspect: Fraction | None
    video_codec: str | None
    audio_codec: str | None
    audio_end_s: float


def outline(path: Path) -> Outline:
    """Read the header of `path`.

    Raises:
        MediaUnusable: It cannot be opened, or neither sound nor picture has a decoder here.
    """
    with open_media(path) as container:
        video, audio = video_of(container), audio_of(container)
        if video is None and audio is None:
            raise MediaUnusable(f"{path.name} has no picture and no sound that can be decoded here")
        return Outline(
            duration_s=container.duration / av.time_base if container.duration else None,
            has_video=video is not None,
            has_audio=audio is not None,
            average_rate=video.average_rate if video else None,
            base_rate=video.base_rate if video else None,
            sample_aspect=video.sample_aspect_ratio if video else None,
            video_codec=video.codec_context.name if video else None,
            audio_codec=audio.codec_context.name if audio else None,
            audio_end_s=_end_s(audio, origin_s(container)) if audio else 0.0,
        )


def _end_s(stream: Stream, zero_s: float) -> float:
    if not stream.duration or stream.time_base is None:
        return 0.0
    end_s = float((stream.duration + (stream.start_time or 0)) * stream.time_base) - zero_s
    return min(end_s, MAX_MEDIA_S)


def pictures(path: Path, *, start_s: float = 0.0) -> Iterator[tuple[float, VideoFrame]]:
    """Yield (time in seconds, frame) from the frame that is shown at `start_s` onwards.

    Raises:
        MediaUnusable: There is no picture, none decodes, or one is larger than the limit.
    """
    with open_media(path) as container, translating(path, "decode"):
        stream = video_of(container)
        if stream is None:
            raise MediaUnusable(f"{path.name} has no picture that can be decoded here")
        zero_s = origin_s(container)
        shown: tuple[float, VideoFrame] | None = None
        # Half a millisecond: a time that was rounded on its way here still means its own frame.
        first_s = start_s + 0.0005
        for timed in _timed_from(path, container, stream, zero_s, first_s):
            if timed[0] <= first_s:
                shown = timed
                continue
            if shown is not None:
                yield shown
                shown = None
            yield timed
            del timed  # It must not live on while the next is decoded: at 4K it is 31 MB.
        if shown is not None:
            yield shown


def _timed_from(
    path: Path, container: av.container.InputContainer, stream: VideoStream, zero_s: float, first_s: float
) -> Iterator[tuple[float, VideoFrame]]:
    """Yield timed frames from at least one that is shown at `first_s` on, or from the file's first."""
    for back_s in _STEPS_BACK_S:
        seek_s = first_s - 0.0005 - back_s
        if seek_s > 0:
            _seek(container, stream, seek_s + zero_s)
        elif back_s:
            rewind(container)
        frames = _timed(path, container, stream, zero_s, is_sought=seek_s > 0)
        try:
            first = next(frames)
        except MediaUnusable:
            # Behind the last key frame nothing decodes.
            if seek_s <= 0:
                raise
            continue
        if first[0] <= first_s or seek_s <= 0:
            yield first
            del first
            yield from frames
            return


def rewind(container: av.container.InputContainer) -> None:
    """Go back to the first packet. To the start's own time MPEG-TS finds a later one."""
    container.seek((container.start_time or 0) - av.time_base)


def _seek(container: av.container.InputContainer, stream: Stream, time_s: float) -> None:
    if time_s <= 0 or stream.time_base is None:
        return
    try:
        container.seek(int(time_s / stream.time_base), stream=stream)
    except av.FFmpegError:
        container.seek(0)


def _timed(
    path: Path, container: av.container.InputContainer, stream: VideoStream, zero_s: float, *, is_sought: bool
) -> Iterator[tuple[float, VideoFrame]]:
    num_frames = num_damaged = 0
    times = ShownTimes(container, stream, zero_s)
    for packet in packets(container, stream, is_sought=is_sought):
        times.note(packet)
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            num_damaged += 1
            continue
        while frames:
            frame = frames.pop(0)
            check_size(path, frame)
            time_s = times.of(frame)
            num_frames += 1
            if time_s > MAX_MEDIA_S:
                raise MediaUnusable(f"{path.name} is longer than {MAX_MEDIA_S / 3600:g} hours")
            yield time_s, frame
            del frame
    if not num_frames:
        raise MediaUnusable(
            f"no picture of {path.name} can be decoded ({num_damaged} damaged packets): "
            "it is truncated, encrypted or damaged"
        )
    if num_damaged:
        log.warning("damaged_pictures_skipped", num_damaged=num_damaged, num_frames=num_frames)


def sounds(
    path: Path,
    *,
    start_s: float = 0.0,
    layout: str = "stereo",
    rate_hz: int = SAMPLE_RATE_HZ,
    number: int | None = None,
) -> Iterator[Samples]:
    """Yield the sound from `start_s` on, without a hole: float32, shape (channels, num_samples).

    Gaps are filled with silence and overlaps cut, so the n-th sample is the sound at `start_s + n/rate_hz`.

    Nothing is yielded where the track has nothing after `start_s`.

    Args:
        number: which of the tracks of sound, from 0; None: the one to hear, see `audio_of`.

    Raises:
        MediaUnusable: There is no track of sound, or none of it decodes.
    """
    with open_media(path) as container, translating(path, "decode"):
        stream = audio_of(container, number)
        if stream is None:
            raise MediaUnusable(f"{path.name} has no sound that can be decoded here")
        zero_s = origin_s(container) + start_s
        # Codecs with memory (AAC, Opus) need a little before the span to sound right at its start.
        _seek(container, stream, zero_s - 0.2 if start_s > 0.2 else 0.0)
        num_yielded = 0
        found = packets(container, stream, is_sought=start_s > 0.2)
        for block in _resampled(path, found, stream, layout, rate_hz):
            at = block.pts if block.pts is not None else num_yielded
            time_s = float(at * (block.time_base or Fraction(1, rate_hz))) - zero_s
            if time_s > MAX_MEDIA_S:
                raise MediaUnusable(f"{path.name} is longer than {MAX_MEDIA_S / 3600:g} hours")
            samples = _audible(np.asarray(block.to_ndarray(), np.float32))
            for piece in _placed(samples, time_s, num_yielded, rate_hz):
                num_yielded += piece.shape[1]
                yield piece


def _audible(samples: Samples) -> Samples:
    """Float PCM may hold what is no number, or none that is sound: one such sample ends an encoder."""
    if np.abs(samples).max(initial=0.0) <= MAX_SAMPLE:  # False for NaN.
        return samples
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), -MAX_SAMPLE, MAX_SAMPLE)


def _placed(samples: Samples, time_s: float, num_yielded: int, rate_hz: int) -> Iterator[Samples]:
    """Yield `samples` cut or preceded by silence so that they begin where the time line says."""
    offset = round(time_s * rate_hz) - num_yielded
    is_first = num_yielded == 0
    if not is_first and abs(offset) <= MAX_CLOCK_ERROR_S * rate_hz:
        offset = 0
    if offset < 0:
        samples = samples[:, -offset:]
    while offset > 0:
        num_silent = min(offset, rate_hz)
        yield np.zeros((samples.shape[0], num_silent), np.float32)
        offset -= num_silent
    if samples.shape[1]:
        yield samples


def _resampled(
    path: Path, found: Iterator[av.Packet[Any]], stream: AudioStream, layout: str, rate_hz: int
) -> Iterator[AudioFrame]:
    resampler = AudioResampler(format="fltp", layout=layout, rate=rate_hz)
    shape: tuple[object, ...] | None = None
    num_blocks = num_damaged = 0
    for packet in found:
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            num_damaged += 1
            continue
        for frame in map(_laid_out, frames):
            # A track may change its rate or layout on the way: what one resampler holds comes before the next.
            if shape is not None and shape != _shape_of(frame):
                yield from resampler.resample(None)
                resampler = AudioResampler(format="fltp", layout=layout, rate=rate_hz)
            shape = _shape_of(frame)
            for block in resampler.resample(frame):
                num_blocks += 1
                yield block
    if num_damaged and not num_blocks:
        raise MediaUnusable(
            f"no sound of {path.name} can be decoded ({num_damaged} damaged packets): "
            "it is truncated, encrypted or damaged"
        )
    yield from resampler.resample(None)


def _laid_out(frame: AudioFrame) -> AudioFrame:
    """Return the mean of channels that are more than any layout has, and of which nothing says what they are."""
    num_channels = frame.layout.nb_channels
    if num_channels <= MAX_LAID_OUT or not frame.layout.name.endswith("channels"):
        return frame
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, num_channels).T
    mean = samples.mean(axis=0, dtype=np.float32)
    if samples.dtype == np.uint8:
        mean -= 128.0
    if samples.dtype.kind in "iu":
        mean /= float(2 ** (8 * samples.dtype.itemsize - 1))
    mixed = AudioFrame.from_ndarray(mean[np.newaxis], format="fltp", layout="mono")
    mixed.sample_rate, mixed.pts, mixed.time_base = frame.sample_rate, frame.pts, frame.time_base
    return mixed


def _shape_of(frame: AudioFrame) -> tuple[object, ...]:
    return frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate


def in_blocks(pieces: Iterator[Samples], num_samples: int) -> Iterator[Samples]:
    """Regroup to blocks of exactly `num_samples`; the last one may be shorter."""
    waiting: list[Samples] = []
    num_waiting = 0
    for piece in pieces:
        waiting.append(piece)
        num_waiting += piece.shape[1]
        if num_waiting < num_samples:
            continue
        joined = np.concatenate(waiting, axis=1)
        whole = num_waiting - num_waiting % num_samples
        for begin in range(0, whole, num_samples):
            yield joined[:, begin : begin + num_samples]
        waiting, num_waiting = [joined[:, whole:]], num_waiting - whole
    if num_waiting:
        yield np.concatenate(waiting, axis=1)


def first_samples(pieces: Iterator[Samples], num_samples: int | None) -> Iterator[Samples]:
    """Yield what there is, at most `num_samples`."""
    left = num_samples
    for piece in pieces:
        if left is None:
            yield piece
            continue
        yield piece[:, :left]
        left -= piece.shape[1]
        if left <= 0:
            return
