"""Decodes as little of the newest GOPs as answers the question. Used by the `self-test` thread.

Light: each key frame, and one picture that depends on the first. Deep: every picture; made small are those after
which something changed most, so that a flash of a tenth of a second is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import av.error
from av.video.reformatter import VideoReformatter

from agent.errors import InputUnusable
from agent.health.pictures import SmallPicture, shrink
from agent.model.media import EncodedPacket, TrackParams

# A picture that appears and goes makes two large packets; a third is to spare.
_NUM_LARGEST = 3


def decode_light(packets: Sequence[EncodedPacket], track: TrackParams) -> list[SmallPicture]:
    """The key frames among a track's packets, and the picture after the first; oldest first.

    Raises:
        InputUnusable: They cannot be decoded; says how.
    """
    starts = [number for number, packet in enumerate(packets) if packet.is_key_frame]
    wanted = {*starts, *(number + 1 for number in starts[:1])}
    return _decode([packet for number, packet in enumerate(packets) if number in wanted], track)


def decode_deep(packets: Sequence[EncodedPacket], track: TrackParams) -> list[SmallPicture]:
    """Key frames, the pictures after the greatest changes, and the last; every packet is decoded.

    Raises:
        InputUnusable: They cannot be decoded; says how.
    """
    changes = [number for number, packet in enumerate(packets) if not packet.is_key_frame]
    changes.sort(key=lambda number: len(packets[number].payload), reverse=True)
    keys = {number for number, packet in enumerate(packets) if packet.is_key_frame}
    num_gops = max(1, len(keys))
    return _decode(packets, track, shown={*keys, *changes[: _NUM_LARGEST * num_gops], len(packets) - 1})


def _decode(
    packets: Sequence[EncodedPacket], track: TrackParams, *, shown: set[int] | None = None
) -> list[SmallPicture]:
    reformatter = VideoReformatter()
    into_px = (track.width_px, track.height_px)
    return [
        shrink(picture, into_px=into_px, reformatter=reformatter)
        for number, picture in enumerate(_pictures(packets, track))
        if shown is None or number in shown
    ]


def _pictures(packets: Sequence[EncodedPacket], track: TrackParams) -> Iterator[av.VideoFrame]:
    """As many pictures as packets: ours have no B-frames, so they come in the same order."""
    num_pictures = 0
    try:
        decoder = av.CodecContext.create(track.codec, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.extradata = track.extradata
        decoder.thread_count = 1
        for payload in [*(packet.payload for packet in packets), None]:
            for picture in decoder.decode(None if payload is None else av.Packet(payload)):
                num_pictures += 1
                yield picture
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError) as exc:
        raise InputUnusable(f"{track.codec} at {track.width_px}x{track.height_px}: {exc}") from exc
    if packets and not num_pictures:
        raise InputUnusable(f"{track.codec}: no picture came of {len(packets)} packets")
