"""Render a clip to a preset: shaped, captioned, levelled, and small enough for where it goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import structlog
from av.video.frame import VideoFrame

from coordinator.errors import MediaUnusable
from coordinator.media.captions.burning import Captioner, CaptionStyle, write_srt
from coordinator.media.captions.cards import words_within
from coordinator.media.captions.title_card import TitleCard
from coordinator.media.intake.decoding import Outline, outline
from coordinator.media.intake.pacing import constant_rate
from coordinator.media.intake.probe import probe
from coordinator.media.intake.span import Span, check_bounds, fitted
from coordinator.media.output.cut import cut
from coordinator.media.output.mp4 import VideoSettings
from coordinator.media.output.presets import Preset, preset_named
from coordinator.media.output.render import Drawing, OnProgress, Rendering, render
from coordinator.media.partial import replacing
from coordinator.media.picture.frames import Canvas, Layout, Scaler, upright_size
from coordinator.media.picture.geometry import place, within
from coordinator.media.sound.choosing import choose_sound
from coordinator.media.sound.levelling import LevelledSound, level_sound
from coordinator.model.exporting import Recipe
from coordinator.model.media import ExportResult
from coordinator.model.speech import Word

log = structlog.get_logger()
MAX_SIZE_ATTEMPTS = 4
MIN_VIDEO_BPS = 60_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """An export that is being rendered."""

    recipe: Recipe
    wanted: Preset
    span: Span
    sound: LevelledSound | None
    rate: Fraction
    on_progress: OnProgress


def export(
    src: Path, dst: Path, recipe: Recipe, *, on_progress: OnProgress = lambda _share: None
) -> ExportResult:
    """Render `src` to `dst` (MP4), which appears whole or not at all.

    With words, captions are burned in (not by a preset that copies) and the same cards are written beside
    the export as `.srt`. A title is kept in the file and, where the preset says so, shown at the start.

    Args:
        on_progress: told the share that is rendered, from 0 to 1; from 0 again where it has to be made smaller.

    Raises:
        MediaUnusable: The source cannot be decoded, the span is empty, the preset is unknown, or the clip
            is longer or larger than the preset admits.
        DiskFull: There is no room for the result.
    """
    src, dst = Path(src), Path(dst)
    wanted = preset_named(recipe.preset)
    check_bounds(recipe.start_s, recipe.end_s)
    if wanted.layout == "copy":
        return _copy(src, dst, recipe, on_progress)
    found = outline(src)
    if not found.has_video:
        raise MediaUnusable(
            f"{src.name} has no picture that can be decoded here; only sound cannot be exported"
        )
    rate = constant_rate(found.average_rate, found.base_rate, max_rate=wanted.max_rate)
    span = fitted(src, found, start_s=recipe.start_s, end_s=recipe.end_s, rate=rate)
    _check_length(wanted, span)
    sound = _levelled(span, recipe, wanted)
    with replacing(dst) as partial:
        making = _Making(
            recipe=recipe, wanted=wanted, span=span, sound=sound, rate=rate, on_progress=on_progress
        )
        result = _render_within_size(making, partial)
    if recipe.words:
        heard = _heard(recipe.words, span)
        write_srt(heard, dst.with_suffix(".srt"), duration_s=result.duration_s)
    log.info(
        "clip_exported", preset=recipe.preset, duration_s=result.duration_s, size_bytes=result.size_bytes
    )
    return dataclasses.replace(result, path=str(dst))


def _check_length(wanted: Preset, span: Span) -> None:
    if wanted.max_duration_s and span.length_s is not None and span.length_s > wanted.max_duration_s + 0.05:
        raise MediaUnusable(
            f"{wanted.name} takes at most {wanted.max_duration_s:g} s and this is {span.length_s:.1f} s; "
            "choose a shorter part or another preset"
        )


def _heard(words: Sequence[Word], span: Span) -> list[Word]:
    end_s = span.start_s + span.length_s if span.length_s is not None else float("inf")
    return words_within(words, start_s=span.start_s, end_s=end_s)


def _levelled(span: Span, recipe: Recipe, wanted: Preset) -> LevelledSound | None:
    heard = choose_sound(span, recipe.sound)
    return level_sound(heard, bitrate_bps=wanted.audio_bitrate_bps) if heard is not None else None


def _render_within_size(making: _Making, partial: Path) -> ExportResult:
    """Render, and where the preset limits the size, again with fewer bits until it fits."""
    wanted = making.wanted
    bitrate_bps = _bitrate_for(wanted, making.span)
    for _ in range(MAX_SIZE_ATTEMPTS):
        result = _render(making, partial, bitrate_bps=bitrate_bps)
        if wanted.max_size_bytes is None or result.size_bytes <= wanted.max_size_bytes:
            return result
        if bitrate_bps is None:
            bitrate_bps = round(result.size_bytes * 8 / result.duration_s)
        bitrate_bps = max(
            MIN_VIDEO_BPS, round(bitrate_bps * 0.93 * wanted.max_size_bytes / result.size_bytes)
        )
    raise MediaUnusable(
        f"{making.span.path.name} does not fit into {wanted.max_size_bytes:,} bytes ({wanted.name}); "
        "choose a shorter part"
    )


def _bitrate_for(wanted: Preset, span: Span) -> int | None:
    """Return the picture's bit rate that fills the size limit, or None to encode by quality."""
    if wanted.max_size_bytes is None or span.length_s is None:
        return None
    # 3 % for the container and for what one pass overshoots.
    total_bps = wanted.max_size_bytes * 8 * 0.97 / span.length_s
    bitrate_bps = max(MIN_VIDEO_BPS, round(total_bps - wanted.audio_bitrate_bps))
    return min(bitrate_bps, wanted.max_bitrate_bps or bitrate_bps)


def _render(making: _Making, partial: Path, *, bitrate_bps: int | None) -> ExportResult:
    wanted, span, sound, rate, title = (
        *(making.wanted, making.span, making.sound, making.rate),
        making.recipe.title,
    )
    width, height = _size(wanted, span)
    settings = VideoSettings(
        width=width,
        height=height,
        rate=rate,
        x264_preset=wanted.x264_preset,
        crf=wanted.crf,
        max_bitrate_bps=wanted.max_bitrate_bps,
        bitrate_bps=bitrate_bps,
    )
    captioner = Captioner(
        _heard(making.recipe.words, span),
        width=width,
        height=height,
        duration_s=span.length_s if span.length_s is not None else float("inf"),
        style=CaptionStyle(centre_y=wanted.caption_centre_y),
    )
    drawings: list[Drawing] = [captioner] if captioner.words else []
    if title and wanted.title_s:
        drawings.append(
            TitleCard(
                title, width=width, height=height, centre_y=wanted.title_centre_y, until_s=wanted.title_s
            )
        )
    work = Rendering(
        pictures=span.pictures(),
        compose=_composer(wanted, span.outline, width, height),
        sound=sound.open() if sound is not None else None,
        drawings=drawings,
        max_ticks=span.max_ticks(rate),
        hold_until_s=span.hold_until_s,
    )
    duration_s = render(
        work,
        partial,
        settings,
        audio_bps=wanted.audio_bitrate_bps,
        title=title,
        on_progress=making.on_progress,
    )
    return ExportResult(
        path=str(partial),
        preset=wanted.name,
        width=width,
        height=height,
        duration_s=duration_s,
        lufs=sound.lufs if sound is not None else None,
        true_peak_dbtp=sound.true_peak_dbtp if sound is not None else None,
        sound_note=sound.note if sound is not None else None,
        captions=len(captioner.words),
        size_bytes=partial.stat().st_size,
    )


def _size(wanted: Preset, span: Span) -> tuple[int, int]:
    if wanted.layout == "canvas":
        return wanted.width, wanted.height
    _, frame = next(span.pictures())
    long_px, short_px = wanted.box(span.length_s or float("inf"))
    return within(
        *upright_size(frame, span.outline.sample_aspect), max_long_px=long_px, max_short_px=short_px
    )


def _composer(wanted: Preset, found: Outline, width: int, height: int) -> Callable[[VideoFrame], VideoFrame]:
    if wanted.layout == "canvas":
        layout = Layout(zoom=wanted.zoom)
        return Canvas(width, height, layout=layout, sample_aspect=found.sample_aspect).compose
    # Covering: a source that changes its shape on the way is cropped rather than stretched.
    return Scaler(
        lambda w, h: place(w, h, (width, height), zoom=float("inf")), sample_aspect=found.sample_aspect
    ).scale


def _copy(src: Path, dst: Path, recipe: Recipe, on_progress: OnProgress) -> ExportResult:
    """Hand over the source itself, cut exactly; nothing is drawn or levelled."""
    start_s = recipe.start_s
    done = cut(src, dst, start_s=start_s, end_s=recipe.end_s, on_progress=on_progress)
    if recipe.words:
        heard = words_within(recipe.words, start_s=start_s, end_s=start_s + done.duration_s)
        write_srt(heard, dst.with_suffix(".srt"), duration_s=done.duration_s)
    video = next((t for t in probe(dst, should_count_packets=False).tracks if t.kind == "video"), None)
    width, height = (video.width or 0, video.height or 0) if video is not None else (0, 0)
    if video is not None and video.rotation in (90, 270):
        width, height = height, width
    return ExportResult(
        path=str(dst),
        preset="source",
        width=width,
        height=height,
        duration_s=done.duration_s,
        lufs=None,
        captions=0,
        size_bytes=dst.stat().st_size,
    )
