"""Render files to their sizes: all at once first, then those that missed their limit of bytes, each alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from coordinator.errors import MediaUnusable
from coordinator.media.intake.opening import open_media
from coordinator.media.intake.pacing import constant_rate
from coordinator.media.output.encoders import X264
from coordinator.media.output.fitting import (
    MAX_ATTEMPTS,
    MIN_FILL,
    Attempt,
    first_bitrate_bps,
    next_bitrate_bps,
)
from coordinator.media.output.making import Encoding, Making, render_encodings, size_of
from coordinator.media.output.mp4 import VideoSettings
from coordinator.media.output.render import OnProgress
from coordinator.model.media import ExportResult


def render_within_sizes(
    making: Making, encodings: Sequence[Encoding], encoder: str, on_progress: OnProgress
) -> list[ExportResult]:
    """Render all at once, then those that missed their limit of bytes again, each alone, until they fit.

    Raises:
        MediaUnusable: One does not fit, or reading or encoding failed.
        DiskFull: There is no room for the result.
    """
    first = [_first_settings(making, encoding, encoder) for encoding in encodings]
    try:
        results = render_encodings(making, encodings, first, on_progress)
        for index, encoding in enumerate(encodings):
            if encoding.wanted.max_size_bytes is not None:
                results[index] = _fitted(making, encoding, first[index], results[index], on_progress)
        return results
    finally:
        for settings in first:
            if settings.statistics is not None:
                for left in settings.statistics.parent.glob(settings.statistics.name + "*"):
                    left.unlink(missing_ok=True)


def _fitted(
    making: Making,
    encoding: Encoding,
    settings: VideoSettings,
    result: ExportResult,
    on_progress: OnProgress,
) -> ExportResult:
    """Render again with other bit rates until the file fits its limit, and fills it where more bits help."""
    wanted, partial = encoding.wanted, encoding.partials[0]
    limit_bytes = wanted.max_size_bytes or 0
    best: ExportResult | None = None
    kept = partial.with_name(partial.name + ".kept")
    try:
        for number in range(MAX_ATTEMPTS):
            picture_bytes = _picture_bytes(partial)
            if result.size_bytes <= limit_bytes and (best is None or result.size_bytes > best.size_bytes):
                best = result
                partial.replace(kept)
            attempt = Attempt(
                bitrate_bps=settings.bitrate_bps,
                size_bytes=result.size_bytes,
                duration_s=result.duration_s,
                picture_bytes=picture_bytes,
                knows_costs=not settings.writes_statistics and settings.statistics is not None,
            )
            bitrate_bps = next_bitrate_bps(wanted, attempt)
            # A second try that fits and nearly fills it is enough: a third would gain a few hundredths.
            is_enough = number > 0 and MIN_FILL * limit_bytes <= result.size_bytes <= limit_bytes
            if bitrate_bps is None or is_enough or number + 1 == MAX_ATTEMPTS:
                break
            # What the first try cost picture by picture is known, if it was made for a size.
            statistics = settings.statistics if settings.bitrate_bps else None
            settings = dataclasses.replace(
                settings, bitrate_bps=bitrate_bps, statistics=statistics, writes_statistics=False
            )
            result = render_encodings(making, [encoding], [settings], on_progress)[0]
        if best is None:
            raise MediaUnusable(
                f"{making.span.path.name} does not fit into {limit_bytes:,} bytes ({wanted.name}); "
                "choose a shorter part"
            )
        kept.replace(partial)
        return best
    finally:
        kept.unlink(missing_ok=True)


def _picture_bytes(path: Path) -> int:
    with open_media(path) as container:
        return sum(packet.size for packet in container.demux(*container.streams.video))


def _first_settings(making: Making, encoding: Encoding, encoder: str) -> VideoSettings:
    wanted, partial = encoding.wanted, encoding.partials[0]
    width, height = size_of(making, wanted)
    found = making.span.outline
    bitrate_bps = first_bitrate_bps(wanted, making.length_s(wanted))
    return VideoSettings(
        width=width,
        height=height,
        rate=constant_rate(found.average_rate, found.base_rate, max_rate=wanted.max_rate),
        x264_preset=wanted.x264_preset,
        crf=wanted.crf,
        max_bitrate_bps=wanted.max_bitrate_bps,
        bitrate_bps=bitrate_bps,
        # Cards meet a size less exactly.
        encoder=encoder if bitrate_bps is None else X264,
        statistics=partial.with_name(partial.name + ".stats") if bitrate_bps is not None else None,
    )
