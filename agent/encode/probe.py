"""Can an encoder be used here? Listed is not usable: one that is listed may lack its device or driver.

So it is opened and made to encode four pictures: three that follow at once, the third of them forced to be a key
frame, then what it held back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import av
import av.logging
import numpy as np

from agent.encode.fitter import PictureFitter
from agent.encode.options import pixel_format
from agent.encode.video import VideoEncoder
from agent.errors import EncoderUnavailable
from agent.model.media import EncodedPacket
from protos.timebase import SECOND_NS

_WIDTH_PX, _HEIGHT_PX, _FRAME_RATE = 640, 360, 30
_NUM_PICTURES = 4
_FORCED = 2
OpenEncoder = Callable[..., VideoEncoder]


def probe_encoder(encoder: str, *, open_encoder: OpenEncoder = VideoEncoder) -> None:
    """Return quietly when `encoder` can be recorded with: packets in order, key frames where forced, a header.

    For the composition root's thread, before others work with FFmpeg: its messages are listened to meanwhile.

    Raises:
        EncoderUnavailable: It cannot; carries the reason.
    """
    with _listening() as messages:
        try:
            problem = _try(encoder, open_encoder)
        except EncoderUnavailable as exc:
            # The first thing that went wrong ("Cannot load libcuda.so.1") says more than the last ("not permitted").
            detail = messages[0][2].strip() if messages else str(exc)
            raise EncoderUnavailable(f"{encoder}: {detail}") from exc
    if problem:
        raise EncoderUnavailable(f"{encoder} {problem}")


@contextlib.contextmanager
def _listening() -> Iterator[list[tuple[int, str, str]]]:
    """FFmpeg's errors of this thread, as (level, who, message)."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as messages:
            yield messages
    finally:
        av.logging.set_level(before)


def _try(encoder: str, open_encoder: OpenEncoder) -> str:
    video = open_encoder(width_px=_WIDTH_PX, height_px=_HEIGHT_PX, frame_rate=_FRAME_RATE, encoder=encoder)
    fitter = PictureFitter(_WIDTH_PX, _HEIGHT_PX, pixel_format(encoder))
    packets = []
    for index in range(_NUM_PICTURES):
        planes = np.full((_HEIGHT_PX * 3 // 2, _WIDTH_PX), 64 + index, np.uint8)
        picture = fitter.fit(av.VideoFrame.from_ndarray(planes, format="yuv420p"))
        if index == _FORCED:
            video.force_key_frame()
        packets += video.encode(picture, index * SECOND_NS // _FRAME_RATE)
    packets += video.flush()
    return _problem(packets, video.track.extradata)


def _problem(packets: list[EncodedPacket], extradata: bytes) -> str:
    """What is wrong with what came out; empty: nothing."""
    times_ns = [packet.pts_ns for packet in packets]
    keys = [index for index, packet in enumerate(packets) if packet.is_key_frame]
    if len(packets) != _NUM_PICTURES:
        return f"gave {len(packets)} packets for {_NUM_PICTURES} pictures"
    if times_ns != sorted(times_ns):
        return "gives pictures in another order (B-frames)"
    if keys != [0, _FORCED]:
        return f"made pictures {keys} key frames, not 0 and {_FORCED} as it was told"
    if not extradata:
        return "gives no codec header, so no file can be made of what it encodes"
    return ""
