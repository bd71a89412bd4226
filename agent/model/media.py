"""Frames, sound blocks, packets and the tracks they belong to."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    import av
    import numpy as np
    import numpy.typing as npt

SOUND_RATE_HZ = 48_000
# `mic`, `desktop`, or an application as the user wrote it in `capture.apps`.
SoundName = str
# Track 0 is the picture (`video`), then the `mix` (which every player plays), then the sounds by their names, and
# last `mic_raw`: the microphone before its noise was suppressed.
TrackName = str
# Names that no application can have.
TRACKS_OF_OURS = ("video", "mix", "mic", "desktop", "mic_raw")
MAX_APPS = 8
LaneName = Literal["mic", "desktop", "proxy", "signals", "chat", "events"]
# Why an epoch began: the session did; the picture's size or encoder changed; the machine slept; the process stood
# still or the clock jumped; the screen was away.
EpochReason = Literal["start", "size", "encoder", "suspended", "stopped", "screen"]
# Why a span begins later than was asked for: an epoch began there, the ring held nothing older, or what lies before
# is not there any more.
LackReason = EpochReason | Literal["buffer", "gap", "forgotten"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScreenFormat:
    """What a screen source delivers, in pixels of the picture it hands over."""

    width_px: int
    height_px: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CapturedFrame:
    """One picture, stamped just before it was grabbed."""

    monotonic_ns: int
    picture: av.VideoFrame


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundBlock:
    """Sound as a device gave it.

    Attributes:
        monotonic_ns: when its first sample was heard.
        samples: float32, shape (num_samples, 2), 48,000 Hz, range [-1, 1]. Owned by the receiver.
        part: which of several streams that are heard together: an application may play more than one.
    """

    source: SoundName
    monotonic_ns: int
    samples: npt.NDArray[np.float32]
    part: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrackParams:
    """What a muxer must know of one track; equal for a whole epoch.

    Attributes:
        codec: FFmpeg's name of the codec (`h264`, `hevc`, `av1`, `aac`).
        extradata: the codec's global header (SPS and PPS; AudioSpecificConfig).
        encoder: FFmpeg's name of the encoder (`libx264`).
        encoder_options: what it was told. With x264 they make the same header again to the byte, which a smart cut
            needs. A hardware encoder promises no such thing: its header depends on the driver, and what it takes
            (`nv12`) is not what a decoder gives back; its clips are encoded whole.
    """

    name: TrackName
    kind: Literal["video", "audio"]
    codec: str
    extradata: bytes
    bit_rate_bps: int
    encoder: str
    encoder_options: tuple[tuple[str, str], ...] = ()
    width_px: int = 0
    height_px: int = 0
    frame_rate: int = 0
    sample_rate_hz: int = 0
    channels: int = 0

    @property
    def decoder(self) -> str:
        """FFmpeg's name of the decoder that needs no hardware: what is called `av1` there does."""
        return "libdav1d" if self.codec == "av1" else self.codec


class EncodedPacket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One encoded picture or audio block as it left the encoder. `track` indexes the epoch's tracks.

    Not a dataclass, because there are 170 a second and 50,000 in a clip of five minutes: this is made in a fifth of
    the time, and the garbage collector, for which it holds nothing, passes it over.
    """

    track: int
    pts_ns: int
    dts_ns: int
    duration_ns: int
    is_key_frame: bool
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EpochSpan:
    """What the ring holds of one epoch, from its first to its last picture, and why the epoch began."""

    epoch: int
    start_ns: int
    end_ns: int
    reason: EpochReason


_LACK_WORDS: dict[LackReason, str] = {
    "start": "the recording began {}",
    "size": "the picture's size changed {}",
    "encoder": "the encoder was changed {}",
    "suspended": "the machine slept until {}",
    "stopped": "the recorder stood still until {}",
    "screen": "there was no screen until {}",
    "buffer": "the buffer reaches back to {}",
    "gap": "the buffer has a gap {}",
    "forgotten": "what lies before was forgotten: up to {}",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpanLack:
    """What a span lacks of what was asked for.

    Attributes:
        reason: why it begins later; None when it lacks nothing at its start.
        is_end_missing: there is no picture from `end_ns` to `asked_end_ns`: none came, or it was forgotten.
    """

    asked_start_ns: int
    asked_end_ns: int
    start_ns: int
    end_ns: int
    reason: LackReason | None
    is_end_missing: bool

    def words(self) -> str:
        """For the clip's note: "4.0 s of 30.0 s: the picture's size changed 4.0 s before its end"."""
        held_s = (self.end_ns - self.start_ns) / 1e9
        asked_s = (self.asked_end_ns - self.asked_start_ns) / 1e9
        # Asked for everything, there is no number to hold it against.
        parts = [f"{held_s:.1f} s of {asked_s:.1f} s" if self.asked_start_ns else f"{held_s:.1f} s"]
        if self.reason is not None:
            parts.append(_LACK_WORDS[self.reason].format(f"{held_s:.1f} s before its end"))
        if self.is_end_missing:
            missing_s = (self.asked_end_ns - self.end_ns) / 1e9
            parts.append(f"there is no picture of its last {missing_s:.1f} s")
        return parts[0] + ": " + "; ".join(parts[1:])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LaneChunk:
    """A finished unit of upload. `sha256` is of `payload`; the outbox gives it its number."""

    lane: LaneName
    start_ns: int
    end_ns: int
    content_type: str
    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SignalSample:
    """One measured value of one signal, over the half second that ends at `at_ns`."""

    name: str
    at_ns: int
    value: float


def ignore_signal(_sample: SignalSample) -> None:
    """For a lane whose signals nobody wants."""
