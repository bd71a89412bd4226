"""Decoding pictures and encoding them again exactly as the recording was, header included."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import msgspec
import structlog
from av.codec.context import Flags

from agent.errors import EncoderUnavailable, NothingToClip
from agent.model.media import EncodedPacket, TrackParams

log = structlog.get_logger()


class PictureDecoder:
    """Packets of one track in, (packet, picture) pairs out, in the order shown."""

    def __init__(self, track: TrackParams) -> None:
        self._context: Any = av.CodecContext.create(track.decoder, "r")
        self._context.extradata = track.extradata
        self._by_number: dict[int, EncodedPacket] = {}
        self._num_packets = 0

    def decode(self, packet: EncodedPacket | None) -> Iterator[tuple[EncodedPacket, Any]]:
        """Decode one packet; None flushes.

        Raises:
            NothingToClip: The packet is damaged.
        """
        item = None
        if packet is not None:
            item = av.Packet(packet.payload)
            item.pts = item.dts = self._num_packets
            self._by_number[self._num_packets] = packet
            self._num_packets += 1
        try:
            for picture in self._context.decode(item):
                yield self._by_number.pop(picture.pts), picture
        except av.FFmpegError as exc:
            raise NothingToClip(f"a picture of the buffer cannot be decoded: {exc}") from exc


class PictureEncoder:
    """Pictures in, packets out; the stamps of a packet are those of the packet its picture came from."""

    def __init__(self, context: Any, track_number: int, frame_rate: int) -> None:
        self._context = context
        self._track_number = track_number
        self._ticks_per_picture = max(1, round(1 / (context.time_base * frame_rate)))
        self._by_pts: dict[int, EncodedPacket] = {}
        self._num_pictures = 0

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec that comes out."""
        return str(self._context.codec.canonical_name)

    @property
    def extradata(self) -> bytes:
        """The header of what comes out."""
        return self._context.extradata or b""

    def encode(self, source: EncodedPacket | None, picture: Any) -> Iterator[EncodedPacket]:
        """Encode one picture; (None, None) flushes."""
        if picture is not None:
            assert source is not None
            # The decoder's verdict (I, P) would force the encoder's.
            picture.pict_type = 0
            picture.pts = self._num_pictures * self._ticks_per_picture
            picture.time_base = self._context.time_base
            self._by_pts[picture.pts] = source
            self._num_pictures += 1
        for item in self._context.encode(picture):
            origin = self._by_pts.pop(item.pts)
            yield msgspec.structs.replace(
                origin,
                track=self._track_number,
                dts_ns=origin.pts_ns,
                is_key_frame=item.is_keyframe,
                payload=bytes(item),
            )


def open_same_encoder(track: TrackParams, track_number: int, picture: Any) -> PictureEncoder | None:
    """An encoder whose header is byte for byte the recording's, so that its pictures can precede it; or None.

    x264 writes its time base into the header; where the options do not say it, the usual ones are tried.
    """
    options = dict(track.encoder_options)
    rates = (track.frame_rate, 90_000, 1_000_000, 1_000_000_000, 1000)
    for ticks_per_s in rates[:1] if "time_base" in options else rates:
        try:
            context = _open(track, track.encoder, options, ticks_per_s, picture)
        except (ValueError, av.FFmpegError) as exc:
            log.info("same_encoder_not_opened", encoder=track.encoder, reason=str(exc))
            return None
        found = PictureEncoder(context, track_number, track.frame_rate)
        if found.extradata == track.extradata:
            return found
    return None


def open_any_encoder(track: TrackParams, track_number: int, picture: Any) -> PictureEncoder:
    """The recording's encoder, or else x264 at the same bit rate.

    Raises:
        EncoderUnavailable: Neither can be opened.
    """
    choices = [(track.encoder, dict(track.encoder_options)), ("libx264", {"preset": "superfast", "bf": "0"})]
    reasons = []
    for name, options in choices:
        try:
            context = _open(track, name, options, track.frame_rate, picture)
            return PictureEncoder(context, track_number, track.frame_rate)
        except (ValueError, av.FFmpegError) as exc:
            reasons.append(f"{name}: {exc}")
    raise EncoderUnavailable(f"no encoder for an exact clip opens ({'; '.join(reasons)})")


def _open(track: TrackParams, name: str, options: dict[str, str], ticks_per_s: int, picture: Any) -> Any:
    context: Any = av.CodecContext.create(name, "w")
    context.width, context.height = track.width_px, track.height_px
    context.pix_fmt = picture.format.name
    context.framerate = Fraction(track.frame_rate)
    context.time_base = Fraction(1, ticks_per_s)
    context.bit_rate = track.bit_rate_bps
    context.gop_size = track.frame_rate
    context.max_b_frames = 0
    context.color_range = picture.color_range
    context.colorspace = picture.colorspace
    context.color_primaries = picture.color_primaries
    context.color_trc = picture.color_trc
    context.flags |= Flags.global_header
    # Last, so that what the recording's encoder was told (its time base too) has the final word.
    context.options = options
    context.open()
    return context
