"""One decode of a source, any number of encoded files: pictures paced, composed and drawn on; sound beside them.

A decoded picture is composed once for all files that want it in the same shape, and drawn on in place where
nobody needs it clean afterwards. One thread.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from av.video.frame import VideoFrame

from coordinator.media.intake.decoding import SAMPLE_RATE_HZ, Samples, in_blocks
from coordinator.media.intake.pacing import Pacer
from coordinator.media.output.mp4 import Mp4Writer, VideoSettings
from coordinator.media.picture.frames import blank, planes_of

SOUND_BLOCK_SAMPLES = 4096
# Told the share that is rendered, from 0 to 1, after each picture.
OnProgress: TypeAlias = "Callable[[float], None]"
Compose: TypeAlias = "Callable[[VideoFrame], VideoFrame]"


class Drawing(Protocol):
    """Something that draws on frames of one size, which come in order of time."""

    def draw(self, frame: VideoFrame, time_s: float) -> None:
        """Change the pixels of `frame`, shown at `time_s` of the stretch."""
        ...


class Writer(Protocol):
    """Takes the pictures and the sound of one file; a context that finishes it when left without error."""

    def write_picture(self, frame: VideoFrame) -> None:
        """Show `frame` for one tick; its pixels may be written anew afterwards."""
        ...

    def write_sound(self, samples: Samples) -> None:
        """Append stereo float samples at 48 kHz, shape (2, n)."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of what is shown: the clip, or what comes before and after it.

    Attributes:
        pictures: (seconds from the start of the stretch, decoded frame).
        length_s: None: as long as the pictures.
        hold_until_s: hold the last picture this long where the pictures end earlier.
    """

    pictures: Iterable[tuple[float, VideoFrame]]
    length_s: float | None
    hold_until_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a stretch looks and sounds in one file.

    Attributes:
        compose: turns a decoded frame into one of the file's size; called once a decoded frame for all files
            that share it. What it gives may be its own buffer, written anew at the next call.
        drawings: what is drawn on every frame, in this order.
        sound: 48 kHz stereo from the start of the stretch, or None: silence. Files may share one.
    """

    compose: Compose
    drawings: Sequence[Drawing] = ()
    sound: Iterator[Samples] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One file that is made: who writes it, at which rate, at most `max_ticks` long.

    `looks`: one for each stretch; None where the file leaves the stretch out.
    """

    writer: Writer
    rate: Fraction
    looks: Sequence[Look | None]
    has_sound: bool
    max_ticks: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What to render into a single file; the attributes are those of `Stretch` and `Look`.

    `max_ticks`: the length in frames, at most; None: as long as the input. Sound is cut to the length of the
    picture; sound that ends earlier stays shorter.
    """

    pictures: Iterable[tuple[float, VideoFrame]]
    compose: Compose
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
    length_s = None if work.max_ticks is None else float(work.max_ticks / settings.rate)
    stretch = Stretch(pictures=work.pictures, length_s=length_s, hold_until_s=work.hold_until_s)
    audio_bitrate_bps = audio_bps if work.sound is not None else None
    with Mp4Writer(dst, settings, audio_bitrate_bps=audio_bitrate_bps, title=title) as out:
        sheet = Sheet(
            writer=out,
            rate=settings.rate,
            looks=(Look(compose=work.compose, drawings=work.drawings, sound=work.sound),),
            has_sound=work.sound is not None,
        )
        render_all((stretch,), (sheet,), on_progress=on_progress)
        return out.duration_s


def render_all(
    stretches: Sequence[Stretch], sheets: Sequence[Sheet], *, on_progress: OnProgress = lambda _share: None
) -> None:
    """Show the stretches one after the other in every file.

    `on_progress` is told which share is done, where all lengths are known.

    Raises:
        DiskFull, MediaUnusable: Reading or writing failed. The files are then not whole.
    """
    lanes = [_Lane(sheet) for sheet in sheets]
    lengths_s = [stretch.length_s for stretch in stretches]
    total_s = sum(length_s or 0.0 for length_s in lengths_s) if None not in lengths_s else 0.0

    def tell() -> None:
        if total_s:
            on_progress(min(1.0, max(lane.shown_s for lane in lanes) / total_s))

    for index, stretch in enumerate(stretches):
        showing = [lane for lane in lanes if lane.begin(stretch, index)]
        _share_sound(showing)
        _render_stretch(stretch, showing, tell)
        if index + 1 < len(stretches):
            for lane in lanes:
                lane.fill_with_silence()


def _share_sound(lanes: Sequence[_Lane]) -> None:
    """Give each lane the sound of its look; one that several want is made once."""
    waiting = list(lanes)
    while waiting:
        sound = waiting[0].sound
        alike = [lane for lane in waiting if lane.sound is sound]
        waiting = [lane for lane in waiting if lane.sound is not sound]
        blocks = in_blocks(sound, SOUND_BLOCK_SAMPLES) if sound is not None else iter(())
        for lane, its_blocks in zip(alike, itertools.tee(blocks, len(alike)), strict=True):
            lane.hear(its_blocks)


def _render_stretch(stretch: Stretch, lanes: Sequence[_Lane], tell: Callable[[], None]) -> None:
    """Show each decoded picture when the next one has come: until then nobody knows for how long."""
    held: VideoFrame | None = None
    for time_s, frame in stretch.pictures:
        if held is not None:
            _show(held, [(lane, lane.pacer.num_due(time_s)) for lane in lanes])
            tell()
        held = frame
        if all(lane.pacer.is_full for lane in lanes):
            return
    if held is not None:
        _show(held, [(lane, lane.pacer.num_left(stretch.hold_until_s)) for lane in lanes])
        tell()


def _show(decoded: VideoFrame, wanted: Sequence[tuple[_Lane, int]]) -> None:
    """Compose a decoded picture for the lanes that show it, each for its number of ticks."""
    waiting = [(lane, count) for lane, count in wanted if count]
    while waiting:
        compose = waiting[0][0].compose
        alike = [item for item in waiting if item[0].compose == compose]
        waiting = [item for item in waiting if item[0].compose != compose]
        # Who draws comes last: then only one who draws twice needs a copy.
        alike.sort(key=lambda item: item[0].is_drawing)
        clean = compose(decoded)
        uses = [lane for lane, count in alike for _ in range(count)]
        for number, lane in enumerate(uses, 1):
            lane.show(clean, is_last_use=number == len(uses))


def _unchanged(frame: VideoFrame) -> VideoFrame:
    return frame


class _Lane:
    """One file on its way. `pacer` is that of the stretch at hand."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._limit = math.inf if sheet.max_ticks is None else sheet.max_ticks
        self._before = 0
        self.pacer = Pacer(sheet.rate, max_ticks=0)
        self._look = Look(compose=_unchanged)
        self._copy: VideoFrame | None = None
        self._track = SoundTrack(sheet.writer) if sheet.has_sound else None

    def begin(self, stretch: Stretch, index: int) -> bool:
        """Start a stretch where the one before ended, and return whether this file shows it."""
        self._before += self.pacer.tick
        look, rate, length_s = self._sheet.looks[index], self._sheet.rate, stretch.length_s
        if look is None:
            self.pacer = Pacer(rate, max_ticks=0)
            return False
        self._look = look
        num_ticks = math.inf if length_s is None else max(1, round(length_s * rate))
        self.pacer = Pacer(rate, max_ticks=min(num_ticks, self._limit - self._before))
        return True

    @property
    def sound(self) -> Iterator[Samples] | None:
        return self._look.sound

    def hear(self, blocks: Iterator[Samples]) -> None:
        """Take the sound of this stretch from `blocks`."""
        if self._track is not None:
            self._track.begin(blocks)

    @property
    def compose(self) -> Compose:
        return self._look.compose

    @property
    def is_drawing(self) -> bool:
        return bool(self._look.drawings)

    @property
    def shown_s(self) -> float:
        return float((self._before + self.pacer.tick) / self._sheet.rate)

    def show(self, clean: VideoFrame, *, is_last_use: bool) -> None:
        """Draw and write one tick; only at its last use may the clean picture itself be drawn on."""
        frame = clean
        if self._look.drawings:
            frame = self._own(clean, is_last_use=is_last_use)
            time_s = float(self.pacer.tick / self._sheet.rate)
            for drawing in self._look.drawings:
                drawing.draw(frame, time_s)
        self._sheet.writer.write_picture(frame)
        self.pacer.tick += 1
        if self._track is not None:
            self._track.write_until(self.shown_s)

    def fill_with_silence(self) -> None:
        """What follows begins with the picture, however early the sound ended."""
        if self._track is not None:
            self._track.fill_until(self.shown_s)

    def _own(self, clean: VideoFrame, *, is_last_use: bool) -> VideoFrame:
        if is_last_use:
            clean.make_writable()  # A decoder may still need what was passed through as it is.
            return clean
        if self._copy is None or (self._copy.width, self._copy.height) != (clean.width, clean.height):
            self._copy = blank(clean.width, clean.height)
        self._copy.make_writable()  # An encoder on a card may still read the one before.
        for target, source in zip(planes_of(self._copy), planes_of(clean), strict=True):
            target[:] = source
        return self._copy


class SoundTrack:
    """Writes sound in step with the picture, so that neither piles up in the muxer."""

    def __init__(self, out: Writer) -> None:
        self._out = out
        self._blocks: Iterator[Samples] = iter(())
        self._rest: Samples | None = None
        self._num_written = 0

    def begin(self, blocks: Iterator[Samples]) -> None:
        """Go on with this sound."""
        self._blocks, self._rest = blocks, None

    def write_until(self, time_s: float) -> None:
        """Write what is heard before `time_s`, as far as there is any."""
        due = round(time_s * SAMPLE_RATE_HZ)
        while self._num_written < due:
            block = self._rest if self._rest is not None else next(self._blocks, None)
            if block is None:
                return
            now, later = block[:, : due - self._num_written], block[:, due - self._num_written :]
            self._rest = later if later.shape[1] else None
            self._write(now)

    def fill_until(self, time_s: float) -> None:
        """Write silence from where the sound ended."""
        while (missing := round(time_s * SAMPLE_RATE_HZ) - self._num_written) > 0:
            self._write(np.zeros((2, min(missing, SOUND_BLOCK_SAMPLES)), np.float32))

    def _write(self, samples: Samples) -> None:
        self._num_written += samples.shape[1]
        self._out.write_sound(samples)
