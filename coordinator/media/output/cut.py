"""Cut a part out of a file, exact to a frame: copied as far as it can be, else encoded.

A stream copy is exact when the start is a key frame and no packet that is kept needs one that is not. Where
an H.264 part is not so lucky, the pictures up to its first key frame are encoded, at times a few at its end, and
the rest is copied. Both keep every track of sound, by its name. What cannot be joined like that is encoded
as a whole; it keeps the first track, as an export would.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import av
import av.container
import structlog
from av.audio.stream import AudioStream
from av.stream import Stream
from av.video.stream import VideoStream

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import outline
from coordinator.media.intake.opening import audio_of, open_media, origin_s, translating, video_of
from coordinator.media.intake.pacing import constant_rate
from coordinator.media.intake.span import check_bounds, fitted
from coordinator.media.output.cut_plan import CutPlan, Slot, plan_cut
from coordinator.media.output.mp4 import VideoSettings
from coordinator.media.output.render import OnProgress, Rendering, render
from coordinator.media.output.smart import CannotJoin, PartEncoder, frames_between
from coordinator.media.partial import replacing
from coordinator.media.picture.frames import Scaler, upright_size
from coordinator.media.picture.geometry import even, place

log = structlog.get_logger()
# What MP4 players everywhere take without a new encoding.
_COPIED_VIDEO = ("h264", "hevc", "av1", "libdav1d", "vp9")
_COPIED_AUDIO = ("aac", "mp3", "mp3float", "opus", "ac3", "flac", "alac")
# `disabled` keeps DTS before 0; the edit list then says where 0 is. The movie's own clock defaults to 1 ms.
_MP4_OPTIONS = {
    "movflags": "+faststart",
    "avoid_negative_ts": "disabled",
    "use_editlist": "1",
    "movie_timescale": "90000",
}
# How far apart the tracks of a file may lie before one is given up.
_INTERLEAVED_S = 2.0
CRF = 18.0
AUDIO_BPS = 192_000
CutMethod: TypeAlias = Literal["copy", "smart", "encode"]
# When it is decoded, which track of sound it is of (None: the picture), and the packet.
_Timed: TypeAlias = "tuple[float, int | None, av.Packet[Any]]"


def _unheard(_share: float) -> None:
    pass


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A finished cut: how long the picture is, and how it was made (`smart`: partly copied)."""

    duration_s: float
    method: CutMethod


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
    with replacing(dst) as partial:
        if (joined := _try_joined(src, partial, start_s, end_s, on_progress)) is not None:
            return joined
        return Cut(duration_s=_encode(src, partial, start_s, end_s, on_progress), method="encode")


def _try_joined(
    src: Path, partial: Path, start_s: float, end_s: float | None, on_progress: OnProgress
) -> Cut | None:
    """Copy what can be copied and encode what lies around it; None where that makes no exact cut."""
    with open_media(src) as container, translating(src, "read"):
        video, audio = video_of(container), audio_of(container)
        if video is None or video.codec_context.name not in _COPIED_VIDEO:
            return None
        if audio is not None and audio.codec_context.name not in _COPIED_AUDIO:
            return None
        plan = plan_cut(container, video, start_s, end_s)
    if plan is None:
        return None
    try:
        duration_s = _write(src, partial, plan, on_progress)
    except (av.ArgumentError, av.error.InvalidDataError, av.PatchWelcomeError, ValueError, CannotJoin) as exc:
        log.info("stream_copy_refused", reason=type(exc).__name__)
        return None
    if not plan.head and not plan.tail:
        return Cut(duration_s=duration_s, method="copy")
    return Cut(duration_s=duration_s, method="smart" if plan.copied else "encode")


def _write(src: Path, partial: Path, plan: CutPlan, on_progress: OnProgress) -> float:
    with open_media(src) as container, open_media(src) as other:
        video = video_of(container)
        if video is None or video.time_base is None:
            raise MediaUnusable(f"{src.name} lost its picture while it was read")
        sounds = [s for s in other.streams.audio if s.codec_context and s.codec_context.name in _COPIED_AUDIO]
        encoder = PartEncoder(video, plan.header) if plan.header is not None else None
        with av.open(str(partial), "w", format="mp4", options=_MP4_OPTIONS) as out:
            shown = _like(out, video)
            if encoder is not None:
                shown.codec_context.extradata = encoder.joined_header.as_bytes()
            targets = {stream.index: _like(out, stream) for stream in sounds}
            pictures = _pictures(src, container, video, plan, encoder)
            start_s = float(plan.start * video.time_base)
            length_s = float((plan.end - plan.start) * video.time_base)
            heard = _sounds(other, sounds, start_s, plan.end_s)
            # By the time of decoding, so that neither piles up in the muxer.
            for at_s, index, packet in heapq.merge(pictures, heard, key=lambda item: item[0]):
                shift = round(start_s / packet.time_base) if index is not None else plan.start
                pts = packet.pts or 0
                packet.pts, packet.dts = pts - shift, (pts if packet.dts is None else packet.dts) - shift
                packet.stream = shown if index is None else targets[index]
                out.mux(packet)
                on_progress(min(1.0, max(0.0, (at_s - start_s) / length_s)) if length_s else 1.0)
        return length_s


def _like(out: av.container.OutputContainer, stream: Stream) -> Any:
    """Add a track like another one, its name and its place as the one to play included."""
    added: Any = out.add_stream_from_template(stream)
    if name := stream.metadata.get("handler_name"):
        added.metadata["handler_name"] = name
    added.disposition = stream.disposition
    return added


def _pictures(
    src: Path,
    container: av.container.InputContainer,
    video: VideoStream,
    plan: CutPlan,
    encoder: PartEncoder | None,
) -> Iterator[_Timed]:
    """Yield the pictures of a plan in the order of decoding."""
    assert video.time_base is not None
    for packet in itertools.chain(
        _encoded(src, container, video, plan, plan.head, encoder),
        _copied(container, video, plan.copied),
        # Each stretch is begun by an encoder of its own: what it makes must stand alone.
        _encoded(src, container, video, plan, plan.tail, None),
    ):
        yield float((packet.dts or 0) * video.time_base), None, packet


def _encoded(
    src: Path,
    container: av.container.InputContainer,
    video: VideoStream,
    plan: CutPlan,
    slots: Sequence[Slot],
    encoder: PartEncoder | None,
) -> Iterator[av.Packet[Any]]:
    if not slots or plan.header is None or video.time_base is None:
        return
    encoder = encoder or PartEncoder(video, plan.header)
    frames = frames_between(
        src,
        zero_s=origin_s(container),
        first=slots[0].pts,
        end=slots[-1].pts + 1,
        time_base=video.time_base,
    )
    yield from encoder.encode(frames, slots)


def _copied(
    container: av.container.InputContainer, video: VideoStream, wanted: dict[int, int]
) -> Iterator[av.Packet[Any]]:
    if not wanted:
        return
    first = min(wanted)
    if first > 0:
        container.seek(first, stream=video)
    num_left = len(wanted)
    for packet in container.demux(video):
        if packet.pts in wanted:
            packet.dts = wanted[packet.pts]
            num_left -= 1
            yield packet
            if not num_left:
                return


def _sounds(
    container: av.container.InputContainer, kept: Sequence[AudioStream], start_s: float, end_s: float
) -> Iterator[_Timed]:
    """Yield the packets of sound that begin within the part; each is some 20 ms."""
    if not kept:
        return
    if start_s > _INTERLEAVED_S:
        container.seek(int(start_s * av.time_base), backward=True)
    finished: set[int] = set()
    for packet in container.demux(*kept):
        if packet.pts is None or not packet.time_base:
            continue
        time_s = float(packet.pts * packet.time_base)
        if time_s >= end_s + _INTERLEAVED_S:
            finished.add(packet.stream_index)
            if len(finished) == len(kept):
                return
        if start_s <= time_s < end_s and not packet.is_discard:
            yield time_s, packet.stream_index, packet


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
