"""The thread between the raw-frame queue and the ring: fit, encode, hand on. Owns the video encoder."""

from __future__ import annotations

import time
from collections.abc import Callable

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from agent.encode.video import VideoEncoder
from agent.model.media import CapturedFrame, EncodedPacket
from agent.worker import OnProblem, Worker, ignore_problem

SMALL_WIDTH_PX, SMALL_HEIGHT_PX = 160, 90
_SMALL_RATE_HZ = 4
_GET_TIMEOUT_S = 0.25
_DRAIN_S = 1.0
SmallPicture = npt.NDArray[np.uint8]


class EncodeWorker(Worker):
    """Thread `encode`.

    Args:
        take_frame: the oldest queued frame, waiting at most that many seconds; None when there is none.
        encoder: owned by this thread from here on.
        to_session_ns: monotonic to session time.
        on_packet: gets every packet, in this thread; returns at once.
        on_small_picture: gets (session time, uint8 brightness of shape (90, 160)) about 4 times a second.
    """

    def __init__(
        self,
        take_frame: Callable[[float], CapturedFrame | None],
        encoder: VideoEncoder,
        *,
        to_session_ns: Callable[[int], int],
        on_packet: Callable[[EncodedPacket], object],
        on_small_picture: Callable[[int, SmallPicture], None] | None = None,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        super().__init__("encode", on_problem=on_problem)
        self._take_frame = take_frame
        self._encoder = encoder
        self._to_session_ns = to_session_ns
        self._on_packet = on_packet
        self._on_small_picture = on_small_picture
        self._small = VideoReformatter()
        self._small_every = max(1, round(encoder.track.frame_rate / _SMALL_RATE_HZ))
        self.num_encoded = 0
        self.num_bytes = 0

    def step(self) -> None:
        """Encode one frame. # 30 fps: 33 ms a turn; measured 8-10 ms at 1080p on one old core."""
        frame = self._take_frame(_GET_TIMEOUT_S)
        if frame is not None:
            self._encode(frame)

    def tear_down(self) -> None:
        """Encode what is queued, within a second, then what the encoder holds."""
        ends = time.monotonic() + _DRAIN_S
        while time.monotonic() < ends and (frame := self._take_frame(0)) is not None:
            self._encode(frame)
        self._hand_on(self._encoder.flush())

    def _encode(self, frame: CapturedFrame) -> None:
        time_ns = self._to_session_ns(frame.monotonic_ns)
        picture = self._encoder.fit(frame.picture)
        self._hand_on(self._encoder.encode(picture, time_ns))
        if self._on_small_picture is not None and self.num_encoded % self._small_every == 0:
            self._on_small_picture(time_ns, self._shrink(picture))
        self.num_encoded += 1

    def _hand_on(self, packets: list[EncodedPacket]) -> None:
        for packet in packets:
            self.num_bytes += len(packet.payload)
            self._on_packet(packet)

    def _shrink(self, picture: av.VideoFrame) -> SmallPicture:
        small = self._small.reformat(
            picture,
            width=SMALL_WIDTH_PX,
            height=SMALL_HEIGHT_PX,
            format="gray",
            interpolation=Interpolation.FAST_BILINEAR,
            threads=1,
        )
        return np.asarray(small.to_ndarray(), np.uint8)
