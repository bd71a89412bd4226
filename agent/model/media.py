"""Frames, sound blocks, packets and the tracks they belong to."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

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
LaneName = Literal["mic", "desktop", "proxy", "signals", "chat"]
# Why an epoch began: the session did; the picture's size or encoder changed; the machine slept; the process stood
# still or the clock jumped; the screen was away.
EpochReason = Literal["start", "size", "encoder", "suspended", "stopped", "screen"]


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
        codec: FFmpeg's name of the codec (`h264`, `aac`).
        extradata: the codec's global header (SPS and PPS; AudioSpecificConfig).
        encoder: FFmpeg's name of the encoder (`libx264`), and the options that make the same stream again:
            what a smart cut needs.
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPacket:
    """One encoded picture or audio block as it left the encoder. `track` indexes the epoch's tracks."""

    track: int
    pts_ns: int
    dts_ns: int
    duration_ns: int
    is_key_frame: bool
    payload: bytes


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
