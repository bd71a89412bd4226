"""A picture and a sound made here: where there is no screen, and for tests and benches.

Both follow one monotonic clock: at each whole second after `t0_monotonic_ns` the picture flashes white for
100 ms and a 1 kHz beep of 100 ms begins. Every frame carries its number as a bar code.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import av
import numpy as np
import numpy.typing as npt

from agent.capture import barcode
from agent.errors import ScreenUnavailable
from agent.model.media import SOUND_RATE_HZ, CapturedFrame, ScreenFormat, SoundBlock, SoundName
from agent.worker import Worker
from protos.timebase import MILLISECOND_NS, SECOND_NS, ns_to_ticks, ticks_to_ns

FLASH_NS = 100 * MILLISECOND_NS
BEEP_HZ = 1_000
_BLOCK_SAMPLES = 960  # 20 ms, as a sound card would
_FLASH_LUMA = 235


class GeneratedScreen:
    """A moving gradient with a bouncing square, a flash each second, and the frame's number on top.

    Args:
        width_px, height_px: its size; made even.
        monotonic_ns: the clock that stamps, and that says when to flash.
        t0_monotonic_ns: when the first flash was, or will be; None is when it is opened.
    """

    name = "generated"

    def __init__(
        self,
        width_px: int = 1280,
        height_px: int = 720,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        t0_monotonic_ns: int | None = None,
    ) -> None:
        self._format = ScreenFormat(width_px=width_px & ~1, height_px=height_px & ~1)
        self._monotonic_ns = monotonic_ns
        self._t0_ns = t0_monotonic_ns
        self._number = 0
        self._is_open = False
        height, width = self._format.height_px, self._format.width_px
        rows, columns = np.mgrid[0:height, 0:width]
        # Twice as wide as the picture, so that scrolling is a slice.
        self._ground = np.tile(((rows * 90 // height + columns * 120 // width) + 16).astype(np.uint8), (1, 2))
        self._chroma = np.full((height // 2, width), 128, np.uint8)

    def probe(self) -> str:
        """See the port: it works everywhere."""
        return ""

    def open(self) -> ScreenFormat:
        """Start; always works."""
        if self._t0_ns is None:
            self._t0_ns = self._monotonic_ns()
        self._is_open = True
        return self._format

    def grab(self) -> CapturedFrame:
        """The next picture: its number counts up by one with each call.

        Raises:
            ScreenUnavailable: Not open.
        """
        if not self._is_open or self._t0_ns is None:
            raise ScreenUnavailable("the generated screen is not open; open it first")
        stamp_ns = self._monotonic_ns()
        luma = self.render(stamp_ns - self._t0_ns, self._number)
        self._number += 1
        planes = np.concatenate([luma, self._chroma])
        return CapturedFrame(
            monotonic_ns=stamp_ns, picture=av.VideoFrame.from_ndarray(planes, format="yuv420p")
        )

    def render(self, time_ns: int, number: int) -> npt.NDArray[np.uint8]:
        """The brightness of the picture `time_ns` after t0: uint8, shape (height_px, width_px)."""
        height, width = self._format.height_px, self._format.width_px
        if is_flash(time_ns):
            luma = np.full((height, width), _FLASH_LUMA, np.uint8)
        else:
            shift = (time_ns * width // (4 * SECOND_NS)) % width
            luma = self._ground[:, shift : shift + width].copy()
            side = max(8, height // 6)
            left = _bounce(time_ns * width // SECOND_NS, width - side)
            top = _bounce(time_ns * height // (2 * SECOND_NS), height - side)
            luma[top : top + side, left : left + side] = 210
        barcode.draw(luma, number)
        return luma

    def close(self) -> None:
        """Stop. Twice is once."""
        self._is_open = False


class GeneratedSound:
    """Quiet noise with a beep each second, pushed in real time from a thread of its own.

    Args:
        name: which sound it stands for.
        monotonic_ns: the clock that stamps.
        t0_monotonic_ns: when the first beep begins; None is when it is opened.
    """

    device = "generated"

    def __init__(
        self,
        name: SoundName = "desktop",
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        t0_monotonic_ns: int | None = None,
        beep_hz: int = BEEP_HZ,
    ) -> None:
        self.name: SoundName = name
        self._monotonic_ns = monotonic_ns
        self._t0_ns = t0_monotonic_ns
        self._beep_hz = beep_hz
        self._noise = np.random.default_rng(7).normal(0, 0.002, (SOUND_RATE_HZ, 2)).astype(np.float32)
        self._pusher: _Pusher | None = None

    def open(self, on_block: Callable[[SoundBlock], None]) -> None:
        """Start the thread; always works."""
        self.close()
        if self._t0_ns is None:
            self._t0_ns = self._monotonic_ns()
        self._pusher = _Pusher(self, on_block, self._monotonic_ns, self._t0_ns)
        self._pusher.start()

    @property
    def is_running(self) -> bool:
        """Is the thread alive?"""
        return self._pusher is not None and self._pusher.is_running

    def close(self) -> None:
        """Stop; no block comes after it returns. Twice is once."""
        pusher, self._pusher = self._pusher, None
        if pusher is not None:
            pusher.stop()

    def render(self, start: int, num_samples: int) -> npt.NDArray[np.float32]:
        """Samples `start` and on, counted from t0: float32, shape (num_samples, 2)."""
        index = np.arange(start, start + num_samples)
        phase = index % SOUND_RATE_HZ
        is_beep = phase < FLASH_NS * SOUND_RATE_HZ // SECOND_NS
        beep = np.where(is_beep, 0.5 * np.sin(2 * np.pi * self._beep_hz * phase / SOUND_RATE_HZ), 0.0)
        return np.asarray(self._noise[phase] + beep[:, None], np.float32)


class _Pusher(Worker):
    """Pushes a generated sound block by block, each when its last sample is due."""

    def __init__(
        self,
        sound: GeneratedSound,
        on_block: Callable[[SoundBlock], None],
        monotonic_ns: Callable[[], int],
        t0_ns: int,
    ) -> None:
        super().__init__(f"generated-{sound.name}")
        self._sound = sound
        self._on_block = on_block
        self._monotonic_ns = monotonic_ns
        self._t0_ns = t0_ns
        self._next = ns_to_ticks(monotonic_ns() - t0_ns, SOUND_RATE_HZ)

    def step(self) -> None:
        end_ns = self._t0_ns + ticks_to_ns(self._next + _BLOCK_SAMPLES, SOUND_RATE_HZ)
        if self.wait(min(0.1, (end_ns - self._monotonic_ns()) / SECOND_NS)) or self._monotonic_ns() < end_ns:
            return
        block = SoundBlock(
            source=self._sound.name,
            monotonic_ns=self._t0_ns + ticks_to_ns(self._next, SOUND_RATE_HZ),
            samples=self._sound.render(self._next, _BLOCK_SAMPLES),
        )
        self._next += _BLOCK_SAMPLES
        self._on_block(block)


def is_flash(time_ns: int) -> bool:
    """Is the picture white at this time after t0?"""
    return time_ns % SECOND_NS < FLASH_NS


def _bounce(position: int, limit: int) -> int:
    """Fold an ever growing position into 0..limit and back."""
    if limit <= 0:
        return 0
    folded = position % (2 * limit)
    return folded if folded <= limit else 2 * limit - folded
