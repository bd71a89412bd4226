"""What a stream copy cannot take over of an H.264 part: its first pictures, and at times its last.

They are encoded once more, so that they stand in the same track as the copied rest: with parameter sets of their
own number in the common header, without B pictures, at the times they had.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from coordinator.media.intake.decoding import pictures
from coordinator.media.output.avc import (
    PPS,
    PROFILES,
    SPS,
    AvcHeader,
    kind_of,
    set_id,
    units_by_start_code,
    with_lengths,
)
from coordinator.media.output.cut_plan import Slot

CRF = 17.0
_FORMATS = ("yuv420p", "yuvj420p")


class CannotJoin(Exception):
    """These pictures cannot stand in one track with the others: encode all of them."""


class PartEncoder:
    """Encodes pictures like those of a track. One for each stretch; the parameter sets of all are the same."""

    def __init__(self, stream: VideoStream, header: AvcHeader) -> None:
        """Take the track's shape, colours, profile and level.

        Raises:
            CannotJoin: x264 does not write such pictures, or the header has no number left.
        """
        like = stream.codec_context
        number = header.free_id()
        if header.profile not in PROFILES or like.pix_fmt not in _FORMATS or number is None:
            raise CannotJoin(f"profile {header.profile}, {like.pix_fmt}")
        if like.width % 2 or like.height % 2 or stream.time_base is None:
            raise CannotJoin(f"{like.width}x{like.height}")
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = like.width, like.height, like.pix_fmt
        context.time_base = stream.time_base
        context.framerate = stream.average_rate or Fraction(30)
        context.sample_aspect_ratio = stream.sample_aspect_ratio or Fraction(1)
        context.color_range, context.colorspace = like.color_range, like.colorspace
        context.color_primaries, context.color_trc = like.color_primaries, like.color_trc
        context.max_b_frames = 0
        context.gop_size = 1 << 20
        context.flags |= Flags.global_header
        context.options = {
            "preset": "veryfast",
            "crf": f"{CRF:g}",
            "profile": PROFILES[header.profile],
            "level": f"{header.level / 10:.1f}",
            "x264-params": f"sps-id={number}",
        }
        try:
            context.open()
        except (av.FFmpegError, ValueError) as exc:
            raise CannotJoin(str(exc)) from exc
        self._context = context
        self._header = header
        # What the track's header must say to hold both.
        self.joined_header = _joined(header, context.extradata or b"", number)

    def encode(self, frames: Iterator[VideoFrame], slots: Sequence[Slot]) -> Iterator[av.Packet[Any]]:
        """Encode frames, each into the slot of its number; packets come in the order of decoding, which is theirs.

        Raises:
            CannotJoin: There are more or fewer frames than slots, or a frame is interlaced.
        """
        num_encoded = 0
        for packet in self._packets(frames):
            if num_encoded >= len(slots):
                raise CannotJoin(f"more than {len(slots)} pictures were decoded")
            slot = slots[num_encoded]
            num_encoded += 1
            units = units_by_start_code(bytes(packet))
            made = av.Packet(with_lengths(units, self._header.length_bytes))
            made.pts, made.dts, made.duration = slot.pts, slot.dts, slot.duration
            made.time_base = self._context.time_base
            made.is_keyframe = packet.is_keyframe
            yield made
        if num_encoded != len(slots):
            raise CannotJoin(f"{num_encoded} of {len(slots)} pictures were decoded")

    def _packets(self, frames: Iterator[VideoFrame]) -> Iterator[av.Packet[Any]]:
        for frame in frames:
            if frame.interlaced_frame or frame.format.name not in _FORMATS:
                raise CannotJoin("an interlaced picture")
            # The decoder's verdict (I, P) would force the encoder's.
            frame.pict_type = PictureType.NONE
            yield from self._context.encode(frame)
        yield from self._context.encode(None)


def _joined(header: AvcHeader, extradata: bytes, number: int) -> AvcHeader:
    units = units_by_start_code(extradata)
    sps = [unit for unit in units if kind_of(unit) == SPS]
    pps = [unit for unit in units if kind_of(unit) == PPS]
    if not sps or not pps or any(set_id(unit) != number for unit in (*sps, *pps)):
        raise CannotJoin("the encoder did not take the number of its parameter sets")
    return header.with_sets(sps, pps)


def frames_between(
    path: Path, *, zero_s: float, first: int, end: int, time_base: Fraction
) -> Iterator[VideoFrame]:
    """Decode the pictures with `first` <= PTS < `end` (ticks of the track); `zero_s`: where the file begins."""
    for _, frame in pictures(path, start_s=max(0.0, float(first * time_base) - zero_s)):
        if frame.pts is None or frame.pts >= end:
            return
        if frame.pts >= first:
            yield frame
