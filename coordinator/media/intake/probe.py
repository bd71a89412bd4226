"""What a media file holds: format, duration and tracks, counted rather than believed."""

from __future__ import annotations

import collections
import math
import struct
import time
from pathlib import Path
from typing import Literal, cast

import av
import av.container
from av.audio.stream import AudioStream
from av.sidedata.sidedata import SideData
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from coordinator.errors import MediaUnusable
from coordinator.media.intake.isobmff import DeclaredTrack, declared_tracks
from coordinator.media.intake.opening import open_media, origin_s
from coordinator.model.media import MediaFile, MediaTrack

Kind = Literal["video", "audio", "subtitle", "data", "attachment"]
# Up to this many hidden audio packets are the encoder's priming, which belongs to the track; more are cut.
MAX_PRIMING_PACKETS = 4
# Ten hours of 60 pictures a second are counted in this time.
MAX_COUNT_CPU_S = 12.0
_KINDS: dict[str, Kind] = {
    "video": "video",
    "audio": "audio",
    "subtitle": "subtitle",
    "attachment": "attachment",
}


def probe(path: Path, *, should_count_packets: bool = True) -> MediaFile:
    """Read what `path` holds.

    Packets are counted by demuxing the whole file, less the sound that an edit list cuts off. A track
    whose header describes nothing (no codec, no parameters) is left out; one whose codec has no decoder
    here is listed by the name that the file gives it. The duration is what the header declares (the
    longest track), else the end of the last packet, in both cases from the file's own start; of pictures
    without times, their number at their rate.

    Args:
        path: a local file.
        should_count_packets: False reads the header only: `num_packets` is None, as it is where counting
            takes more than `MAX_COUNT_CPU_S`.

    Raises:
        MediaUnusable: It is missing, empty or no media, or it holds no track at all.
    """
    path = Path(path)
    with open_media(path) as container:
        declared = _matched(declared_tracks(path), len(container.streams))
        rotations = _rotations(path, container, declared)
        counts, end_s = _count(container) if should_count_packets else (None, None)
        tracks = tuple(
            _track(stream, declared.get(stream.index), counts, rotations.get(stream.index))
            for stream in container.streams
            if not _is_undescribed(stream, declared)
        )
        if not tracks:
            raise MediaUnusable(f"{path.name} holds no track that can be described; is it media at all?")
        return MediaFile(
            duration_s=_duration_s(container, declared, counts, end_s),
            format=container.format.name,
            tracks=tracks,
        )


def _matched(declared: tuple[DeclaredTrack, ...] | None, num_streams: int) -> dict[int, DeclaredTrack]:
    # FFmpeg makes one stream of each `trak`, in order; where the numbers differ nothing can be said.
    if declared is None or len(declared) != num_streams:
        return {}
    return dict(enumerate(declared))


def _is_undescribed(stream: Stream, declared: dict[int, DeclaredTrack]) -> bool:
    header = declared.get(stream.index)
    return header is not None and header.codec is None and stream.codec_context is None


def _count(
    container: av.container.InputContainer,
) -> tuple[collections.Counter[int] | None, float | None]:
    """Demux the whole file; None instead of counts where that takes longer than anybody waits for a number."""
    begun_s, num_seen = time.process_time(), 0
    counts: collections.Counter[int] = collections.Counter()
    hidden: collections.Counter[int] = collections.Counter()
    end_s: float | None = None
    try:
        for packet in container.demux():
            if packet.dts is None and packet.pts is None and not packet.size:
                continue
            counts[packet.stream_index] += 1
            hidden[packet.stream_index] += packet.is_discard
            at = packet.pts if packet.pts is not None else packet.dts
            if at is not None and packet.time_base:
                end_s = max(end_s or 0.0, float((at + (packet.duration or 0)) * packet.time_base))
            num_seen += 1
            if not num_seen % 4096 and time.process_time() - begun_s > MAX_COUNT_CPU_S:
                return None, None
    except (av.FFmpegError, IndexError):  # PyAV's own, at the end, where damage made a track appear late.
        pass  # The file ends in the middle of something: what was read until here is what it holds.
    for stream in container.streams.audio:
        if hidden[stream.index] > MAX_PRIMING_PACKETS:
            counts[stream.index] -= hidden[stream.index]
    return counts, end_s


def _duration_s(
    container: av.container.InputContainer,
    declared: dict[int, DeclaredTrack],
    counts: collections.Counter[int] | None,
    end_s: float | None,
) -> float | None:
    start_s = origin_s(container)
    headers = [t.duration_s for t in declared.values() if t.duration_s and t.codec is not None]
    if headers and max(headers) > start_s:
        return round(max(headers) - start_s, 6)
    if container.duration:
        return round(container.duration / av.time_base, 6)
    if end_s is not None:
        return round(end_s - start_s, 6)
    # A bare stream of pictures has no times: so many, at the rate that it names itself.
    rates = [(counts[s.index], s.guessed_rate) for s in container.streams.video] if counts else []
    return max((round(float(num / rate), 6) for num, rate in rates if num and rate), default=None)


def _track(
    stream: Stream,
    declared: DeclaredTrack | None,
    counts: collections.Counter[int] | None,
    rotation: int | None,
) -> MediaTrack:
    context = stream.codec_context
    codec = context.codec.canonical_name if context is not None else (declared.codec if declared else None)
    num_packets = None if counts is None else counts[stream.index]
    kind = _KINDS.get(stream.type, "data")
    if isinstance(stream, VideoStream):
        width = stream.codec_context.width if context is not None else declared and declared.width
        height = stream.codec_context.height if context is not None else declared and declared.height
        return MediaTrack(
            kind=kind,
            codec=codec,
            num_packets=num_packets,
            width=width or None,
            height=height or None,
            rotation=rotation,
        )
    if isinstance(stream, AudioStream):
        rate_hz = stream.codec_context.sample_rate if context is not None else None
        channels = stream.codec_context.layout.nb_channels if context is not None else None
        return MediaTrack(
            kind=kind,
            codec=codec,
            num_packets=num_packets,
            sample_rate_hz=rate_hz or (declared.sample_rate_hz if declared else None),
            channels=channels or (declared.channels if declared else None),
        )
    return MediaTrack(kind=kind, codec=codec, num_packets=num_packets)


def _rotations(
    path: Path, container: av.container.InputContainer, declared: dict[int, DeclaredTrack]
) -> dict[int, int | None]:
    """How far each picture is to be turned: as the header says it, else as its first frame does."""
    found: dict[int, int | None] = {}
    for stream in container.streams.video:
        header = declared.get(stream.index)
        if header is not None and header.matrix is not None:
            found[stream.index] = clockwise_degrees(header.matrix)
        else:
            found[stream.index] = _seen_rotation(path, stream.index)
    return found


def _seen_rotation(path: Path, index: int) -> int | None:
    # A container of its own: not every file can be read from its start again.
    with open_media(path) as container:
        try:
            stream = cast(VideoStream, container.streams[index])
            return clockwise_degrees(display_matrix(next(container.decode(stream))))
        except (av.FFmpegError, StopIteration, IndexError):
            return None


def display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return a frame's display matrix (a, b, c, d), 16.16 fixed point; the identity where it has none."""
    side_data = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))
    if side_data is None:
        return 65536, 0, 0, 65536
    a, b, _, c, d = struct.unpack("<5i", bytes(side_data)[:20])
    return a, b, c, d


def clockwise_degrees(matrix: tuple[int, int, int, int]) -> int:
    """Return how far to turn the picture clockwise to show it upright: 0, 90, 180 or 270."""
    a, b, _, _ = matrix
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
