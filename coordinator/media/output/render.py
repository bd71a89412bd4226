"""One pass from a source to an encoded file: pictures paced, composed and captioned; sound levelled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeAlias

from av.video.frame import VideoFrame

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples, in_blocks
from coordinator.media.intake.pacing import paced
from coordinator.media.output.mp4 import Mp4Writer, VideoSettings
from coordinator.media.picture.frames import copied

SOUND_BLOCK_SAMPLES = 4096
# Told the share that is rendered, from 0 to 1, after each picture.
OnProgress: TypeAlias = "Callable[[float], None]"


class Drawing(Protocol):
    """Something that draws on frames of one size, which come in order of time."""

    def draw(self, frame: VideoFrame, time_s: float) -> None:
        """Change the pixels of `frame`, shown at `time_s` of the output."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What to render.

    Attributes:
        pictures: (seconds from the start of the output, decoded frame).
        compose: turns a decoded frame into one of the output's size; called once a decoded frame.
        sound: 48 kHz stereo from the start of the output, or None. Cut to the length of the picture;
            sound that ends earlier stays shorter.
        drawings: what is drawn on every frame, in this order.
        max_ticks: the length in frames, at most; None: as long as the input.
        hold_until_s: hold the last picture this long where the input ends earlier.
    """

    pictures: Iterable[tuple[float, VideoFrame]]
    compose: Callable[[VideoFrame], VideoFrame]
    sound: Iterator[Samples] | None
    drawings: Sequence[Drawing]
    max_ticks: int | None
    hold_until_s: float = 0.0


def render(
    work: Rendering,
    dst: Path,
    settings: VideoSettings,
    *,
    audio_bps: int,
    title: str | None,
    on_progress: OnProgress = lambda _share: None,
) -> float:
    """Encode `work` to `dst`, an MP4, and return its length in seconds.

    `on_progress` is told after each picture which share is done, where `max_ticks` says how many there will be.

    Raises:
        DiskFull, MediaUnusable: Reading or writing failed. The file is then not whole.
    """
    audio_bitrate_bps = audio_bps if work.sound is not None else None
    with Mp4Writer(dst, settings, audio_bitrate_bps=audio_bitrate_bps, title=title) as out:
        track = SoundTrack(out, work.sound)
        for tick, frame in enumerate(_composed(work, settings.rate)):
            time_s = float(tick / settings.rate)
            for drawing in work.drawings:
                drawing.draw(frame, time_s)
            out.write_picture(frame)
            track.write_until(float((tick + 1) / settings.rate))
            if work.max_ticks:
                on_progress((tick + 1) / work.max_ticks)
        return out.duration_s


def _composed(work: Rendering, rate: Fraction) -> Iterator[VideoFrame]:
    """Yield a frame of its own for each tick, composing each decoded frame once."""
    previous: VideoFrame | None = None
    clean: VideoFrame | None = None
    frames = paced(work.pictures, rate, max_ticks=work.max_ticks, hold_until_s=work.hold_until_s)
    for decoded in frames:
        if clean is None or decoded is not previous:
            clean, previous = work.compose(decoded), decoded
        yield copied(clean)


class SoundTrack:
    """Writes sound in step with the picture, so that neither piles up in the muxer."""

    def __init__(self, out: Mp4Writer, sound: Iterator[Samples] | None) -> None:
        self._out = out
        self._blocks = in_blocks(sound, SOUND_BLOCK_SAMPLES) if sound is not None else None
        self._rest: Samples | None = None
        self._num_written = 0

    def write_until(self, time_s: float) -> None:
        """Write what is heard before `time_s`, as far as there is any."""
        due = round(time_s * SAMPLE_RATE_HZ)
        while self._num_written < due:
            block = self._rest if self._rest is not None else self._next_block()
            if block is None:
                return
            now, later = block[:, : due - self._num_written], block[:, due - self._num_written :]
            self._rest = later if later.shape[1] else None
            self._num_written += now.shape[1]
            self._out.write_sound(now)

    def _next_block(self) -> Samples | None:
        return next(self._blocks, None) if self._blocks is not None else None
