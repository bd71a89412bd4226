"""From samples to AAC packets for the ring, and to self-contained Ogg/Opus chunks for the uplink.

Times are counted in samples of the session's line, so they never drift from one another. Owned by the `audio`
thread.
"""

from __future__ import annotations

import fractions
import io
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt

from agent.encode.pause import PauseFinder
from agent.errors import EncoderUnavailable
from agent.model.media import SOUND_RATE_HZ, EncodedPacket, LaneChunk, LaneName, TrackName, TrackParams
from protos.timebase import SECOND_NS, ns_to_ticks, ticks_to_ns

AAC_FRAME_SAMPLES = 1024
OPUS_CONTENT_TYPE = "audio/ogg; codecs=opus"
_TIME_BASE = fractions.Fraction(1, SOUND_RATE_HZ)
Stereo = npt.NDArray[np.float32]
Mono = npt.NDArray[np.float32]


class AacEncoder:
    """One stereo AAC track.

    Args:
        name: of the track.
        track: its index in the epoch.
        rate_bps: its bit rate.

    Raises:
        EncoderUnavailable: FFmpeg has no AAC encoder.
    """

    def __init__(self, name: TrackName, *, track: int, rate_bps: int) -> None:
        # The fast coder: 0.019 CPU s per s against 0.027, and no difference to be heard at 128k and more.
        options = (("b", str(rate_bps)), ("flags", "+global_header"), ("aac_coder", "fast"))
        try:
            codec = av.CodecContext.create("aac", "w")
            assert isinstance(codec, av.AudioCodecContext)
            codec.sample_rate = SOUND_RATE_HZ
            codec.layout = "stereo"
            codec.format = "fltp"
            codec.time_base = _TIME_BASE
            codec.options = dict(options)
            codec.open()
        except (av.error.FFmpegError, av.codec.codec.UnknownCodecError, ValueError) as exc:
            raise EncoderUnavailable(f"cannot open the AAC encoder: {exc}; reinstall PyAV") from exc
        self._codec = codec
        self._track_index = track
        self.track = TrackParams(
            name=name,
            kind="audio",
            codec="aac",
            extradata=bytes(codec.extradata or b""),
            bit_rate_bps=rate_bps,
            encoder="aac",
            encoder_options=options,
            sample_rate_hz=SOUND_RATE_HZ,
            channels=2,
        )

    def encode(self, start: int, samples: Stereo) -> list[EncodedPacket]:
        """Packets of 1024 samples that begin at sample `start` of the session's line.

        The encoder runs 1024 samples behind: its first packet, which only primes a decoder, comes stamped
        that much before the first sample, and is left out where that is before the session.
        """
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate = SOUND_RATE_HZ
        frame.time_base = _TIME_BASE
        frame.pts = start
        return [self._packet(packet) for packet in self._codec.encode(frame) if int(packet.pts or 0) >= 0]

    def flush(self) -> list[EncodedPacket]:
        """What the encoder still holds; it takes no samples after this."""
        try:
            return [self._packet(packet) for packet in self._codec.encode(None) if int(packet.pts or 0) >= 0]
        except av.error.EOFError:
            return []

    def _packet(self, packet: av.Packet[Any]) -> EncodedPacket:
        start = int(packet.pts or 0)
        pts_ns = ticks_to_ns(start, SOUND_RATE_HZ)
        return EncodedPacket(
            track=self._track_index,
            pts_ns=pts_ns,
            dts_ns=pts_ns,
            # To the next packet's own rounded time, so that packets leave neither gap nor overlap.
            duration_ns=ticks_to_ns(start + AAC_FRAME_SAMPLES, SOUND_RATE_HZ) - pts_ns,
            is_key_frame=True,
            payload=bytes(packet),
        )


_GRID_SAMPLES = SOUND_RATE_HZ // 2  # the step of signals: chunks of all lanes begin and end on it


class OpusChunker:
    """Cuts one lane of mono sound into Ogg/Opus files that can each be decoded alone, and together seamlessly.

    Each chunk has an encoder of its own and states its pre-skip, so that its first decoded sample is the one
    at `start_ns`, and its length is exact. Sound of a game ends at multiples of the length on the session's line; the
    first chunk is as much shorter (or, rather than under a second, longer). A voice ends in a pause: from four fifths
    of the length on at the first half second (the step of signals) that is silent, at six fifths in any case.

    Args:
        lane: `mic` or `desktop`.
        chunk_s: length of a chunk.
        rate_bps: bit rate.
        is_voice: tune for speech, and end chunks in pauses.
    """

    def __init__(self, lane: LaneName, *, chunk_s: float, rate_bps: int, is_voice: bool) -> None:
        self._lane: LaneName = lane
        self._chunk_samples = ns_to_ticks(round(chunk_s * SECOND_NS), SOUND_RATE_HZ)
        self._rate_bps = rate_bps
        self._application = "voip" if is_voice else "audio"
        self._pauses = PauseFinder() if is_voice else None
        self._file: _OpusFile | None = None
        self._start = 0
        self._end = 0  # where the open chunk may end
        self._latest = 0  # where it must
        self._next = 0

    def push(self, start: int, samples: Mono) -> list[LaneChunk]:
        """Append samples that begin at sample `start` of the session's line; returns the chunks they finish."""
        chunks = []
        if self._file is not None and start != self._next:
            chunks += self.flush()
        offset = 0
        while offset < len(samples):
            if self._file is None:
                self._begin(start + offset)
            assert self._file is not None
            num_samples = min(len(samples) - offset, self._end - (start + offset))
            part = samples[offset : offset + num_samples]
            self._file.write(part)
            if self._pauses is not None:
                self._pauses.feed(part)
            offset += num_samples
            self._next = start + offset
            if self._next == self._end:
                chunks += self._end_or_go_on()
        return chunks

    def flush(self) -> list[LaneChunk]:
        """Finish the chunk that is open, however short."""
        file, self._file = self._file, None
        if file is None or self._next == self._start:
            return []
        return [
            LaneChunk(
                lane=self._lane,
                start_ns=ticks_to_ns(self._start, SOUND_RATE_HZ),
                end_ns=ticks_to_ns(self._next, SOUND_RATE_HZ),
                content_type=OPUS_CONTENT_TYPE,
                payload=file.close(),
            )
        ]

    def _end_or_go_on(self) -> list[LaneChunk]:
        if self._pauses is not None and self._next < self._latest and not self._pauses.is_pause:
            self._end += _GRID_SAMPLES
            return []
        return self.flush()

    def _begin(self, start: int) -> None:
        self._start = self._next = start
        if self._pauses is None:
            self._end = chunk_end(start, self._chunk_samples, min(SOUND_RATE_HZ, self._chunk_samples // 2))
            self._latest = self._end
        else:
            self._end = chunk_end(start, _GRID_SAMPLES, self._chunk_samples * 4 // 5)
            self._latest = max(
                self._end, chunk_end(start, _GRID_SAMPLES, self._chunk_samples * 6 // 5 - _GRID_SAMPLES)
            )
        self._file = _OpusFile(self._rate_bps, self._application)


def chunk_end(start: int, length: int, shortest: int) -> int:
    """Where a chunk that begins at `start` ends: the next multiple of `length` at least `shortest` away."""
    return -(-(start + shortest) // length) * length


class _OpusFile:
    """One Ogg/Opus file in memory, encoded as it is written."""

    def __init__(self, rate_bps: int, application: str) -> None:
        self._buffer = io.BytesIO()
        self._num_samples = 0
        try:
            self._container = av.open(self._buffer, "w", format="ogg")
            self._stream = self._container.add_stream("libopus", rate=SOUND_RATE_HZ)
            self._stream.layout = "mono"
            self._stream.bit_rate = rate_bps
            self._stream.options = {"application": application}
        except (av.error.FFmpegError, av.codec.codec.UnknownCodecError, ValueError) as exc:
            raise EncoderUnavailable(f"cannot open the Opus encoder: {exc}; reinstall PyAV") from exc

    def write(self, samples: Mono) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples).reshape(1, -1), format="flt", layout="mono"
        )
        frame.sample_rate = SOUND_RATE_HZ
        frame.time_base = _TIME_BASE
        frame.pts = self._num_samples
        self._num_samples += len(samples)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._buffer.getvalue()
