"""A small encoded match: every picture carries its number, every full second flashes and beeps.

Real H.264 and AAC, made by the same settings as the agent's encoder, so that what a test reads back from
a clip tells which picture it is and how far sound and picture are apart.
"""

from __future__ import annotations

import dataclasses
import functools
from fractions import Fraction

import av
import msgspec
import numpy as np
from av.codec.context import Flags

from agent.model.media import EncodedPacket, TrackParams

SECOND_NS = 1_000_000_000
WIDTH_PX, HEIGHT_PX = 256, 144
RATE_HZ = 48_000
VIDEO_BIT_RATE_BPS = 600_000
ENCODER_OPTIONS = (("preset", "ultrafast"), ("tune", "zerolatency"))
_NUM_BITS = 12
_CELL_PX = 16
_FLASH_FRAMES = 2
_BEEP_HZ = 1000


@dataclasses.dataclass(frozen=True, repr=False)
class EncodedMatch:
    """Packets by DTS, on a line that starts at 0, and the tracks they belong to."""

    tracks: tuple[TrackParams, ...]
    packets: tuple[EncodedPacket, ...]
    frame_rate: int

    def __repr__(self) -> str:
        return f"<EncodedMatch of {len(self.packets)} packets>"


@functools.cache
def encode_match(
    *, duration_s: int = 8, frame_rate: int = 30, gop_s: int = 1, num_sounds: int = 2, jitter_ns: int = 0
) -> EncodedMatch:
    """Encode it. `jitter_ns` moves every picture's stamp a little, as a live source does."""
    video, video_extradata = _encode_pictures(duration_s, frame_rate, gop_s, jitter_ns)
    sound, sound_extradata = _encode_sound(duration_s)
    names = ("mix", "mic", "desktop")
    tracks = (
        TrackParams(
            name="video",
            kind="video",
            codec="h264",
            extradata=video_extradata,
            bit_rate_bps=VIDEO_BIT_RATE_BPS,
            encoder="libx264",
            encoder_options=ENCODER_OPTIONS,
            width_px=WIDTH_PX,
            height_px=HEIGHT_PX,
            frame_rate=frame_rate,
        ),
        *(
            TrackParams(
                name=names[number],  # type: ignore[arg-type]
                kind="audio",
                codec="aac",
                extradata=sound_extradata,
                bit_rate_bps=96_000,
                encoder="aac",
                sample_rate_hz=RATE_HZ,
                channels=2,
            )
            for number in range(num_sounds)
        ),
    )
    sounds = [msgspec.structs.replace(packet, track=1 + n) for n in range(num_sounds) for packet in sound]
    packets = sorted([*video, *sounds], key=lambda packet: packet.dts_ns)
    return EncodedMatch(tracks=tracks, packets=tuple(packets), frame_rate=frame_rate)


def _encode_pictures(
    duration_s: int, frame_rate: int, gop_s: int, jitter_ns: int
) -> tuple[list[EncodedPacket], bytes]:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
    encoder.framerate = Fraction(frame_rate)
    encoder.time_base = Fraction(1, frame_rate)
    encoder.gop_size = frame_rate * gop_s
    encoder.bit_rate = VIDEO_BIT_RATE_BPS
    encoder.options = dict(ENCODER_OPTIONS)
    encoder.flags |= Flags.global_header
    random = np.random.default_rng(7)
    packets = []
    for number in range(duration_s * frame_rate):
        frame = av.VideoFrame.from_ndarray(_picture(number, frame_rate), format="yuv420p")
        frame.pts = number
        frame.time_base = Fraction(1, frame_rate)
        for packet in encoder.encode(frame):
            offset_ns = int(random.integers(0, jitter_ns)) if jitter_ns and number else 0
            stamp_ns = number * SECOND_NS // frame_rate + offset_ns
            packets.append(
                EncodedPacket(
                    track=0,
                    pts_ns=stamp_ns,
                    dts_ns=stamp_ns,
                    duration_ns=SECOND_NS // frame_rate,
                    is_key_frame=packet.is_keyframe,
                    payload=bytes(packet),
                )
            )
    assert encoder.extradata is not None
    return packets, encoder.extradata


def _picture(number: int, frame_rate: int) -> np.ndarray:
    picture = np.full((HEIGHT_PX * 3 // 2, WIDTH_PX), 128, np.uint8)
    is_flash = number % frame_rate < _FLASH_FRAMES
    picture[:HEIGHT_PX] = 230 if is_flash else 60
    # Something that moves, so that most of the bytes are not the barcode's.
    picture[96:128, (number * 5) % (WIDTH_PX - 80) :][:, :32] = 150
    # A strip of noise makes every part of every picture one of its kind.
    picture[_CELL_PX:HEIGHT_PX, 216:] = np.random.default_rng(number).integers(
        40, 200, (HEIGHT_PX - _CELL_PX, 40)
    )
    for bit in range(_NUM_BITS):
        column = bit * _CELL_PX
        picture[:_CELL_PX, column : column + _CELL_PX] = 255 if number >> bit & 1 else 0
    return picture


def read_number(luma: np.ndarray) -> int:
    """The picture's number from its barcode; `luma` has the shape (height, width)."""
    centre = _CELL_PX // 2
    bits = [int(luma[centre, bit * _CELL_PX + centre] > 127) for bit in range(_NUM_BITS)]
    return sum(value << bit for bit, value in enumerate(bits))


def is_flash(luma: np.ndarray) -> bool:
    """Is this one of the pictures that flash at a full second?"""
    return bool(luma[40:90, : luma.shape[1] * 3 // 4].mean() > 150)


def _encode_sound(duration_s: int) -> tuple[list[EncodedPacket], bytes]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE_HZ, "stereo", "fltp"
    encoder.bit_rate = 96_000
    encoder.time_base = Fraction(1, RATE_HZ)
    encoder.flags |= Flags.global_header
    seconds = np.arange(duration_s * RATE_HZ) / RATE_HZ
    loud = (seconds % 1.0) < 0.1
    wave = (np.sin(2 * np.pi * _BEEP_HZ * seconds) * 0.5 * loud).astype(np.float32)
    packets = []
    for first in range(0, len(wave) - 1023, 1024):
        block = np.stack([wave[first : first + 1024]] * 2)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, first, Fraction(1, RATE_HZ)
        for packet in encoder.encode(frame):
            stamp_ns = packet.pts * SECOND_NS // RATE_HZ
            packets.append(
                EncodedPacket(
                    track=1,
                    pts_ns=stamp_ns,
                    dts_ns=stamp_ns,
                    duration_ns=1024 * SECOND_NS // RATE_HZ,
                    is_key_frame=True,
                    payload=bytes(packet),
                )
            )
    assert encoder.extradata is not None
    return packets, encoder.extradata
