"""Render a clip to a preset: shaped, captioned, levelled, and small enough for where it goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import structlog
from av.video.frame import VideoFrame

from coordinator.errors import MediaUnusable
from coordinator.media.captions.burning import Captioner
from coordinator.media.captions.styles import style_named
from coordinator.media.captions.title_card import TitleCard
from coordinator.media.captions.wishes import (
    add_wished_track,
    captioner_of,
    free_area,
    words_to_show,
    write_wished_files,
)
from coordinator.media.intake.decoding import Outline, Samples, outline
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
from coordinator.media.sound.loudness import Loudness, level, plan_levelling
from coordinator.model.exporting import Recipe
from coordinator.model.media import ExportResult
from coordinator.model.speech import Word

log = structlog.get_logger()
MAX_SIZE_ATTEMPTS = 4
MIN_VIDEO_BPS = 60_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Sound:
    """The levelled sound of a span; `open` is None where there is none."""

    open: Callable[[], Iterator[Samples]] | None
    loudness: Loudness | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """An export that is being rendered."""

    recipe: Recipe
    wanted: Preset
    span: Span
    sound: _Sound
    rate: Fraction
    on_progress: OnProgress


def export(
    src: Path, dst: Path, recipe: Recipe, *, on_progress: OnProgress = lambda _share: None
) -> ExportResult:
    """Render `src` to `dst` (MP4), which appears whole or not at all.

    With words, `recipe.captions` says what becomes of them. A title is kept in the file and, where the preset
    says so, shown at the start.

    Args:
        on_progress: told the share that is rendered, from 0 to 1; from 0 again where it has to be made smaller.

    Raises:
        MediaUnusable: The source cannot be decoded, the span is empty, the preset or the caption style is
            unknown, or the clip is longer or larger than the preset admits.
        DiskFull: There is no room for the result.
    """
    src, dst = Path(src), Path(dst)
    wanted = preset_named(recipe.preset)
    style_named(recipe.captions.style)
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
    sound = _levelled(span)
    with replacing(dst) as partial:
        making = _Making(
            recipe=recipe, wanted=wanted, span=span, sound=sound, rate=rate, on_progress=on_progress
        )
        result = _render_within_size(making, partial)
    if recipe.words:
        size = result.width, result.height
        heard = _heard(recipe, span)
        write_wished_files(recipe.captions, heard, dst, duration_s=result.duration_s, size=size)
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


def _heard(recipe: Recipe, span: Span) -> list[Word]:
    return words_to_show(recipe.captions, recipe.words, start_s=span.start_s, length_s=_length_s(span))


def _length_s(span: Span) -> float:
    return span.length_s if span.length_s is not None else float("inf")


def _levelled(span: Span) -> _Sound:
    if not span.outline.has_audio:
        return _Sound(open=None, loudness=None)
    levelling, loudness = plan_levelling(span.sound)
    if not loudness.num_samples:
        return _Sound(open=None, loudness=None)
    return _Sound(open=lambda: level(span.sound(), levelling), loudness=loudness)


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
    recipe, wanted, span = making.recipe, making.wanted, making.span
    sound, rate = making.sound, making.rate
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
    captioner, drawings = _drawings(making, width, height)
    work = Rendering(
        pictures=span.pictures(),
        compose=_composer(wanted, span.outline, width, height),
        sound=sound.open() if sound.open is not None else None,
        drawings=drawings,
        max_ticks=span.max_ticks(rate),
        hold_until_s=span.hold_until_s,
    )
    duration_s = render(
        work,
        partial,
        settings,
        audio_bps=wanted.audio_bitrate_bps,
        title=recipe.title,
        on_progress=making.on_progress,
    )
    add_wished_track(recipe.captions, _heard(recipe, span), partial, duration_s=duration_s)
    return ExportResult(
        path=str(partial),
        preset=wanted.name,
        width=width,
        height=height,
        duration_s=duration_s,
        lufs=sound.loudness.integrated_lufs if sound.loudness is not None else None,
        captions=len(captioner.words) if captioner is not None else 0,
        size_bytes=partial.stat().st_size,
    )


def _drawings(making: _Making, width: int, height: int) -> tuple[Captioner | None, list[Drawing]]:
    """Return what draws the captions, if any, and everything that is drawn."""
    recipe, wanted, span = making.recipe, making.wanted, making.span
    captioner = captioner_of(
        recipe.captions,
        _heard(recipe, span),
        presets=(recipe.preset,),
        size=(width, height),
        centre_y=wanted.caption_centre_y,
        duration_s=_length_s(span),
        rate=making.rate,
    )
    drawings: list[Drawing] = [captioner] if captioner is not None else []
    if recipe.title and wanted.title_s:
        drawings.append(
            TitleCard(
                recipe.title,
                width=width,
                height=height,
                centre_y=wanted.title_centre_y,
                until_s=wanted.title_s,
                area=free_area((recipe.preset,), width, height),
            )
        )
    return captioner, drawings


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
    wish = recipe.captions
    heard = words_to_show(wish, recipe.words, start_s=start_s, length_s=done.duration_s)
    add_wished_track(wish, heard, dst, duration_s=done.duration_s)
    video = next((t for t in probe(dst, should_count_packets=False).tracks if t.kind == "video"), None)
    width, height = (video.width or 0, video.height or 0) if video is not None else (0, 0)
    if video is not None and video.rotation in (90, 270):
        width, height = height, width
    if recipe.words:
        size = (width, height) if width and height else (1920, 1080)
        write_wished_files(wish, heard, dst, duration_s=done.duration_s, size=size)
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
