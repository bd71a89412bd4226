"""What every bench records: a picture that moves and carries its number, a flash and a beep each second.

Thirty pictures are drawn once and shown again and again, with flash and barcode written anew into each, so that
showing them costs the machine little beside what is measured. They change as much as a game's: x264 reaches the
8 Mbit/s that it may use, so nobody is measured on an empty desktop.
"""

from __future__ import annotations

import dataclasses
import functools

import av
import msgspec
import numpy as np
import numpy.typing as npt

from agent.capture import barcode
from agent.encode.audio import AAC_FRAME_SAMPLES, AacEncoder
from agent.encode.video import VideoEncoder
from agent.model.media import SOUND_RATE_HZ, EncodedPacket, TrackParams
from protos.timebase import SECOND_NS, ticks_to_ns

SIZE_PX = (1920, 1080)
VIDEO_RATE_BPS = 8_000_000
BEEP_HZ = 1000
NUM_PICTURES = 30
_PATCH_PX = 11
_GRAIN = 70
_STEP_PX = 9  # how far the picture moves from frame to frame: not a whole number of cells
# Of 1080 rows.
_FLASH_ROWS = (60, 300)
_TEXTURE_ROWS = (300, 640)
_FRESH_ROWS = (960, 1080)
_GREY, _WHITE = 70, 230


class Scenery:
    """The pictures, as luma planes, without barcode. They repeat after `NUM_PICTURES`, but for the flash."""

    def __init__(self, frame_rate: int, size_px: tuple[int, int] = SIZE_PX) -> None:
        self._frame_rate = frame_rate
        self._width, self._height = size_px
        self._texture = _texture(self._height, self._width + _STEP_PX * NUM_PICTURES)
        self._shade = np.linspace(50, 180, self._width).astype(np.uint8)
        self.flash_rows = flash_rows(self._height)

    def luma(self, index: int) -> npt.NDArray[np.uint8]:
        """Picture `index` of the session: a new array, uint8, shape (height, width)."""
        turn = index % NUM_PICTURES
        height, width = self._height, self._width
        # Below, a shade that slides; in the middle a texture that slides; at the bottom a strip of it that jumps.
        luma = np.tile(np.roll(self._shade, turn * 4), (height, 1))
        texture = self._rows(*_TEXTURE_ROWS)
        shift = turn * _STEP_PX
        luma[texture] = self._texture[: texture.stop - texture.start, shift : shift + width]
        fresh = self._rows(*_FRESH_ROWS)
        num_rows = fresh.stop - fresh.start
        left, top = np.random.default_rng(turn).integers(
            0, (_STEP_PX * NUM_PICTURES, self._height - num_rows)
        )
        luma[fresh] = self._texture[top : top + num_rows, left : left + width]
        luma[self.flash_rows] = self.level(index)
        return luma

    def _rows(self, first: int, last: int) -> slice:
        return slice(first * self._height // SIZE_PX[1], last * self._height // SIZE_PX[1])

    def level(self, index: int) -> int:
        """The luma of the part that flashes: bright through each second's first tenth."""
        return _WHITE if index % self._frame_rate * 10 < self._frame_rate else _GREY


def _texture(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Leaves, roughly: patches of light and dark with a grain on them, aligned to no encoder's blocks."""
    random = np.random.default_rng(7)
    patches = random.normal(0.0, 1.0, (height // _PATCH_PX + 2, width // _PATCH_PX + 2))
    patches = patches.repeat(_PATCH_PX, axis=0).repeat(_PATCH_PX, axis=1)[:height, :width]
    field = 40 * patches + _GRAIN * random.normal(0.0, 1.0, (height, width))
    for axis in (0, 1, 0, 1):
        field = (field + np.roll(field, 1, axis) + np.roll(field, 2, axis)) / 3
    return np.clip(field + 115, 20, 230).astype(np.uint8)


def flash_rows(height_px: int) -> slice:
    """Where it flashes: below the barcode, above the texture."""
    return slice(_FLASH_ROWS[0] * height_px // SIZE_PX[1], _FLASH_ROWS[1] * height_px // SIZE_PX[1])


def is_flash(luma: npt.NDArray[np.uint8]) -> bool:
    """Is this a picture of a second's first tenth?"""
    return float(luma[flash_rows(luma.shape[0]), ::8].mean()) > (_GREY + _WHITE) / 2


def beep(start: int, num_samples: int) -> npt.NDArray[np.float32]:
    """Samples `start` and on of the session: 1 kHz through each second's first tenth; shape (num_samples, 2)."""
    at = np.arange(start, start + num_samples)
    phase = at % SOUND_RATE_HZ
    tone = np.sin(2 * np.pi * BEEP_HZ * phase / SOUND_RATE_HZ) * 0.4
    tone[phase >= SOUND_RATE_HZ // 10] = 0.0
    tone[at < 0] = 0.0
    return np.repeat(tone[:, None], 2, axis=1).astype(np.float32)


@dataclasses.dataclass(frozen=True, repr=False)
class Recording:
    """Encoded packets by DTS on a line that starts at 0, and their tracks: the agent's own encoders made them."""

    tracks: tuple[TrackParams, ...]
    packets: tuple[EncodedPacket, ...]
    duration_ns: int
    num_pictures: int

    def repeated(self, num_times: int) -> list[EncodedPacket]:
        """The packets again and again, each time later by the whole length; numbers count round."""
        return [
            msgspec.structs.replace(
                packet,
                pts_ns=packet.pts_ns + turn * self.duration_ns,
                dts_ns=packet.dts_ns + turn * self.duration_ns,
            )
            for turn in range(num_times)
            for packet in self.packets
        ]


@functools.cache
def encode_recording(
    *, duration_s: int = 10, frame_rate: int = 30, size_px: tuple[int, int] = SIZE_PX
) -> Recording:
    """Encode it: 8 Mbit/s at 1080p30, GOP 1 s, the mix and two sources. 1080p takes 10-20 ms a picture."""
    video = VideoEncoder(
        width_px=size_px[0],
        height_px=size_px[1],
        frame_rate=frame_rate,
        rate_bps=VIDEO_RATE_BPS if size_px == SIZE_PX else 0,
    )
    scenery = Scenery(frame_rate, size_px)
    packets: list[EncodedPacket] = []
    for index in range(duration_s * frame_rate):
        luma = scenery.luma(index)
        barcode.draw(luma, index)
        packets += video.encode(_frame(luma), index * SECOND_NS // frame_rate)
    packets += video.flush()
    tracks = [video.track]
    for number, name in enumerate(("mix", "mic", "desktop"), start=1):
        encoder = AacEncoder(name, track=number, rate_bps=160_000 if name == "mix" else 128_000)  # type: ignore[arg-type]
        tracks.append(encoder.track)
        packets += _sound(encoder, duration_s)
    packets.sort(key=lambda packet: packet.dts_ns)
    return Recording(
        tracks=tuple(tracks),
        packets=tuple(packets),
        duration_ns=duration_s * SECOND_NS,
        num_pictures=duration_s * frame_rate,
    )


def _frame(luma: npt.NDArray[np.uint8]) -> av.VideoFrame:
    height, width = luma.shape
    chroma = np.full((height // 2, width), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p")


def _sound(encoder: AacEncoder, duration_s: int) -> list[EncodedPacket]:
    """Packets that fill the length to the sample's fraction, so that repeating them leaves no hole."""
    num_samples = duration_s * SOUND_RATE_HZ
    packets: list[EncodedPacket] = []
    for start in range(0, num_samples, AAC_FRAME_SAMPLES):
        packets += encoder.encode(start, beep(start, AAC_FRAME_SAMPLES))
    packets += encoder.flush()
    end_ns = ticks_to_ns(num_samples, SOUND_RATE_HZ)
    return [packet for packet in packets if packet.pts_ns < end_ns]
