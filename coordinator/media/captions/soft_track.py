"""Captions as a track of text (`mov_text`) in an MP4, which players show or not. One thread."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import SubtitleSet

from coordinator.media.captions.cards import Card
from coordinator.media.partial import replacing

_LANGUAGES_PATH = Path(__file__).with_name("languages.toml")
_MILLISECOND = Fraction(1, 1000)
# Written anew by whoever writes the file.
_OWN_METADATA = {"major_brand", "minor_version", "compatible_brands", "encoder"}
# The encoder reads its input as lines of an ASS file, and asks for the head of one.
_ASS_HEAD = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour\n"
    b"Style: Default,Arial,16,&Hffffff\n\n[Events]\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


@functools.cache
def _codes() -> dict[str, str]:
    table = tomllib.loads(_LANGUAGES_PATH.read_text(encoding="utf-8"))
    return dict(table["codes"])


def three_letter_code(language: str | None) -> str:
    """Return the ISO 639-2 code that an MP4 holds; `und` where the language is not known."""
    if language is None:
        return "und"
    short = language.lower().replace("_", "-").split("-")[0]
    return short if short in _codes().values() else _codes().get(short, "und")


def add_soft_track(path: Path, cards: Sequence[Card], *, language: str | None) -> None:
    """Put a track of captions into an MP4 in place: everything else is copied as it is.

    Raises:
        DiskFull, MediaUnusable: It cannot be read or written; the file is then as it was.
    """
    if not cards:
        return
    options = {"movflags": "+faststart"}
    with (
        replacing(path) as partial,
        av.open(str(path)) as source,
        av.open(str(partial), "w", format="mp4", options=options) as target,
    ):
        _copy_with(source, target, cards, three_letter_code(language))


def _copy_with(source: InputContainer, target: OutputContainer, cards: Sequence[Card], language: str) -> None:
    target.metadata.update({key: source.metadata[key] for key in source.metadata if key not in _OWN_METADATA})
    kept = [stream for stream in source.streams if stream.type in ("video", "audio")]
    copies = {stream.index: target.add_stream_from_template(stream) for stream in kept}
    for stream in kept:
        copies[stream.index].metadata.update(stream.metadata)
        copies[stream.index].disposition = stream.disposition
    track = target.add_stream("mov_text")
    track.metadata["language"] = language
    track.time_base = track.codec_context.time_base = _MILLISECOND
    track.codec_context.subtitle_header = _ASS_HEAD
    if chapters := source.chapters():
        target.set_chapters(chapters)
    captions = _packets(track, cards)
    waiting = next(captions, None)
    for packet in source.demux(kept):
        if packet.dts is None:
            continue
        # Interleaved by time: the muxer would else hold all of the picture until the captions come.
        time_s = packet.dts * packet.time_base
        while waiting is not None and waiting[0] <= time_s:
            target.mux_one(waiting[1])
            waiting = next(captions, None)
        packet.stream = copies[packet.stream.index]
        target.mux_one(packet)
    if waiting is not None:
        target.mux([packet for _, packet in (waiting, *captions)])


def _packets(track: SubtitleStream, cards: Sequence[Card]) -> Iterator[tuple[float, Packet[SubtitleStream]]]:
    for index, card in enumerate(cards):
        length_ms = max(1, round((card.end_s - card.start_s) * 1000))
        # Line breaks and braces are orders in ASS.
        text = card.line.replace("\\", "/").replace("{", "(").replace("}", ")")
        line = f"{index},0,Default,,0,0,0,,{text}".encode()
        packet = track.codec_context.encode_subtitle(SubtitleSet.create(line, 0, length_ms))
        packet.stream = track
        packet.time_base = _MILLISECOND
        packet.pts = packet.dts = round(card.start_s * 1000)
        packet.duration = length_ms
        yield card.start_s, packet
