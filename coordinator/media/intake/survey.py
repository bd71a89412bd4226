"""What a file's first picture and sound really hold, counted packet by packet: the base of every plan to render it.

Headers lie about length and rhythm. One walk over the packets, without decoding, gives both, and says whether a
track already is what a normal file holds, so that it can be copied. A few pictures spread over the file are
decoded then, because a copy must be of something that can be seen.
"""

from __future__ import annotations

import array
import dataclasses
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from coordinator.errors import MediaUnusable
from coordinator.media.intake.clock import MAX_HOLE_S, has_decode_times_only, packets
from coordinator.media.intake.h264 import Description
from coordinator.media.intake.opening import (
    MAX_MEDIA_S,
    audio_of,
    open_media,
    origin_s,
    translating,
    video_of,
)
from coordinator.media.intake.pacing import STANDARD_RATES
from coordinator.media.intake.probe import MAX_PRIMING_PACKETS, display_matrix

Ticks = npt.NDArray[np.int64]
# Half a container's millisecond, and what a muxer rounds on top.
MAX_JITTER_S = 0.0016
# A picture this late still starts with its sound.
MAX_LATE_S = 0.05
MAX_SOUND_GAP_S = 0.04
NUM_SAMPLES = 10
# More pictures than one group of B pictures holds: among so many, a wrong order shows.
NUM_IN_ORDER = 20
SAMPLE_RATE_HZ = 48_000
_PROFILES = ("Baseline", "Constrained Baseline", "Main", "High", "Constrained High", "Progressive High")
_HDR_TRANSFERS = (16, 18)
_FULL_RANGE = 2
_PROGRESSIVE_OR_UNSAID = (0, 1)
_IDENTITY = (65536, 0, 0, 65536)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """The track to show. Times in seconds from the file's origin.

    Attributes:
        rate: (numerator, denominator) where every picture lies on a tick of it and no tick is empty.
        num_reordered: how many ticks decoding must run ahead of showing.
        why_encode: why it cannot be copied; None: it can.
    """

    num_packets: int
    start_s: float
    end_s: float
    width: int
    height: int
    rate: tuple[int, int] | None
    num_reordered: int
    why_encode: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundFacts:
    """The track to hear. `why_encode`: as of the picture."""

    num_packets: int
    start_s: float
    end_s: float
    why_encode: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Both tracks, None where there is none with a packet."""

    picture: PictureFacts | None
    sound: SoundFacts | None

    @property
    def duration_s(self) -> float:
        """From the origin to the end of what ends last."""
        return max((track.end_s for track in (self.picture, self.sound) if track), default=0.0)


class _Notes:
    """What the walk remembers of one track."""

    def __init__(self, stream: Stream, zero_s: float) -> None:
        self.base = stream.time_base or Fraction(1, 1000)
        self.zero_s = zero_s
        self.pts = array.array("q")
        self.durations = array.array("q")
        self.keys = array.array("q")
        self.num_packets = self.num_hidden = 0
        self.why_encode: str | None = None

    def add(self, packet: av.Packet[Any]) -> None:
        self.num_packets += 1
        self.num_hidden += packet.is_discard
        if packet.pts is None:
            self.refuse("a packet has no time")
        elif not packet.is_discard:
            self.pts.append(packet.pts)
            self.durations.append(packet.duration or 0)
            if packet.is_keyframe:
                self.keys.append(packet.pts)
        if packet.is_corrupt:
            self.refuse("a packet is damaged")
        if packet.has_sidedata("new_extradata"):
            self.refuse("its parameters change")

    def refuse(self, reason: str) -> None:
        self.why_encode = self.why_encode or reason

    @property
    def start_s(self) -> float:
        return float(min(self.pts) * self.base) - self.zero_s if self.pts else 0.0

    @property
    def end_s(self) -> float:
        if not self.pts:
            return 0.0
        ends = np.asarray(self.pts, np.int64) + np.maximum(np.asarray(self.durations, np.int64), 0)
        return min(MAX_MEDIA_S, float(int(ends.max()) * self.base) - self.zero_s)


def survey(path: Path) -> Survey:
    """Walk over the packets of `path`.

    Raises:
        MediaUnusable: It cannot be opened, or neither sound nor picture has a decoder here.
    """
    path = Path(path)
    with open_media(path) as container, translating(path, "read"):
        video, audio = video_of(container), audio_of(container)
        streams: list[Stream] = [s for s in (video, audio) if s is not None]
        if not streams:
            raise MediaUnusable(f"{path.name} has no picture and no sound that can be decoded here")
        zero_s = origin_s(container)
        notes = {s.index: _Notes(s, zero_s) for s in streams}
        _walk(container, streams, video, notes)
        shown = notes[video.index] if video is not None else None
        if video is not None and shown is not None and has_decode_times_only(container, video):
            shown.refuse("it does not say when a picture is shown")
        picture = _picture(video, shown) if video is not None and shown is not None else None
        sound = _sound(audio, notes[audio.index]) if audio is not None else None
    if shown is not None and picture is not None and picture.why_encode is None:
        picture = dataclasses.replace(picture, why_encode=_unseen(path, shown))
    return Survey(picture=picture, sound=sound)


def _walk(
    container: av.container.InputContainer,
    streams: list[Stream],
    video: VideoStream | None,
    notes: dict[int, _Notes],
) -> None:
    is_h264 = video is not None and video.codec_context.name == "h264"
    description = Description(video.codec_context.extradata) if video is not None and is_h264 else None
    for packet in packets(container, *streams):
        if not packet.size:
            continue
        note = notes[packet.stream_index]
        if video is not None and packet.stream_index == video.index:
            if (
                description is not None
                and note.why_encode is None
                and not description.keeps_to(bytes(packet))
            ):
                note.refuse("its parameters change, or a packet is not whole")
            if not note.num_packets and not packet.is_keyframe:
                note.refuse("it does not start with a key frame")
        note.add(packet)
    if description is not None and not description.is_known and video is not None:
        notes[video.index].refuse("its parameters are missing")


def _picture(stream: VideoStream, notes: _Notes) -> PictureFacts | None:
    if not notes.num_packets:
        return None
    context = stream.codec_context
    pts = np.sort(np.asarray(notes.pts, np.int64))
    rate = constant_rate_of(pts, notes.base, stream.average_rate)
    aspect = stream.sample_aspect_ratio
    if notes.num_hidden:
        notes.refuse("a part of it is hidden")
    if notes.pts and notes.pts[0] != pts[0]:
        notes.refuse("pictures before its first key frame")
    if rate is None:
        notes.refuse("its rhythm is not constant")
    if not -MAX_LATE_S <= notes.start_s <= MAX_LATE_S:
        notes.refuse("it starts after its sound")
    if context.name != "h264" or context.profile not in _PROFILES or context.pix_fmt != "yuv420p":
        notes.refuse(f"it is {context.name}, {context.profile}, {context.pix_fmt}")
    if aspect is not None and aspect not in (0, 1):
        notes.refuse("its pixels are not square")
    if context.color_trc in _HDR_TRANSFERS or context.color_range == _FULL_RANGE:
        notes.refuse("its colours are of high dynamic range, or of full range")
    if int(getattr(context, "field_order", 0) or 0) not in _PROGRESSIVE_OR_UNSAID:
        notes.refuse("it is interlaced")
    if context.width % 2 or context.height % 2:
        notes.refuse("its sides are odd")
    return PictureFacts(
        num_packets=notes.num_packets,
        start_s=notes.start_s,
        end_s=_picture_end_s(notes, stream),
        width=context.width,
        height=context.height,
        rate=None if rate is None else (rate.numerator, rate.denominator),
        num_reordered=0 if rate is None else _num_reordered(notes, rate),
        why_encode=notes.why_encode,
    )


def _picture_end_s(notes: _Notes, stream: VideoStream) -> float:
    """The end of the last picture; where packets have no length or no time, by their number."""
    rate = stream.guessed_rate or stream.average_rate or Fraction(30)
    if not notes.pts:
        return float(notes.num_packets / rate)
    last_s = float(max(notes.pts) * notes.base) - notes.zero_s
    return min(MAX_MEDIA_S, max(notes.end_s, last_s if notes.durations[-1] else last_s + float(1 / rate)))


def _num_reordered(notes: _Notes, rate: Fraction) -> int:
    pts = np.asarray(notes.pts, np.int64)
    ticks = np.round((pts - pts.min()) * float(notes.base * rate)).astype(np.int64)
    return int((np.arange(len(ticks)) - ticks).max())


def constant_rate_of(pts: Ticks, base: Fraction, declared: Fraction | None) -> Fraction | None:
    """Return the rate on whose ticks these times lie one by one, or None.

    Args:
        pts: sorted, in units of `base`.
        declared: what the header says; tried first, then the standard rates, then what the times say.
    """
    if len(pts) < 2 or pts[-1] <= pts[0]:
        return None
    seen = Fraction(len(pts) - 1) / (int(pts[-1] - pts[0]) * base)
    near = sorted(STANDARD_RATES, key=lambda rate: abs(rate - seen))[:2]
    for rate in (declared, *near, seen.limit_denominator(1001)):
        if not rate or rate <= 0:
            continue
        expected = np.arange(len(pts)) * float(1 / (rate * base))
        jitter = float(np.abs(pts - pts[0] - expected).max() * float(base))
        if jitter <= min(max(MAX_JITTER_S, float(base)), 0.25 / float(rate)):
            return rate
    return None


def _sound(stream: AudioStream, notes: _Notes) -> SoundFacts | None:
    if not notes.num_packets:
        return None
    context = stream.codec_context
    if context.name != "aac" or context.profile != "LC" or context.sample_rate != SAMPLE_RATE_HZ:
        notes.refuse(f"it is {context.name}, {context.profile}, {context.sample_rate} Hz")
    if context.layout.nb_channels not in (1, 2):
        notes.refuse(f"it has {context.layout.nb_channels} channels")
    if notes.num_hidden > MAX_PRIMING_PACKETS:
        notes.refuse("a part of it is hidden")
    if notes.start_s > MAX_LATE_S:
        notes.refuse("it starts late")
    pts, lengths = np.asarray(notes.pts, np.int64), np.asarray(notes.durations, np.int64)
    if len(pts) > 1 and np.abs(pts[1:] - pts[:-1] - lengths[:-1]).max() * float(notes.base) > MAX_SOUND_GAP_S:
        notes.refuse("it has gaps")
    # A damaged time must not make a recording of seconds one of hours: silence is at most half of it.
    dense_s = float(np.clip(lengths * float(notes.base), 0, 1).sum())
    return SoundFacts(
        num_packets=notes.num_packets,
        start_s=notes.start_s,
        end_s=min(notes.end_s, notes.start_s + 2 * dense_s + MAX_HOLE_S),
        why_encode=notes.why_encode,
    )


def _unseen(path: Path, notes: _Notes) -> str | None:
    """Decode pictures here and there; return what speaks against a copy."""
    wanted = np.linspace(0, len(notes.keys) - 1, min(NUM_SAMPLES, len(notes.keys))).round().astype(int)
    try:
        with open_media(path) as container:
            stream = video_of(container)
            if stream is None:
                return "it has no decoder"
            for number, key in enumerate(wanted):
                if number:
                    container.seek(notes.keys[int(key)], stream=stream)
                frames = list(itertools.islice(_decoded(container, stream), 1 if number else NUM_IN_ORDER))
                if not frames or frames[0].is_corrupt:
                    return "a picture of it does not decode"
                frame = frames[0]
                if any((b.pts or 0) <= (a.pts or 0) for a, b in itertools.pairwise(frames)):
                    return "its times are not in the order of showing"
                if frame.interlaced_frame or frame.format.name != "yuv420p":
                    return "it is interlaced, or not 4:2:0"
                if number == 0 and display_matrix(frame) != _IDENTITY:
                    return "it has to be turned"
    except (av.FFmpegError, MediaUnusable):
        return "it cannot be sought"
    return None


def _decoded(container: av.container.InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Decode from here; a second of packets is enough for any order."""
    for packet in itertools.islice(container.demux(stream), 64):
        yield from stream.decode(packet)
