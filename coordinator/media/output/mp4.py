"""Write H.264 and AAC to an MP4 the way phones, browsers and platforms like it. One thread.

High profile where the x264 preset allows it, yuv420p, BT.709, 48 kHz stereo, a key frame at least every
two seconds, the index in front of the media.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import av.container
from av.audio.stream import AudioStream
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples
from coordinator.media.picture.frames import BT709
from coordinator.media.sound.loudness import audio_frame

ENCODE_THREADS = 2
KEY_FRAME_EVERY_S = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VideoSettings:
    """How to encode the picture: by quality (`crf`), or by size where `bitrate_bps` is given."""

    width: int
    height: int
    rate: Fraction
    x264_preset: str
    crf: float
    max_bitrate_bps: int | None = None
    bitrate_bps: int | None = None
    threads: int = ENCODE_THREADS


class Mp4Writer:
    """A context: pictures in by `write_picture`, sound by `write_sound`, finished on leaving without error.

    A track that is given as a stream of another file takes that file's packets instead, by `copy`.
    """

    def __init__(
        self,
        path: Path,
        video: VideoSettings | VideoStream | None,
        *,
        audio_bitrate_bps: int | None,
        copied_audio: AudioStream | None = None,
        title: str | None = None,
    ) -> None:
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        if title:
            self._container.metadata["title"] = title
        self._copied: dict[str, Stream] = {}
        self._video = self._add_video(video) if isinstance(video, VideoSettings) else None
        if isinstance(video, VideoStream):
            self._copied["video"] = self._container.add_stream_from_template(video)
        self._audio = self._add_audio(audio_bitrate_bps) if audio_bitrate_bps else None
        if copied_audio is not None:
            self._copied["audio"] = self._container.add_stream_from_template(copied_audio)
        self._num_pictures = 0
        self._num_samples = 0

    def _add_video(self, settings: VideoSettings) -> VideoStream:
        options = {"preset": settings.x264_preset, "profile": "high"}
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
        stream: VideoStream = self._container.add_stream("libx264", rate=settings.rate, options=options)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = settings.width, settings.height, "yuv420p"
        context.time_base = 1 / settings.rate
        context.gop_size = round(settings.rate * KEY_FRAME_EVERY_S)
        context.thread_count = settings.threads
        # PyAV asks for slices by default; frames leave this thread free to decode and compose the next.
        context.thread_type = "FRAME"
        context.color_range = 1
        context.colorspace = context.color_primaries = context.color_trc = BT709
        if settings.bitrate_bps:
            context.bit_rate = settings.bitrate_bps
        return stream

    def _add_audio(self, bitrate_bps: int) -> AudioStream:
        stream: AudioStream = self._container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="stereo")
        stream.codec_context.bit_rate = bitrate_bps
        stream.codec_context.format = "fltp"
        return stream

    def write_picture(self, frame: VideoFrame) -> None:
        """Show `frame` for one tick. It belongs to the encoder from now on: do not write to it again."""
        if self._video is None:
            return
        frame.pts = self._num_pictures
        frame.time_base = self._video.codec_context.time_base
        frame.pict_type = PictureType.NONE
        frame.colorspace = BT709
        self._num_pictures += 1
        self._container.mux(self._video.encode(frame))

    def write_sound(self, samples: Samples) -> None:
        """Append stereo float samples at 48 kHz, shape (2, n)."""
        if self._audio is None or not samples.shape[1]:
            return
        frame = audio_frame(samples, self._num_samples)
        self._num_samples += samples.shape[1]
        self._container.mux(self._audio.encode(frame))

    def copy(self, packet: av.Packet[Any]) -> None:
        """Write a packet of the stream that stands for its kind of track."""
        packet.stream = self._copied[packet.stream.type]
        self._container.mux(packet)

    @property
    def duration_s(self) -> float:
        """How long what was written will play."""
        if self._video is not None:
            return float(self._num_pictures * self._video.codec_context.time_base)
        return self._num_samples / SAMPLE_RATE_HZ

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._container.close()
            return
        for stream in (self._video, self._audio):
            if stream is not None:
                self._container.mux(stream.encode(None))
        self._container.close()
