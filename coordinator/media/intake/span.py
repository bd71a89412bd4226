"""The part of a source that is asked for, fitted to what is there."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.video.frame import VideoFrame

from coordinator.errors import MediaUnusable
from coordinator.media.intake.decoding import (
    SAMPLE_RATE_HZ,
    Outline,
    Samples,
    first_samples,
    pictures,
    sounds,
)

TimedFrame = tuple[float, VideoFrame]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of a source whose start is a frame's own time, so that sound and picture start together.

    Attributes:
        start_s: on the source's time line from 0.
        length_s: None: until the source ends, which does not say where that is.
    """

    path: Path
    start_s: float
    length_s: float | None
    outline: Outline

    def max_ticks(self, rate: Fraction) -> int | None:
        """Return the length in frames at a constant rate, at least 1."""
        return None if self.length_s is None else max(1, round(self.length_s * rate))

    @property
    def hold_until_s(self) -> float:
        """How long the last picture must stay so that sound that outlasts it is not lost."""
        # A container's sound usually ends a few packets after its picture: that is no reason to freeze.
        return max(0.0, self.outline.audio_end_s - 0.25 - self.start_s)

    def pictures(self) -> Iterator[TimedFrame]:
        """Decode the frames with times from the span's start; ends with the source."""
        for time_s, frame in pictures(self.path, start_s=self.start_s):
            yield time_s - self.start_s, frame

    def sound(self, number: int | None = None) -> Iterator[Samples]:
        """Decode the sound, 48 kHz stereo, from the span's start, no longer than the span; see `sounds`."""
        num_samples = None if self.length_s is None else round(self.length_s * SAMPLE_RATE_HZ)
        return first_samples(sounds(self.path, start_s=self.start_s, number=number), num_samples)


def check_bounds(start_s: float, end_s: float | None) -> None:
    """Refuse bounds that mean nothing.

    Raises:
        MediaUnusable: A bound is negative or no number, or the end is not after the start.
    """
    if not math.isfinite(start_s) or start_s < 0:
        raise MediaUnusable(f"cannot start at {start_s} s; give a number of seconds from 0 on")
    if end_s is not None and not (math.isfinite(end_s) and end_s > start_s):
        raise MediaUnusable(f"the end {end_s} s is not after the start {start_s} s")


def fitted(path: Path, outline: Outline, *, start_s: float, end_s: float | None, rate: Fraction) -> Span:
    """Move the start to the frame that is on screen then, and the end to where the source ends.

    Raises:
        MediaUnusable: The bounds mean nothing, or nothing of the source lies between them.
    """
    check_bounds(start_s, end_s)
    if outline.duration_s is not None:
        if start_s >= outline.duration_s:
            raise MediaUnusable(
                f"cannot start at {start_s:g} s: {path.name} is {outline.duration_s:g} s long"
            )
        end_s = outline.duration_s if end_s is None else min(end_s, outline.duration_s)
    frames = pictures(path, start_s=start_s)
    try:
        first = next(itertools.islice(frames, 1), None)
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()
    if first is None:
        raise MediaUnusable(f"{path.name} has no picture at {start_s:g} s or after it")
    shown_s = first[0]
    # A still picture may have been on screen for long: then the time asked for is the start itself.
    if shown_s < start_s - 1.5 / rate or shown_s > start_s:
        shown_s = start_s
    shown_s = max(0.0, shown_s)
    length_s = None if end_s is None else max(float(1 / rate), end_s - shown_s)
    return Span(path=path, start_s=shown_s, length_s=length_s, outline=outline)
