"""Can an encoder be used here? Listed is not usable: one that is listed may lack its device or driver.

So it is opened and made to encode two pictures.
"""

from __future__ import annotations

import av
import numpy as np
import structlog

from agent.encode.video import DEFAULT_ENCODER, VideoEncoder
from agent.errors import EncoderUnavailable
from protos.timebase import SECOND_NS

log = structlog.get_logger()
# Best first. Hardware encoders join here once they have been run on their hardware.
CANDIDATES = (DEFAULT_ENCODER,)
_WIDTH_PX, _HEIGHT_PX, _FRAME_RATE = 640, 360, 30


def probe_encoder(encoder: str) -> None:
    """Return quietly when `encoder` gives packets for two pictures of 640x360.

    Raises:
        EncoderUnavailable: It does not; carries the reason.
    """
    video = VideoEncoder(width_px=_WIDTH_PX, height_px=_HEIGHT_PX, frame_rate=_FRAME_RATE, encoder=encoder)
    packets = []
    for index in range(2):
        planes = np.full((_HEIGHT_PX * 3 // 2, _WIDTH_PX), 64 + index, np.uint8)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        packets += video.encode(picture, index * SECOND_NS // _FRAME_RATE)
    packets += video.flush()
    if len(packets) != 2 or not packets[0].is_key_frame or not video.track.extradata:
        raise EncoderUnavailable(
            f"{encoder} gave {len(packets)} packets for 2 pictures; use {DEFAULT_ENCODER}"
        )


def choose_encoder(candidates: tuple[str, ...] = CANDIDATES) -> str:
    """The first candidate that passes its probe.

    Raises:
        EncoderUnavailable: None does; names each with its reason.
    """
    reasons = []
    for encoder in candidates:
        try:
            probe_encoder(encoder)
        except EncoderUnavailable as exc:
            reasons.append(str(exc))
            continue
        log.info("encoder_chosen", encoder=encoder)
        return encoder
    raise EncoderUnavailable(f"no video encoder works here: {'; '.join(reasons)}")
