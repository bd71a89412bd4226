"""The thread between the raw-frame queue and the ring: fit, encode, hand on. Owns encoders, ladder and proxy."""

from __future__ import annotations

import time
from collections.abc import Callable

import av
import numpy as np
import numpy.typing as npt
import structlog
from av.video.reformatter import Interpolation, VideoReformatter

from agent.encode.proxy import PROXY_FRAME_RATE, ProxyChunker, is_proxy_possible
from agent.encode.stepping import Stepper
from agent.encode.stream import PictureStream
from agent.errors import EncoderUnavailable
from agent.model.media import CapturedFrame
from agent.worker import OnProblem, Worker, ignore_problem

log = structlog.get_logger()

SMALL_WIDTH_PX, SMALL_HEIGHT_PX = 160, 90
_SMALL_RATE_HZ = 4
_GET_TIMEOUT_S = 0.25
_DRAIN_S = 1.0
SmallPicture = npt.NDArray[np.uint8]


class EncodeWorker(Worker):
    """Thread `encode`.

    Args:
        take_frame: the oldest queued frame, waiting at most that many seconds; None when there is none.
        stream: owned by this thread from here on.
        stepper: owned by this thread; None: the stream's plan stays as it is.
        proxy: made of every k-th picture while the plan has it; None: never.
        to_session_ns: monotonic to session time.
        monotonic_ns: now.
        on_small_picture: gets (session time, uint8 brightness of shape (90, 160)) about 4 times a second.

    Attributes:
        is_on_battery: no proxy meanwhile; set by any thread.
        is_leaving: False: nothing leaves this PC, and no proxy is made; set by any thread.
        proxy_bound_bps: what the proxy may take of the line; None: what it needs; set by any thread.
    """

    def __init__(
        self,
        take_frame: Callable[[float], CapturedFrame | None],
        stream: PictureStream,
        *,
        to_session_ns: Callable[[int], int],
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        stepper: Stepper | None = None,
        proxy: ProxyChunker | None = None,
        on_small_picture: Callable[[int, SmallPicture], None] | None = None,
        on_problem: OnProblem = ignore_problem,
    ) -> None:
        super().__init__("encode", on_problem=on_problem)
        self._take_frame = take_frame
        self._stream = stream
        self._to_session_ns = to_session_ns
        self._monotonic_ns = monotonic_ns
        self._stepper = stepper
        self._proxy = proxy
        self._was_proxy_on = False
        self._on_small_picture = on_small_picture
        self._small = VideoReformatter()
        self.is_on_battery = False
        self.is_leaving = True
        self.proxy_bound_bps: int | None = None
        self.num_encoded = 0

    @property
    def is_proxy_on(self) -> bool:
        """Is the proxy being made? Any thread."""
        is_possible = self._proxy is not None and self._stream.plan.has_proxy
        is_wanted = self.is_leaving and not self.is_on_battery
        return is_possible and is_wanted and is_proxy_possible(self.proxy_bound_bps)

    def step(self) -> None:
        """Encode one frame. # 30 fps: 33 ms a turn; measured 8-10 ms at 1080p on one old core."""
        if self._stepper is not None:
            self._stream.plan = self._stepper.look(self._monotonic_ns(), self._stream.source_size)
        frame = self._take_frame(_GET_TIMEOUT_S)
        if frame is not None:
            self._encode(frame)

    def tear_down(self) -> None:
        """Encode what is queued, within a second, then what the encoder holds, and finish the proxy's chunk."""
        ends = time.monotonic() + _DRAIN_S
        while time.monotonic() < ends and (frame := self._take_frame(0)) is not None:
            self._encode(frame)
        self._stream.flush()
        if self._was_proxy_on and self._proxy is not None:
            self._proxy.flush()

    def _encode(self, frame: CapturedFrame) -> None:
        time_ns = self._to_session_ns(frame.monotonic_ns)
        picture = self._stream.encode(frame.picture, time_ns)
        if picture is None:
            return
        frame_rate = self._stream.track.frame_rate
        if self._on_small_picture is not None and self.num_encoded % _every(frame_rate, _SMALL_RATE_HZ) == 0:
            self._on_small_picture(time_ns, self._shrink(picture))
        if self._proxy is not None and self.num_encoded % _every(frame_rate, PROXY_FRAME_RATE) == 0:
            self._feed_proxy(self._proxy, picture, time_ns)
        self.num_encoded += 1

    def _feed_proxy(self, proxy: ProxyChunker, picture: av.VideoFrame, time_ns: int) -> None:
        was_on, self._was_proxy_on = self._was_proxy_on, self.is_proxy_on
        try:
            if self._was_proxy_on:
                proxy.feed(
                    picture,
                    time_ns,
                    track_rate_bps=self._stream.track.bit_rate_bps,
                    bound_bps=self.proxy_bound_bps,
                )
            elif was_on:
                proxy.flush()
        except EncoderUnavailable as exc:
            # The recording does not depend on it.
            log.warning("proxy_given_up", problem=str(exc))
            self._proxy = None
            self._was_proxy_on = False

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


def _every(frame_rate: int, rate_hz: int) -> int:
    """Every how manyth picture makes about so many a second."""
    return max(1, round(frame_rate / rate_hz))
