"""One stream of pictures through encoders that come and go: each of them, and each gap, is an epoch.

An epoch begins with a key frame, and is told before its first packet. Owned by the `encode` thread; `request_epoch`
may be called from any, `fit_ahead` from one other.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable

import av
import structlog

from agent.encode.choose import Encoders
from agent.encode.quality import MIN_SIDE_PX, Plan, Shape, shape_of
from agent.encode.video import VideoEncoder, stamp_ns
from agent.errors import EncoderUnavailable
from agent.model.media import EncodedPacket, EpochReason, TrackParams
from protos.timebase import SECOND_NS

log = structlog.get_logger()

# A hole in the picture of more than this is no lost frame: a clip does not run across it.
MAX_GAP_NS = 2 * SECOND_NS
# A window that is being dragged has another size in every picture: meanwhile it is squeezed into the last one's.
MIN_SIZE_EPOCH_NS = SECOND_NS
OnEpoch = Callable[[TrackParams, int, EpochReason], object]


def ignore_epoch(_track: TrackParams, _start_ns: int, _reason: EpochReason) -> None:
    """For a stream whose epochs nobody keeps apart."""


class PictureStream:
    """Pictures in, packets and epochs out.

    Args:
        encoders: owned by this stream from here on.
        plan: how pictures are made; may be set at any time by the owner, and holds from the next picture on.
        width_px, height_px: of the source, as it is now: the first encoder is opened for it.
        rate_bps: 0 follows the number of pixels.
        gap_reason: why there was no picture since that session time, asked at the first one after a gap.
        on_epoch: gets (track, start on the session's line, reason) before the first packet of every epoch but the
            first, whose track is known before there is a picture.
        on_packet: gets every packet.

    Attributes:
        track: of the newest epoch; any thread.
        source_size: of the newest picture before it was fitted; any thread.

    Raises:
        EncoderUnavailable: No encoder opens.
    """

    def __init__(
        self,
        encoders: Encoders,
        *,
        plan: Plan,
        width_px: int,
        height_px: int,
        rate_bps: int,
        gap_reason: Callable[[int], EpochReason],
        on_epoch: OnEpoch,
        on_packet: Callable[[EncodedPacket], object],
    ) -> None:
        self.plan = plan
        self.source_size = (width_px, height_px)
        self.num_bytes = 0
        self._encoders = encoders
        self._rate_bps = rate_bps
        self._gap_reason = gap_reason
        self._on_epoch = on_epoch
        self._on_packet = on_packet
        self._requested: collections.deque[EpochReason] = collections.deque(maxlen=1)
        self._last_ns: int | None = None
        self._resized_ns: int | None = None
        self._shape = shape_of(plan, width_px, height_px)  # what the encoder was opened for
        self._encoder: VideoEncoder = encoders.open(self._shape, rate_bps=rate_bps)
        self._ahead = self._encoder.new_fitter()

    @property
    def track(self) -> TrackParams:
        """What a muxer must know of the newest epoch. Any thread."""
        return self._encoder.track

    @property
    def encoder_reason(self) -> str:
        """Why the encoder is not the one that was wished for; empty when it is. Any thread."""
        return self._encoders.reason

    def request_epoch(self, reason: EpochReason) -> None:
        """Begin an epoch with the next picture. Any thread; of two requests at once the later one counts."""
        self._requested.append(reason)

    def fit_ahead(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture in the encoder's pixel format where it has its size already, else as it is.

        For the thread that grabs: what waits to be encoded then takes 3 MB a frame at 1080p instead of 8, and the
        screen's own memory is free for the next grab.
        """
        ahead = self._ahead
        return ahead.fit(picture) if (picture.width, picture.height) == ahead.size_px else picture

    def encode(self, picture: av.VideoFrame, time_ns: int) -> av.VideoFrame | None:
        """Encode a picture shown from `time_ns` on; returns it as it was fitted, None where it was left out.

        Left out are a picture that is not after the last one, and one too small for any encoder.

        Raises:
            EncoderUnavailable: Not even x264 takes it.
        """
        start_ns = stamp_ns(time_ns)
        is_late = self._last_ns is not None and start_ns <= self._last_ns
        if is_late or min(picture.width, picture.height) < MIN_SIDE_PX:
            return None
        self.source_size = (picture.width, picture.height)
        shape = self._wanted(picture, start_ns)
        reason = self._reason(shape, start_ns)
        self._last_ns = start_ns
        if reason is not None:
            self._begin(shape, start_ns, reason)
        while True:
            fitted = self._encoder.fit(picture)
            try:
                self._hand_on(self._encoder.encode(fitted, time_ns))
            except EncoderUnavailable as exc:
                if not self._encoders.give_up(str(exc)):
                    raise
                self._open(start_ns, "encoder")
                continue
            return fitted

    def flush(self) -> None:
        """Hand on what the encoder still holds; it takes no picture after this."""
        self._hand_on(self._encoder.flush())

    def _wanted(self, picture: av.VideoFrame, start_ns: int) -> Shape:
        """What this picture is encoded as: as its size and the plan say, but no other size twice within a second."""
        shape = shape_of(self.plan, picture.width, picture.height)
        if self._resized_ns is not None and start_ns - self._resized_ns < MIN_SIZE_EPOCH_NS:
            return dataclasses.replace(shape, width_px=self._shape.width_px, height_px=self._shape.height_px)
        return shape

    def _reason(self, shape: Shape, start_ns: int) -> EpochReason | None:
        """Why an epoch begins with the picture of this time; None: it goes on."""
        if self._requested:
            return self._requested.pop()
        if (shape.width_px, shape.height_px) != (self._shape.width_px, self._shape.height_px):
            return "size"
        if shape != self._shape:
            return "encoder"  # another frame rate or preset: the encoder is told anew
        if self._last_ns is not None and start_ns - self._last_ns > MAX_GAP_NS:
            return self._gap_reason(self._last_ns)
        return None

    def _begin(self, shape: Shape, start_ns: int, reason: EpochReason) -> None:
        if shape == self._shape:
            self._encoder.force_key_frame()
            self._announce(start_ns, reason)
            return
        self._hand_on(self._encoder.flush())
        if (shape.width_px, shape.height_px) != (self._shape.width_px, self._shape.height_px):
            self._resized_ns = start_ns
        self._shape = shape
        self._open(start_ns, reason)

    def _open(self, start_ns: int, reason: EpochReason) -> None:
        self._encoder = self._encoders.open(self._shape, rate_bps=self._rate_bps)
        self._ahead = self._encoder.new_fitter()
        self._announce(start_ns, reason)

    def _announce(self, start_ns: int, reason: EpochReason) -> None:
        track = self._encoder.track
        log.info(
            "picture_epoch_began",
            reason=reason,
            encoder=track.encoder,
            size=f"{track.width_px}x{track.height_px}",
            frame_rate=track.frame_rate,
        )
        self._on_epoch(track, start_ns, reason)

    def _hand_on(self, packets: list[EncodedPacket]) -> None:
        for packet in packets:
            self.num_bytes += len(packet.payload)
            self._on_packet(packet)
