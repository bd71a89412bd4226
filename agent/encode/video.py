"""From pictures to packets: one GOP a second, no B-frames, every picture out as soon as it is in.

What the encoder was told stands in its `TrackParams.encoder_options`, the time base included: with x264, a codec
context of the same size and frame rate with these options gives the same SPS and PPS, so a smart cut's pictures can
be joined to ours. Owned by the `encode` thread.
"""

from __future__ import annotations

import fractions
from typing import Any

import av
import av.error
import structlog
from av.video.frame import PictureType

from agent.encode.fitter import PictureFitter
from agent.encode.options import SOFTWARE_ENCODER, encoder_options, pixel_format
from agent.encode.quality import Preset
from agent.encode.rate import bit_rate_bps
from agent.errors import EncoderUnavailable
from agent.model.media import EncodedPacket, TrackParams
from protos.timebase import MP4_TICKS_PER_S, SECOND_NS, ns_to_ticks, ticks_to_ns

log = structlog.get_logger()

GOP_NS = SECOND_NS
# An encoder that took this many pictures and gave none has hung; a hardware one may hold two or three.
MAX_HELD_PICTURES = 16
_TIME_BASE = fractions.Fraction(1, MP4_TICKS_PER_S)


class VideoEncoder:
    """One track of pictures.

    Args:
        width_px, height_px: of the track; even.
        frame_rate: of the pacer.
        rate_bps: mean and ceiling over a second; 0 follows the number of pixels.
        encoder: FFmpeg's name.
        preset: of x264.
        track: its index in the epoch.

    Raises:
        EncoderUnavailable: It cannot be opened here; carries FFmpeg's reason.
    """

    def __init__(
        self,
        *,
        width_px: int,
        height_px: int,
        frame_rate: int,
        rate_bps: int = 0,
        encoder: str = SOFTWARE_ENCODER,
        preset: Preset = "ultrafast",
        track: int = 0,
    ) -> None:
        self._track_index = track
        self._frame_ns = SECOND_NS // frame_rate
        rate_bps = rate_bps or bit_rate_bps(width_px, height_px, frame_rate)
        options = encoder_options(encoder, frame_rate=frame_rate, rate_bps=rate_bps, preset=preset)
        self._codec = _open(encoder, width_px, height_px, frame_rate, options)
        self._picture = PictureFitter(width_px, height_px, pixel_format(encoder))
        self._next_key_ns: int | None = None
        self._last_ticks: int | None = None
        self._num_held = 0
        self.track = TrackParams(
            name="video",
            kind="video",
            codec=self._codec.codec.canonical_name,
            extradata=bytes(self._codec.extradata or b""),
            bit_rate_bps=rate_bps,
            encoder=encoder,
            encoder_options=options,
            width_px=width_px,
            height_px=height_px,
            frame_rate=frame_rate,
        )

    def new_fitter(self) -> PictureFitter:
        """Another fitter to what this encoder takes, for a thread of its own."""
        track = self.track
        return PictureFitter(track.width_px, track.height_px, pixel_format(track.encoder))

    def fit(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture in the track's size and pixel format; the same object where it fits already."""
        return self._picture.fit(picture)

    def force_key_frame(self) -> None:
        """Make the next picture a key frame; the following ones come a GOP apart from it."""
        self._next_key_ns = None

    def encode(self, picture: av.VideoFrame, time_ns: int) -> list[EncodedPacket]:
        """Packets of a fitted picture, shown from `time_ns` on; empty when its time is not after the last's.

        Raises:
            EncoderUnavailable: It failed; it is of no more use.
        """
        ticks = ns_to_ticks(time_ns, MP4_TICKS_PER_S)
        if self._last_ticks is not None and ticks <= self._last_ticks:
            return []
        self._last_ticks = ticks
        is_key = self._next_key_ns is None or time_ns >= self._next_key_ns
        if is_key:
            self._next_key_ns = self._next_key_after(time_ns)
        picture.pts = ticks
        picture.time_base = _TIME_BASE
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        try:
            packets = [self._packet(packet) for packet in self._codec.encode(picture)]
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            raise EncoderUnavailable(f"{self.track.encoder} failed at a picture: {_why(exc)}") from exc
        self._num_held += 1 - len(packets)
        if self._num_held > MAX_HELD_PICTURES:
            raise EncoderUnavailable(
                f"{self.track.encoder} took {self._num_held} pictures and gave none of them back"
            )
        return packets

    def flush(self) -> list[EncodedPacket]:
        """What the encoder still holds, as far as it gives it; it takes no picture after this."""
        try:
            return [self._packet(packet) for packet in self._codec.encode(None)]
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, OSError) as exc:
            log.info("encoder_not_flushed", encoder=self.track.encoder, problem=_why(exc))
            return []

    def _next_key_after(self, time_ns: int) -> int:
        """Key frames keep to a grid of whole GOPs from the first, half a frame early for the pacer's jitter."""
        if self._next_key_ns is None:
            return time_ns + GOP_NS - self._frame_ns // 2
        missed = (time_ns - self._next_key_ns) // GOP_NS
        return self._next_key_ns + (missed + 1) * GOP_NS

    def _packet(self, packet: av.Packet[Any]) -> EncodedPacket:
        # No B-frames (the probe sees to it): DTS is PTS.
        pts_ns = ticks_to_ns(int(packet.pts or 0), MP4_TICKS_PER_S)
        return EncodedPacket(
            track=self._track_index,
            pts_ns=pts_ns,
            dts_ns=pts_ns,
            duration_ns=self._frame_ns,
            is_key_frame=packet.is_keyframe,
            payload=bytes(packet),
        )


def stamp_ns(time_ns: int) -> int:
    """The time that the packet of a picture of this time will bear: rounded to the encoder's clock."""
    return ticks_to_ns(ns_to_ticks(time_ns, MP4_TICKS_PER_S), MP4_TICKS_PER_S)


def _open(
    encoder: str, width_px: int, height_px: int, frame_rate: int, options: tuple[tuple[str, str], ...]
) -> av.VideoCodecContext:
    try:
        codec = av.CodecContext.create(encoder, "w")
        assert isinstance(codec, av.VideoCodecContext)
        codec.width = width_px
        codec.height = height_px
        codec.pix_fmt = pixel_format(encoder)
        codec.framerate = fractions.Fraction(frame_rate)
        codec.options = dict(options)
        codec.open()
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError, OSError, ValueError) as exc:
        raise EncoderUnavailable(f"cannot open {encoder} at {width_px}x{height_px}: {_why(exc)}") from exc
    if codec.options:
        # FFmpeg leaves here what it did not understand; the encoder works, but not quite as meant.
        log.info("encoder_options_unknown", encoder=encoder, options=sorted(codec.options))
    return codec


def _why(exc: Exception) -> str:
    """FFmpeg's reason, without the list of all options that PyAV adds."""
    return str(getattr(exc, "strerror", None) or exc)
