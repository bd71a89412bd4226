"""Cut a part out of a file, exact to a frame: by stream copy where that is exact, else by encoding.

A stream copy is exact when the start is a key frame and no packet that is kept needs one that is not. It
keeps every track of sound; an encoded cut keeps the first, as an export would.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import av
import av.container
import structlog
from av.stream import Stream
from av.video.stream import VideoStream

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import outline
from coordinator.media.intake.opening import audio_of, open_media, origin_s, translating, video_of
from coordinator.media.intake.pacing import constant_rate
from coordinator.media.intake.span import check_bounds, fitted
from coordinator.media.output.mp4 import VideoSettings
from coordinator.media.output.render import OnProgress, Rendering, render
from coordinator.media.partial import replacing
from coordinator.media.picture.frames import Scaler, upright_size
from coordinator.media.picture.geometry import even, place

log = structlog.get_logger()
# What MP4 players everywhere take without a new encoding.
_COPIED_VIDEO = ("h264", "hevc", "av1", "libdav1d", "vp9")
_COPIED_AUDIO = ("aac", "mp3", "mp3float", "opus", "ac3", "flac", "alac")
CRF = 18.0
AUDIO_BPS = 192_000


def _unheard(_share: float) -> None:
    pass


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A finished cut: how long the picture is, and whether it was copied or encoded."""

    duration_s: float
    method: Literal["copy", "encode"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _CopyPlan:
    """Which part of the file to copy, in seconds of its own clock; the end belongs to the part no more."""

    start_s: float
    end_s: float
    num_pictures: int


def cut(
    src: Path, dst: Path, *, start_s: float, end_s: float | None, on_progress: OnProgress = _unheard
) -> Cut:
    """Write the part of `src` between two times (seconds from its start) to `dst`, an MP4 from 0.

    `dst` appears whole or not at all. None as the end is the end of the file.

    Raises:
        MediaUnusable: The source cannot be read, or nothing of it lies between the times.
        DiskFull: There is no room for the result.
    """
    src, dst = Path(src), Path(dst)
    check_bounds(start_s, end_s)
    plan = _copy_plan(src, start_s, end_s)
    with replacing(dst) as partial:
        if plan is not None and (copied_s := _try_copy(src, partial, plan)) is not None:
            return Cut(duration_s=copied_s, method="copy")
        return Cut(duration_s=_encode(src, partial, start_s, end_s, on_progress), method="encode")


def _copy_plan(src: Path, start_s: float, end_s: float | None) -> _CopyPlan | None:
    """Return what to copy, or None where a copy would not be exact."""
    with open_media(src) as container:
        video = video_of(container)
        audio = audio_of(container)
        if video is None or video.codec_context.name not in _COPIED_VIDEO or video.time_base is None:
            return None
        if audio is not None and audio.codec_context.name not in _COPIED_AUDIO:
            return None
        frame_s = float(1 / (video.average_rate or 30))
        zero_s = origin_s(container)
        first_s = start_s + zero_s
        last_s = float("inf") if end_s is None else end_s + zero_s - frame_s / 2
        with translating(src, "read"):
            return _scan(container, video, first_s, last_s, frame_s)


def _scan(
    container: av.container.InputContainer, video: VideoStream, first_s: float, last_s: float, frame_s: float
) -> _CopyPlan | None:
    """Walk the packets in the order of decoding and see whether those of the part stand alone."""
    if first_s > 0 and video.time_base is not None:
        container.seek(int((first_s + frame_s / 2) / video.time_base), stream=video)
    begin_s: float | None = None
    num_pictures = 0
    is_past_end = False
    for time_s, packet in _timed_packets(container, video):
        if packet.is_discard:
            return None  # Hidden pre-roll: copying it would show what was cut away.
        if begin_s is None:
            # A source may begin with sound; its first picture then is where the part's picture begins.
            begins_late = first_s <= origin_s(container) + frame_s / 2
            if not packet.is_keyframe or (abs(time_s - first_s) > frame_s / 2 and not begins_late):
                return None
            begin_s = time_s
        if time_s >= last_s:
            is_past_end = True
        elif time_s >= begin_s:
            if is_past_end:
                return None  # It is decoded after, and from, a picture that lies beyond the end.
            num_pictures += 1
        if is_past_end and time_s > last_s + 2:
            break
    if begin_s is None or not num_pictures:
        return None
    return _CopyPlan(start_s=begin_s, end_s=last_s, num_pictures=num_pictures)


def _timed_packets(
    container: av.container.InputContainer, *streams: Stream
) -> Iterator[tuple[float, av.Packet[Any]]]:
    for packet in container.demux(*streams):
        if packet.pts is not None and packet.dts is not None and packet.time_base:
            yield float(packet.pts * packet.time_base), packet


def _try_copy(src: Path, partial: Path, plan: _CopyPlan) -> float | None:
    """Copy the packets of the plan; None where the muxer does not take them."""
    try:
        return _copy(src, partial, plan)
    except (av.ArgumentError, av.error.InvalidDataError, av.PatchWelcomeError, ValueError) as exc:
        log.info("stream_copy_refused", reason=type(exc).__name__)
        return None


def _copy(src: Path, partial: Path, plan: _CopyPlan) -> float:
    with open_media(src) as container:
        video = video_of(container)
        if video is None:
            raise MediaUnusable(f"{src.name} lost its picture while it was read")
        kept: list[Stream] = [video]
        kept += [
            s for s in container.streams.audio if s.codec_context and s.codec_context.name in _COPIED_AUDIO
        ]
        if plan.start_s > 0 and video.time_base is not None:
            container.seek(int(plan.start_s / video.time_base), stream=video)
        options = {"movflags": "+faststart", "avoid_negative_ts": "disabled", "use_editlist": "1"}
        end_s = plan.start_s
        with av.open(str(partial), "w", format="mp4", options=options) as out:
            targets = {s.index: out.add_stream_from_template(s) for s in kept}
            finished: set[int] = set()
            for time_s, packet in _timed_packets(container, *kept):
                if time_s >= plan.end_s + 2:
                    finished.add(packet.stream_index)
                    if len(finished) == len(kept):
                        break
                if not plan.start_s <= time_s < plan.end_s or packet.is_discard:
                    continue
                if packet.stream_index == video.index:
                    end_s = max(end_s, time_s + float((packet.duration or 0) * packet.time_base))
                shift = round(plan.start_s / packet.time_base)
                packet.pts = (packet.pts or 0) - shift
                packet.dts = (packet.dts or 0) - shift
                packet.stream = targets[packet.stream_index]
                out.mux(packet)
        return end_s - plan.start_s


def _encode(src: Path, partial: Path, start_s: float, end_s: float | None, on_progress: OnProgress) -> float:
    found = outline(src)
    if not found.has_video:
        raise MediaUnusable(f"{src.name} has no picture that can be decoded here; only sound cannot be cut")
    rate = constant_rate(found.average_rate, found.base_rate, max_rate=120)
    span = fitted(src, found, start_s=start_s, end_s=end_s, rate=rate)
    _, first = next(span.pictures())
    width, height = (even(side) for side in upright_size(first, found.sample_aspect))
    scaler = Scaler(
        lambda w, h: place(w, h, (width, height), zoom=float("inf")), sample_aspect=found.sample_aspect
    )
    has_sound = found.has_audio and next(span.sound(), None) is not None
    work = Rendering(
        pictures=span.pictures(),
        compose=scaler.scale,
        sound=span.sound() if has_sound else None,
        drawings=(),
        max_ticks=span.max_ticks(rate),
        hold_until_s=span.hold_until_s,
    )
    settings = VideoSettings(width=width, height=height, rate=rate, x264_preset="veryfast", crf=CRF)
    return render(work, partial, settings, audio_bps=AUDIO_BPS, title=None, on_progress=on_progress)
