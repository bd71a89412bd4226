"""What the files of one export are made from, and how each of them looks and sounds.

Everything that several presets share is made once: the decoded pictures, a composition of equal shape, the
levelled sound.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from av.packet import Packet

from coordinator.media.captions.title_card import TitleCard
from coordinator.media.captions.wishes import (
    add_wished_track,
    captioner_of,
    free_area,
    title_to_show,
    words_to_show,
)
from coordinator.media.intake.decoding import Samples
from coordinator.media.intake.span import Span
from coordinator.media.output.brand import Film, Watermark
from coordinator.media.output.moving_picture import MovingPictureWriter
from coordinator.media.output.mp4 import Mp4Writer, Tags, VideoSettings
from coordinator.media.output.presets import Preset
from coordinator.media.output.render import Compose, Drawing, Look, OnProgress, Sheet, Stretch, render_all
from coordinator.media.output.sizing import output_size
from coordinator.media.picture.composing import composer, follow_window
from coordinator.media.picture.shown import shown_parts, shown_share
from coordinator.media.sound.levelling import LevelledSound, OpenSound, level_sound
from coordinator.model.exporting import Recipe
from coordinator.model.media import ExportResult
from coordinator.model.speech import Word

_FileWriter: TypeAlias = "Mp4Writer | MovingPictureWriter"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One file that is wanted: where, and by which preset."""

    dst: Path
    preset: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One encoded file, however many orders it serves; written to the first of their partial files.

    `clear_of`: the presets whose buttons its words keep clear of.
    """

    wanted: Preset
    clear_of: Sequence[str]
    orders: Sequence[Order]
    partials: Sequence[Path]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What all files of one call are made from. The dictionaries keep what several of them share.

    `heard`: the clip's sound as it was chosen, not levelled; None: it has none.
    """

    recipe: Recipe
    span: Span
    heard: OpenSound | None
    upright_px: tuple[int, int]
    intro: Film | None = None
    outro: Film | None = None
    composers: dict[tuple[object, ...], Compose] = dataclasses.field(default_factory=dict)
    sounds: dict[int, LevelledSound | None] = dataclasses.field(default_factory=dict)

    def intro_of(self, wanted: Preset) -> Film | None:
        """The film before the clip, where the preset takes one."""
        return self.intro if "intro" in wanted.brand else None

    def outro_of(self, wanted: Preset) -> Film | None:
        """The film after the clip, where the preset takes one."""
        return self.outro if "outro" in wanted.brand else None

    def begins_s(self, wanted: Preset) -> float:
        """Where in the file the clip itself begins."""
        intro = self.intro_of(wanted)
        return intro.length_s if intro is not None else 0.0

    def length_s(self, wanted: Preset) -> float | None:
        """How long the file will be, where the source says how long it is."""
        if self.span.length_s is None:
            return None
        outro = self.outro_of(wanted)
        length_s = self.begins_s(wanted) + self.span.length_s + (outro.length_s if outro is not None else 0.0)
        return length_s if wanted.keeps_s is None else min(length_s, wanted.keeps_s)

    def words(self, begins_s: float = 0.0) -> list[Word]:
        """What is said in the clip, in seconds of a file in which it begins at `begins_s`."""
        recipe, length_s = self.recipe, self.span.length_s
        heard = words_to_show(
            recipe.captions,
            recipe.words,
            start_s=self.span.start_s,
            length_s=length_s if length_s is not None else math.inf,
        )
        return [
            dataclasses.replace(word, start_s=word.start_s + begins_s, end_s=word.end_s + begins_s)
            for word in heard
        ]


def size_of(making: Making, wanted: Preset) -> tuple[int, int]:
    """Return the size of a file's picture in pixels."""
    return output_size(
        wanted,
        making.recipe.framing.shape,
        length_s=making.length_s(wanted),
        source_size=making.upright_px,
    )


def render_encodings(
    making: Making,
    encodings: Sequence[Encoding],
    settings: Sequence[VideoSettings],
    on_progress: OnProgress,
) -> list[ExportResult]:
    """Render each encoding with its settings, all from one decode.

    Raises:
        DiskFull, MediaUnusable: Reading or writing failed. The files are then not whole.
    """
    span = making.span
    films = [making.intro.stretch()] if making.intro is not None else []
    clip = Stretch(pictures=span.pictures(), length_s=span.length_s, hold_until_s=span.hold_until_s)
    after = [making.outro.stretch()] if making.outro is not None else []
    with contextlib.ExitStack() as stack:
        shop = _Shop(making, stack)
        sheets = [shop.sheet(encoding, each) for encoding, each in zip(encodings, settings, strict=True)]
        render_all([*films, clip, *after], sheets, on_progress=on_progress)
    return [
        shop.result(encoding, each, number)
        for number, (encoding, each) in enumerate(zip(encodings, settings, strict=True))
    ]


class _Shop:
    """One rendering on its way: the writers of its files, and the sounds that they share."""

    def __init__(self, making: Making, stack: contextlib.ExitStack) -> None:
        self._making = making
        self._stack = stack
        self._open_sounds: dict[object, Iterator[Samples]] = {}
        self._writers: list[_FileWriter] = []
        self._num_words: list[int] = []

    def sheet(self, encoding: Encoding, settings: VideoSettings) -> Sheet:
        """Open the file and say how each stretch looks and sounds in it."""
        making, wanted, path = self._making, encoding.wanted, encoding.partials[0]
        has_sound = not wanted.is_moving_picture and self._has_sound(wanted)
        sound = _levelled(making, wanted) if has_sound else None
        # Where nothing is put around the clip the packets by which its loudness was found are the file's.
        is_alone = making.intro_of(wanted) is None and making.outro_of(wanted) is None
        encoded = sound.packets if sound is not None and is_alone else None
        writer = _writer(making, wanted, settings, path, has_sound=has_sound, encoded=encoded)
        self._stack.enter_context(writer)
        self._writers.append(writer)
        drawings, num_words = _drawings(making, encoding, settings)
        self._num_words.append(num_words)
        clip = Look(
            compose=_composer(making, wanted, settings.width, settings.height),
            drawings=drawings,
            sound=self._opened(sound.open) if sound is not None and encoded is None else None,
        )
        looks: list[Look | None] = [clip]
        if making.intro is not None:
            looks.insert(0, self._film_look(making.intro_of(wanted), settings))
        if making.outro is not None:
            looks.append(self._film_look(making.outro_of(wanted), settings))
        max_ticks = None if wanted.keeps_s is None else max(1, round(wanted.keeps_s * settings.rate))
        return Sheet(
            writer=writer,
            rate=settings.rate,
            looks=looks,
            has_sound=has_sound and encoded is None,
            max_ticks=max_ticks,
        )

    def _film_look(self, film: Film | None, settings: VideoSettings) -> Look | None:
        if film is None:
            return None
        size = settings.width, settings.height
        key = (film.span.path, *size)
        if key not in self._making.composers:
            self._making.composers[key] = film.composer(*size)
        sound = self._opened(film.open_sound) if film.open_sound is not None else None
        return Look(compose=self._making.composers[key], sound=sound)

    def _has_sound(self, wanted: Preset) -> bool:
        films = (self._making.intro_of(wanted), self._making.outro_of(wanted))
        if any(film is not None and film.open_sound is not None for film in films):
            return True
        return _levelled(self._making, wanted) is not None

    def _opened(self, open_sound: Callable[[], Iterator[Samples]]) -> Iterator[Samples]:
        if open_sound not in self._open_sounds:
            self._open_sounds[open_sound] = open_sound()
        return self._open_sounds[open_sound]

    def result(self, encoding: Encoding, settings: VideoSettings, number: int) -> ExportResult:
        """Say what was made, when it is closed."""
        wanted, path = encoding.wanted, encoding.partials[0]
        duration_s = self._writers[number].duration_s
        if not wanted.is_moving_picture:
            words = self._making.words(self._making.begins_s(wanted))
            add_wished_track(self._making.recipe.captions, words, path, duration_s=duration_s)
        sound = None if wanted.is_moving_picture else _levelled(self._making, wanted)
        return ExportResult(
            path=str(path),
            preset=wanted.name,
            width=settings.width,
            height=settings.height,
            duration_s=duration_s,
            lufs=sound.lufs if sound is not None else None,
            true_peak_dbtp=sound.true_peak_dbtp if sound is not None else None,
            sound_note=sound.note if sound is not None else None,
            captions=self._num_words[number],
            size_bytes=path.stat().st_size,
            shown_share=self._shown_share(wanted, settings),
        )

    def _shown_share(self, wanted: Preset, settings: VideoSettings) -> float:
        parts = shown_parts(
            self._making.recipe.framing,
            preset_layout=wanted.layout,
            zoom=wanted.zoom,
            source=self._making.upright_px,
            canvas=(settings.width, settings.height),
        )
        return round(shown_share(parts), 3)


def _writer(
    making: Making,
    wanted: Preset,
    settings: VideoSettings,
    path: Path,
    *,
    has_sound: bool,
    encoded: Sequence[Packet[Any]] | None,
) -> _FileWriter:
    if wanted.container != "mp4":
        return MovingPictureWriter(path, container=wanted.container, rate=settings.rate)
    audio_bps = wanted.audio_bitrate_bps if has_sound else None
    return Mp4Writer(
        path, settings, audio_bitrate_bps=audio_bps, encoded_audio=encoded, tags=_tags(making, wanted)
    )


def _tags(making: Making, wanted: Preset) -> Tags:
    recipe, about = making.recipe, making.recipe.about
    return Tags(
        title=recipe.title,
        artist=about.artist,
        comment=about.comment,
        chapters=tuple(_chapters(making, wanted)),
    )


def _chapters(making: Making, wanted: Preset) -> Iterator[tuple[float, float, str]]:
    """Yield (start, end, name) on the file's time line; those outside the part are left out."""
    span, chapters = making.span, sorted(making.recipe.about.chapters, key=lambda each: each.start_s)
    begins_s = making.begins_s(wanted)
    last_s = chapters[-1].start_s + 1 if chapters else 0.0
    end_s = span.start_s + span.length_s if span.length_s is not None else last_s
    for number, chapter in enumerate(chapters):
        until_s = chapters[number + 1].start_s if number + 1 < len(chapters) else end_s
        from_s, until_s = max(chapter.start_s, span.start_s), min(until_s, end_s)
        if from_s < until_s:
            yield begins_s + from_s - span.start_s, begins_s + until_s - span.start_s, chapter.title


def _levelled(making: Making, wanted: Preset) -> LevelledSound | None:
    """The clip's sound for this preset, planned once for all presets of the same bit rate."""
    key = wanted.audio_bitrate_bps
    if key not in making.sounds:
        heard = making.heard
        making.sounds[key] = level_sound(heard, bitrate_bps=key) if heard is not None else None
    return making.sounds[key]


def _composer(making: Making, wanted: Preset, width: int, height: int) -> Compose:
    """What brings the clip's pictures into the preset's shape, made once for all presets of the same shape."""
    key = (wanted.layout, wanted.zoom, width, height)
    if key not in making.composers:
        making.composers[key] = _new_composer(making, wanted, width, height)
    return making.composers[key]


def _new_composer(making: Making, wanted: Preset, width: int, height: int) -> Compose:
    framing, span = making.recipe.framing, making.span
    aspect = span.outline.sample_aspect
    window_at = follow_window(
        framing, span.pictures, width=width, height=height, sample_aspect=aspect, until_s=span.length_s
    )
    return composer(
        framing,
        preset_layout=wanted.layout,
        zoom=wanted.zoom,
        width=width,
        height=height,
        sample_aspect=aspect,
        window_at=window_at,
    ).compose


def _drawings(making: Making, encoding: Encoding, settings: VideoSettings) -> tuple[list[Drawing], int]:
    """What is drawn on the clip's pictures, in this order, and how many words of captions are among it."""
    wanted, width, height = encoding.wanted, settings.width, settings.height
    drawings: list[Drawing] = []
    if wanted.is_moving_picture:
        return drawings, 0
    recipe, length_s = making.recipe, making.span.length_s
    if recipe.brand.watermark and "watermark" in wanted.brand:
        drawings.append(Watermark(recipe.brand, width=width, height=height))
    captioner = captioner_of(
        recipe.captions,
        making.words(),
        presets=encoding.clear_of,
        size=(width, height),
        centre_y=wanted.caption_centre_y,
        duration_s=length_s if length_s is not None else math.inf,
        rate=settings.rate,
    )
    if captioner is not None:
        drawings.append(captioner)
    if recipe.title and recipe.is_title_shown and wanted.title_s:
        drawings.append(
            TitleCard(
                title_to_show(recipe.captions, recipe.title),
                width=width,
                height=height,
                centre_y=wanted.title_centre_y,
                until_s=wanted.title_s,
                area=free_area(encoding.clear_of, width, height),
            )
        )
    return drawings, len(captioner.words) if captioner is not None else 0
