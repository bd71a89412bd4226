"""Write H.264 and AAC to an MP4 the way phones, browsers and platforms like it. One thread.

High profile where the x264 preset allows it, yuv420p, BT.709, 48 kHz stereo, a key frame at least every
two seconds, the index in front of the media.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import av.container
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples
from coordinator.media.output.encoders import X264, pixels_of, quality_options
from coordinator.media.picture.frames import BT709
from coordinator.media.sound.aac import AAC_OPTIONS, FRAME_SAMPLES
from coordinator.media.sound.filtering import audio_frame

ENCODE_THREADS = 2
KEY_FRAME_EVERY_S = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VideoSettings:
    """How to encode the picture: by quality (`crf`), or by size where `bitrate_bps` is given.

    Attributes:
        statistics: where x264 notes what each picture costs (`writes_statistics`), or reads it from: a size is
            then met to about one in a hundred.
    """

    width: int
    height: int
    rate: Fraction
    x264_preset: str
    crf: float
    max_bitrate_bps: int | None = None
    bitrate_bps: int | None = None
    encoder: str = X264
    statistics: Path | None = None
    writes_statistics: bool = True
    threads: int = ENCODE_THREADS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """What the file says of itself. `chapters`: (start, end, name) in seconds of the file, in order."""

    title: str | None = None
    artist: str | None = None
    comment: str | None = None
    chapters: Sequence[tuple[float, float, str]] = ()


class Mp4Writer:
    """A context: pictures in by `write_picture`, sound by `write_sound`, finished on leaving without error.

    A track that is given as a stream of another file takes that file's packets instead, by `copy`. Sound that is
    encoded already is written in step with the picture and ends with it; `write_sound` is not for such a file.
    """

    def __init__(
        self,
        path: Path,
        video: VideoSettings | VideoStream | None,
        *,
        audio_bitrate_bps: int | None,
        copied_audio: AudioStream | None = None,
        encoded_audio: Sequence[Packet[Any]] | None = None,
        title: str | None = None,
        tags: Tags | None = None,
    ) -> None:
        """Open the file.

        Args:
            encoded_audio: of `heard_after_aac`, at `audio_bitrate_bps`.
            tags: instead of a title alone.
        """
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        tags = tags or Tags(title=title)
        for name in ("title", "artist", "comment"):
            if value := getattr(tags, name):
                self._container.metadata[name] = value
        self._container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(start_s * 1000),
                    "end": round(end_s * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": name},
                }
                for number, (start_s, end_s, name) in enumerate(tags.chapters)
            ]
        )
        self._copied: dict[str, Stream] = {}
        self._video = self._add_video(video) if isinstance(video, VideoSettings) else None
        if isinstance(video, VideoStream):
            self._copied["video"] = self._container.add_stream_from_template(video)
        self._audio = self._add_audio(audio_bitrate_bps) if audio_bitrate_bps else None
        if copied_audio is not None:
            self._copied["audio"] = self._container.add_stream_from_template(copied_audio)
        self._encoded = deque(encoded_audio) if encoded_audio is not None else None
        self._rate = video.rate if isinstance(video, VideoSettings) else None
        self._num_pictures = 0
        self._num_samples = 0

    def _add_video(self, settings: VideoSettings) -> VideoStream:
        options = _x264_options(settings)
        if settings.encoder != X264:
            options = quality_options(settings.encoder, settings.crf, settings.max_bitrate_bps)
        stream = cast(
            "VideoStream", self._container.add_stream(settings.encoder, rate=settings.rate, options=options)
        )
        context = stream.codec_context
        context.width, context.height = settings.width, settings.height
        context.pix_fmt = pixels_of(settings.encoder)
        context.time_base = 1 / settings.rate
        context.gop_size = round(settings.rate * KEY_FRAME_EVERY_S)
        context.color_range = 1
        context.colorspace = context.color_primaries = context.color_trc = BT709
        if settings.encoder == X264:
            context.thread_count = settings.threads
            # PyAV asks for slices by default; frames leave this thread free to decode and compose the next.
            context.thread_type = "FRAME"
            if settings.bitrate_bps:
                context.bit_rate = settings.bitrate_bps
            if settings.statistics is not None:
                context.flags |= int(Flags.pass1 if settings.writes_statistics else Flags.pass2)
        return stream

    def _add_audio(self, bitrate_bps: int) -> AudioStream:
        stream: AudioStream = self._container.add_stream(
            "aac", rate=SAMPLE_RATE_HZ, layout="stereo", options=dict(AAC_OPTIONS)
        )
        stream.codec_context.bit_rate = bitrate_bps
        stream.codec_context.format = "fltp"
        return stream

    def write_picture(self, frame: VideoFrame) -> None:
        """Show `frame` for one tick. Afterwards its pixels may be written anew, once `make_writable` was called."""
        if self._video is None:
            return
        frame.pts = self._num_pictures
        frame.time_base = self._video.codec_context.time_base
        frame.pict_type = PictureType.NONE
        frame.colorspace = BT709
        self._num_pictures += 1
        self._container.mux(self._video.encode(frame))
        self._write_encoded(until_s=self.duration_s)

    def write_sound(self, samples: Samples) -> None:
        """Append stereo float samples at 48 kHz, shape (2, n)."""
        if self._audio is None or not samples.shape[1]:
            return
        frame = audio_frame(samples, self._num_samples)
        self._num_samples += samples.shape[1]
        self._container.mux(self._audio.encode(frame))

    def _write_encoded(self, *, until_s: float) -> None:
        if not self._encoded:
            return
        due = round(until_s * SAMPLE_RATE_HZ)
        while self._encoded and (at := self._encoded[0].pts or 0) + FRAME_SAMPLES <= due:
            self._mux_encoded(self._encoded.popleft(), at)

    def _mux_encoded(self, packet: Packet[Any], at: int, num_samples: int | None = None) -> None:
        # Another file may want the same packet.
        mine = Packet(bytes(packet))
        mine.pts = mine.dts = at
        mine.duration = packet.duration if num_samples is None else num_samples
        mine.time_base, mine.is_keyframe = Fraction(1, SAMPLE_RATE_HZ), True
        mine.stream = cast("AudioStream", self._audio)
        self._container.mux(mine)

    def _end_encoded(self) -> None:
        """Write the packet in which the picture ends, as long as the picture."""
        self._write_encoded(until_s=self.duration_s)
        if self._encoded:
            at = self._encoded[0].pts or 0
            num_samples = min(round(self.duration_s * SAMPLE_RATE_HZ) - at, self._encoded[0].duration or 0)
            if num_samples > 0:
                self._mux_encoded(self._encoded[0], at, num_samples)

    def copy(self, packet: av.Packet[Any]) -> None:
        """Write a packet of the stream that stands for its kind of track."""
        packet.stream = self._copied[packet.stream.type]
        self._container.mux(packet)

    @property
    def duration_s(self) -> float:
        """How long what was written will play."""
        if self._rate is not None:
            return float(self._num_pictures / self._rate)
        return self._num_samples / SAMPLE_RATE_HZ

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._container.close()
            return
        self._end_encoded()
        for stream in (self._video, self._audio if self._encoded is None else None):
            if stream is not None:
                self._container.mux(stream.encode(None))
        self._container.close()
        # x264 closes its statistics when it is freed, and not before.
        self._video = self._audio = None


def _x264_options(settings: VideoSettings) -> dict[str, str]:
    # Every picture lies on its tick: x264 need not wait for the next one to know how long it is shown.
    options = {"preset": settings.x264_preset, "profile": "high", "x264-params": "force-cfr=1"}
    peak_bps = settings.max_bitrate_bps
    if settings.bitrate_bps:
        peak_bps = round(settings.bitrate_bps * 1.4)
        options["bufsize"] = str(settings.bitrate_bps * 2)
    else:
        options["crf"] = f"{settings.crf:g}"
        if peak_bps:
            options["bufsize"] = str(peak_bps * 2)
    if peak_bps:
        options["maxrate"] = str(peak_bps)
    if settings.statistics is not None:
        options |= {"passlogfile": str(settings.statistics), "fastfirstpass": "0"}
    return options
