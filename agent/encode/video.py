"""From pictures to H.264: one GOP a second, no B-frames, every picture out as soon as it is in.

What the encoder was told stands in its `TrackParams.encoder_options`, the time base included: a codec context
of the same name, size and frame rate with these options gives the same SPS and PPS, so a smart cut's pictures
can be joined to ours. Owned by the `encode` thread.
"""

from __future__ import annotations

import fractions
from typing import Any

import av
import av.error
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from agent.encode.rate import bit_rate_bps
from agent.errors import EncoderUnavailable
from agent.model.media import EncodedPacket, TrackParams
from protos.timebase import MP4_TICKS_PER_S, SECOND_NS, ns_to_ticks, ticks_to_ns

GOP_NS = SECOND_NS
PIXEL_FORMAT = "yuv420p"
DEFAULT_ENCODER = "libx264"
_TIME_BASE = fractions.Fraction(1, MP4_TICKS_PER_S)
_NUM_THREADS = 2


class VideoEncoder:
    """One H.264 track.

    Args:
        width_px, height_px: of the track; even. A picture of another size is fitted in, with black beside it.
        frame_rate: of the pacer.
        bit_rate_bps: mean and ceiling over a second; 0 follows the number of pixels.
        encoder: FFmpeg's name.
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
        encoder: str = DEFAULT_ENCODER,
        track: int = 0,
    ) -> None:
        self._track_index = track
        self._frame_ns = SECOND_NS // frame_rate
        rate_bps = rate_bps or bit_rate_bps(width_px, height_px, frame_rate)
        options = encoder_options(encoder, frame_rate=frame_rate, rate_bps=rate_bps)
        self._codec = _open(encoder, width_px, height_px, frame_rate, options)
        self._picture = PictureFitter(width_px, height_px)
        self._next_key_ns: int | None = None
        self._last_ticks: int | None = None
        self.track = TrackParams(
            name="video",
            kind="video",
            codec="h264",
            extradata=bytes(self._codec.extradata or b""),
            bit_rate_bps=rate_bps,
            encoder=encoder,
            encoder_options=options,
            width_px=width_px,
            height_px=height_px,
            frame_rate=frame_rate,
        )

    def fit(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture in the track's size and pixel format; the same object where it fits already."""
        return self._picture.fit(picture)

    def encode(self, picture: av.VideoFrame, time_ns: int) -> list[EncodedPacket]:
        """Packets of a fitted picture, shown from `time_ns` on; empty when its time is not after the last's."""
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
            return [self._packet(packet) for packet in self._codec.encode(picture)]
        except av.error.FFmpegError as exc:
            raise EncoderUnavailable(
                f"{self.track.encoder} failed at a picture: {exc}; restart the engine"
            ) from exc

    def flush(self) -> list[EncodedPacket]:
        """What the encoder still holds; it takes no picture after this."""
        try:
            return [self._packet(packet) for packet in self._codec.encode(None)]
        except av.error.EOFError:
            return []

    def _next_key_after(self, time_ns: int) -> int:
        """Key frames keep to a grid of whole GOPs from the first, half a frame early for the pacer's jitter."""
        if self._next_key_ns is None:
            return time_ns + GOP_NS - self._frame_ns // 2
        missed = (time_ns - self._next_key_ns) // GOP_NS
        return self._next_key_ns + (missed + 1) * GOP_NS

    def _packet(self, packet: av.Packet[Any]) -> EncodedPacket:
        # Zero latency and no B-frames: DTS is PTS.
        pts_ns = ticks_to_ns(int(packet.pts or 0), MP4_TICKS_PER_S)
        return EncodedPacket(
            track=self._track_index,
            pts_ns=pts_ns,
            dts_ns=pts_ns,
            duration_ns=self._frame_ns,
            is_key_frame=packet.is_keyframe,
            payload=bytes(packet),
        )


class PictureFitter:
    """Converts pictures to limited-range BT.709 4:2:0 of one size. Used by one thread."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._width_px = width_px
        self._height_px = height_px
        self._reformatter = VideoReformatter()

    def fit(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture at our size, with black beside it where its shape differs."""
        if (picture.width, picture.height) == (self._width_px, self._height_px):
            return self._convert(picture, self._width_px, self._height_px)
        scale = min(self._width_px / picture.width, self._height_px / picture.height)
        width = min(self._width_px, max(2, round(picture.width * scale) & ~1))
        height = min(self._height_px, max(2, round(picture.height * scale) & ~1))
        inner = self._convert(picture, width, height)
        if (width, height) == (self._width_px, self._height_px):
            return inner
        return self._pad(inner)

    def _convert(self, picture: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        if picture.format.name == PIXEL_FORMAT and (picture.width, picture.height) == (width, height):
            return picture
        # threads=1: the default starts a pool, which costs more than it gains beside the encoder's own.
        return self._reformatter.reformat(
            picture,
            width=width,
            height=height,
            format=PIXEL_FORMAT,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.FAST_BILINEAR,
            threads=1,
        )

    def _pad(self, inner: av.VideoFrame) -> av.VideoFrame:
        width, height = self._width_px, self._height_px
        left = (width - inner.width) // 4 * 2
        top = (height - inner.height) // 4 * 2
        source = inner.to_ndarray()
        planes = []
        offset = 0
        for divisor, black in ((1, 16), (2, 128), (2, 128)):
            size = (inner.height // divisor, inner.width // divisor)
            plane = np.full((height // divisor, width // divisor), black, np.uint8)
            part = source.reshape(-1)[offset : offset + size[0] * size[1]].reshape(size)
            plane[top // divisor : top // divisor + size[0], left // divisor : left // divisor + size[1]] = (
                part
            )
            offset += size[0] * size[1]
            planes.append(plane.reshape(-1))
        return av.VideoFrame.from_ndarray(np.concatenate(planes).reshape(-1, width), format=PIXEL_FORMAT)


def encoder_options(encoder: str, *, frame_rate: int, rate_bps: int) -> tuple[tuple[str, str], ...]:
    """Every option of an encoder; with the size and the frame rate they make the same stream again."""
    options = {
        "time_base": f"1/{MP4_TICKS_PER_S}",
        "b": str(rate_bps),
        "maxrate": str(rate_bps),
        "bufsize": str(rate_bps),
        # Key frames are forced by time; this is only what happens if nobody forces one.
        "g": str(frame_rate * 4),
        "bf": "0",
        "flags": "+global_header",
        "colorspace": "bt709",
        "color_primaries": "bt709",
        "color_trc": "bt709",
        "color_range": "tv",
    }
    if encoder == "libx264":
        options |= {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "threads": str(_NUM_THREADS),
            "sc_threshold": "0",
            "forced-idr": "1",
        }
    return tuple(options.items())


def _open(
    encoder: str, width_px: int, height_px: int, frame_rate: int, options: tuple[tuple[str, str], ...]
) -> av.VideoCodecContext:
    try:
        codec = av.CodecContext.create(encoder, "w")
        assert isinstance(codec, av.VideoCodecContext)
        codec.width = width_px
        codec.height = height_px
        codec.pix_fmt = PIXEL_FORMAT
        codec.framerate = fractions.Fraction(frame_rate)
        codec.options = dict(options)
        codec.open()
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError, ValueError) as exc:
        raise EncoderUnavailable(
            f"cannot open {encoder} at {width_px}x{height_px}: {exc}; leave encode settings at their defaults"
        ) from exc
    return codec
