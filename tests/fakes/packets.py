"""Packets without real media, for tests of what handles them unopened."""

from __future__ import annotations

from agent.model.media import EncodedPacket, TrackParams

SECOND_NS = 1_000_000_000
FRAME_NS = SECOND_NS // 10

VIDEO = TrackParams(
    name="video",
    kind="video",
    codec="h264",
    extradata=b"\x00\x00\x01\x67video",
    bit_rate_bps=8_000,
    encoder="libx264",
    encoder_options=(("preset", "ultrafast"),),
    width_px=16,
    height_px=16,
    frame_rate=10,
)
MIX = TrackParams(
    name="mix",
    kind="audio",
    codec="aac",
    extradata=b"\x11\x90",
    bit_rate_bps=8_000,
    encoder="aac",
    sample_rate_hz=48_000,
    channels=2,
)


def picture(number: int, *, gop: int = 10, num_bytes: int = 100) -> EncodedPacket:
    """The picture `number` of a stream of 10 a second with a key frame every `gop`."""
    return EncodedPacket(
        track=0,
        pts_ns=number * FRAME_NS,
        dts_ns=number * FRAME_NS,
        duration_ns=FRAME_NS,
        is_key_frame=number % gop == 0,
        payload=number.to_bytes(4, "big") * (num_bytes // 4),
    )


def sound(at_ns: int, *, track: int = 1) -> EncodedPacket:
    """A block of sound of 20 ms."""
    return EncodedPacket(
        track=track,
        pts_ns=at_ns,
        dts_ns=at_ns,
        duration_ns=20_000_000,
        is_key_frame=True,
        payload=b"sound" * 4,
    )
