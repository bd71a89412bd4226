"""Render a clip to presets: shaped, captioned, levelled, and small enough for where it goes.

One decode feeds every preset that is asked for; presets that differ in their limits alone are encoded once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import structlog

from coordinator.errors import MediaUnusable
from coordinator.media.captions.styles import style_named
from coordinator.media.captions.wishes import add_wished_track, words_to_show, write_wished_files
from coordinator.media.intake.decoding import outline
from coordinator.media.intake.pacing import constant_rate
from coordinator.media.intake.probe import probe
from coordinator.media.intake.span import check_bounds, fitted
from coordinator.media.output.brand import film_of
from coordinator.media.output.cut import cut
from coordinator.media.output.encoders import X264, encoder_for
from coordinator.media.output.making import Encoding, Making, Order
from coordinator.media.output.presets import Preset, preset_named, preset_names
from coordinator.media.output.render import OnProgress
from coordinator.media.output.tries import render_within_sizes
from coordinator.media.partial import replacing
from coordinator.media.picture.composing import check_framing
from coordinator.media.picture.frames import upright_size
from coordinator.media.sound.choosing import choose_sound
from coordinator.media.sound.keeping import kept
from coordinator.model.exporting import Brand, Recipe
from coordinator.model.media import ExportResult

log = structlog.get_logger()


def export(
    src: Path, dst: Path, recipe: Recipe, *, on_progress: OnProgress = lambda _share: None
) -> ExportResult:
    """Render `src` to `dst` by the recipe's own preset. See `export_all`."""
    return export_all(src, [Order(dst=dst, preset=recipe.preset)], recipe, on_progress=on_progress)[0]


def export_all(
    src: Path,
    orders: Sequence[Order],
    recipe: Recipe,
    *,
    on_progress: OnProgress = lambda _share: None,
) -> list[ExportResult]:
    """Render `src` to every order (MP4, or what its preset says), all of which appear, whole, or none.

    With words, `recipe.captions` says what becomes of them. A title is kept in the file and, where the preset
    says so, shown at the start.

    Args:
        recipe: for all of them; its `preset` counts for nothing here.
        on_progress: told the share that is rendered, from 0 to 1; from 0 again where it has to be made smaller.

    Returns:
        One result for each order, in the same order.

    Raises:
        MediaUnusable: The source cannot be decoded, the span is empty, a preset is unknown, or the clip
            is longer or larger than a preset admits.
        DiskFull: There is no room for the result.
    """
    src = Path(src)
    check_bounds(recipe.start_s, recipe.end_s)
    check_framing(recipe.framing)
    style_named(recipe.captions.style)
    wanted = {order.preset: preset_named(order.preset) for order in orders}
    results: dict[Path, ExportResult] = {}
    rendered = [order for order in orders if wanted[order.preset].layout != "copy"]
    if rendered:
        making = _making(src, recipe)
        for order in rendered:
            _check_length(wanted[order.preset], making.length_s(wanted[order.preset]))
    for order in orders:
        if wanted[order.preset].layout == "copy":
            results[order.dst] = _copy(src, order, recipe, on_progress)
    if rendered:
        results |= _render_all(making, rendered, on_progress)
    return [results[order.dst] for order in orders]


def _making(src: Path, recipe: Recipe) -> Making:
    found = outline(src)
    if not found.has_video:
        raise MediaUnusable(
            f"{src.name} has no picture that can be decoded here; only sound cannot be exported"
        )
    rate = constant_rate(found.average_rate, found.base_rate)
    span = fitted(src, found, start_s=recipe.start_s, end_s=recipe.end_s, rate=rate)
    _, frame = next(span.pictures())
    brand = recipe.brand
    heard = choose_sound(span, recipe.sound)
    return Making(
        recipe=recipe,
        span=span,
        # Levelling asks for it some five times for each bit rate.
        heard=kept(heard, length_s=span.length_s) if heard is not None else None,
        upright_px=upright_size(frame, found.sample_aspect),
        intro=film_of(brand.intro, "intro") if brand.intro else None,
        outro=film_of(brand.outro, "outro") if brand.outro else None,
    )


def _check_length(wanted: Preset, length_s: float | None) -> None:
    if wanted.max_duration_s and length_s is not None and length_s > wanted.max_duration_s + 0.05:
        raise MediaUnusable(
            f"{length_s:.4g} s is over {wanted.name}'s {wanted.max_duration_s:g} s; "
            "choose a shorter part or another preset"
        )


def _render_all(making: Making, orders: Sequence[Order], on_progress: OnProgress) -> dict[Path, ExportResult]:
    results = {}
    with contextlib.ExitStack() as stack:
        partials = [stack.enter_context(replacing(order.dst)) for order in orders]
        encodings = _encodings(making.recipe, orders, partials)
        for encoding, result in zip(encodings, _render_by_card(making, encodings, on_progress), strict=True):
            _check_length(encoding.wanted, result.duration_s)
            for order, partial in zip(encoding.orders, encoding.partials, strict=True):
                if partial is not encoding.partials[0]:
                    shutil.copyfile(encoding.partials[0], partial)
                results[order.dst] = dataclasses.replace(result, path=str(order.dst), preset=order.preset)
    for encoding in encodings:
        for order in encoding.orders:
            _write_words(making, encoding.wanted, results[order.dst])
    for result in results.values():
        log.info(
            "clip_exported", preset=result.preset, duration_s=result.duration_s, size_bytes=result.size_bytes
        )
    return results


def _encodings(recipe: Recipe, orders: Sequence[Order], partials: Sequence[Path]) -> list[Encoding]:
    """Group the orders whose files are equal.

    Words keep clear of the buttons of all presets of such a group, ordered or not: a preset's file is then the same
    whatever is made beside it.
    """
    found: dict[Preset, Encoding] = {}
    for order, partial in zip(orders, partials, strict=True):
        wanted = preset_named(order.preset)
        alike = _as_encoded(wanted, recipe.brand)
        clear_of = [name for name in preset_names() if _as_encoded(preset_named(name), recipe.brand) == alike]
        before = found.get(alike) or Encoding(wanted=wanted, clear_of=tuple(clear_of), orders=(), partials=())
        found[alike] = dataclasses.replace(
            before, orders=(*before.orders, order), partials=(*before.partials, partial)
        )
    return list(found.values())


def _as_encoded(wanted: Preset, brand: Brand) -> Preset:
    """What of a preset makes a difference to its file."""
    used = tuple(part for part in wanted.brand if getattr(brand, part))
    return dataclasses.replace(wanted, name="", about="", max_duration_s=None, brand=used)


def _render_by_card(
    making: Making, encodings: Sequence[Encoding], on_progress: OnProgress
) -> list[ExportResult]:
    """Render with the encoder that was asked for; where a graphics card gives up on the way, again with x264."""
    encoder = encoder_for(making.recipe.encoder)
    if encoder != X264:
        try:
            return render_within_sizes(making, encodings, encoder, on_progress)
        except MediaUnusable as exc:
            log.warning("encoder_failed", encoder=encoder, reason=str(exc))
    return render_within_sizes(making, encodings, X264, on_progress)


def _write_words(making: Making, wanted: Preset, result: ExportResult) -> None:
    """Write what is said beside the file, on its own time line."""
    if making.recipe.words and not wanted.is_moving_picture:
        heard, size = making.words(making.begins_s(wanted)), (result.width, result.height)
        dst, duration_s = Path(result.path), result.duration_s
        write_wished_files(making.recipe.captions, heard, dst, duration_s=duration_s, size=size)


def _copy(src: Path, order: Order, recipe: Recipe, on_progress: OnProgress) -> ExportResult:
    """Hand over the source itself, cut exactly; nothing is drawn or levelled."""
    dst, start_s = order.dst, recipe.start_s
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
        preset=order.preset,
        width=width,
        height=height,
        duration_s=done.duration_s,
        lufs=None,
        captions=0,
        size_bytes=dst.stat().st_size,
    )
