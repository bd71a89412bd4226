"""What a media file holds, and what is asked of an export."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MediaTrack:
    """One track of a file. `rotation` is clockwise degrees to show the picture upright; unknown is None."""

    kind: Literal["video", "audio", "subtitle", "data", "attachment"]
    codec: str | None
    num_packets: int | None
    width: int | None = None
    height: int | None = None
    rotation: int | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """What a probe found. Duration in seconds; None where the file does not say and cannot be counted."""

    duration_s: float | None
    format: str
    tracks: tuple[MediaTrack, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """A finished export.

    Attributes:
        lufs: integrated loudness as encoded; None: no sound, silence, less than the 400 ms that are measured, or a
            copy, which is not measured.
        true_peak_dbtp: as encoded; None like `lufs`, and of digital silence.
        sound_note: why it is not as loud as it should be, in words; None where it is.
        captions: words burned in.
        shown_share: how much of the source's picture is seen, by area; below 1 the layout cuts some off.
    """

    path: str
    preset: str
    width: int
    height: int
    duration_s: float
    lufs: float | None
    captions: int
    size_bytes: int
    shown_share: float = 1.0
    true_peak_dbtp: float | None = None
    sound_note: str | None = None
